"""Quotients by a number that many entries share, without a division for each.

Of all that arithmetic does to an entry, a division takes longest: with three of them Adam is bound
by arithmetic where its arrays lie in the caches. What depends on the divisor alone is computed
once, and each quotient is a product and what that product missed:

    q = x*(1/d),    error = q*d - x (exact),    x/d = q - error*(1/d)

This is x/d rounded to nearest, as a division gives it (Markstein, IBM Journal of Research and
Development 34, 1990; Brisebarre, Muller and Raina, IEEE Transactions on Computers 53, 2004), but
where `error` is too small to be a normal number: for |x| or |x/d| below 2^-100 in float32 and
2^-967 in float64 it may be one unit off. Infinities, NaN, zeros and their signs are those of a
division.
"""

from __future__ import annotations

from optdsl.codegen.support.lanes import Lane, function_of_lanes


def _quotient(x: Lane, divisor: Lane) -> Lane:
    # The inverse of a divisor near the largest number is too small to be a normal one; and
    # beside a positive divisor an error of zero keeps the sign of a quotient that is zero.
    far = 2.0 ** (x.format.bias // 2)
    size = (divisor.size() > far).choose(x.like(1 / far), 1.0)
    scale = size.with_sign(divisor)
    divisor = divisor * scale
    inverse = x.like(1.0) / divisor
    x = x * scale
    product = x * inverse
    error = product.fused(divisor, -x)
    quotient = (-error).fused(inverse, product)
    undefined = quotient.differs(quotient)  # beside an infinity, which the product has right
    return undefined.choose(product, quotient)


#: Builds x/divisor, where a processor rounds a product and a sum once.
quotient_of = function_of_lanes(_quotient)

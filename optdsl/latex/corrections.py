"""Which powers correct a bias: `\\beta^t` in a division by `1 - \\beta^t`.

Where times stand above the line (`m^t`), the t of any other decay may be its time.
"""

from __future__ import annotations

from collections.abc import Iterator

from optdsl.latex import shapes
from optdsl.latex.notation import Braces, Digits, Fraction, Group, Infix, Raw, Root, Scripted


def corrections(node: object, divides: bool = False) -> Iterator[int]:
    """Yield where each power begins that is taken from 1 in a divisor or below a root."""
    match node:
        case Fraction(numerator, denominator):
            yield from corrections(numerator, divides)
            yield from corrections(denominator, True)
        case Root(radicand):
            yield from corrections(radicand, True)
        case Infix(Digits("1"), (("-", Scripted() as power), *_)) if divides:
            yield power.span.start
        case Infix(first, rest):
            yield from corrections(first, divides)
            for sign, operand in rest:
                yield from corrections(operand, divides or sign in ("/", "\\oslash"))
        case Scripted(base, (script,)) if script.raised and _turns_over(script.items[0]):
            yield from corrections(base, True)
        case Group(_, (inner,)) | Braces(inner):
            yield from corrections(inner, divides)
        case _:
            for part in shapes.parts(node):
                yield from corrections(part, False)


def _turns_over(exponent: Raw) -> bool:
    return exponent.span.text.lstrip("{ ").startswith("-")

"""What a hyperparameter's letter says of its values, where a document does not say it."""

from __future__ import annotations

import re

from optdsl.language import syntax

_DECAYS = ("beta", "gamma", "rho", "mu")
_NOT_NEGATIVE = ("eta", "epsilon", "alpha", "lambda", "delta", "kappa", "sigma", "nu", "xi")
_ROLE = re.compile(
    rf"(?P<letter>{'|'.join(_DECAYS + _NOT_NEGATIVE)})(?:hat|tilde|bar)?\d*(?:_(?:min|max))?"
)


def usual_domain(name: str) -> syntax.Interval | None:
    """Return the domain that the letter's role implies: [0, 1) for decays, [0, inf) for sizes.

    None where the letter has no usual role; such a symbol must be declared.

    >>> usual_domain("beta1").high.text, usual_domain("T_i")
    ('1', None)
    """
    match = _ROLE.fullmatch(name)
    if match is None:
        return None
    zero = syntax.Number("0")
    if match["letter"] in _DECAYS:
        return syntax.Interval(zero, syntax.Number("1"), high_open=True)
    return syntax.Interval(zero, syntax.Constant("inf"), high_open=True)


def is_decay(name: str) -> bool:
    """Is the letter one that papers raise to the power t?"""
    match = _ROLE.fullmatch(name)
    return match is not None and match["letter"] in _DECAYS

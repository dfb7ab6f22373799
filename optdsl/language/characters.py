"""Signs beyond ASCII that a spec may use, and the ASCII they mean."""

from __future__ import annotations

import re
import unicodedata

GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ϵ": "epsilon",
    "ζ": "zeta", "η": "eta", "θ": "theta", "ϑ": "theta", "ι": "iota", "κ": "kappa",
    "λ": "lambda", "μ": "mu", "µ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho",
    "ϱ": "rho", "σ": "sigma", "ς": "sigma", "τ": "tau", "υ": "upsilon", "φ": "phi",
    "ϕ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta",
    "∆": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma",
    "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip

#: Marks written above a letter: `m̂` is `mhat`.
MARKS = {
    "\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0305": "bar", "\u0307": "dot",
}  # fmt: skip

SUBSCRIPTS = {chr(ord("₀") + digit): str(digit) for digit in range(10)}

SUPERSCRIPTS = {"⁻": "-", "⁰": "0", "¹": "1", "²": "2", "³": "3"} | {
    chr(ord("⁴") + digit): str(digit + 4) for digit in range(6)
}

OPERATORS = {
    "·": "*", "×": "*", "⋅": "*", "−": "-", "≤": "<=", "≥": ">=", "≠": "!=", "∞": "inf",
    "√": "sqrt",
}  # fmt: skip

_PIECES = {**GREEK, **MARKS, **SUBSCRIPTS}
_CODE = re.compile(r"[A-Za-z0-9_ \t\r\n+\-*/^@.,:=<>()\[\]|~\"$#!]")

#: Signs that no part of a spec may hold, comments and strings included.
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]|\r(?!\n)"
)


def ascii_name(name: str) -> str | None:
    """Return what `name` is in ASCII, None where a sign in it has no such meaning.

    >>> ascii_name("β₁"), ascii_name("m̂")
    ('beta1', 'mhat')
    """
    if name.isascii():
        return name
    pieces = []
    for sign in unicodedata.normalize("NFD", name):
        piece = sign if sign.isascii() else _PIECES.get(sign)
        if piece is None:
            return None
        pieces.append(piece)
    return "".join(pieces)


def belongs_in_code(sign: str) -> bool:
    """May `sign` stand in a spec outside its comments and strings?"""
    if _CODE.match(sign) or sign in OPERATORS or sign in SUPERSCRIPTS:
        return True
    return not sign.isascii() and ascii_name(sign) is not None


def describe(sign: str) -> str:
    """Return a way to show one sign, with its code point where it cannot be seen.

    >>> describe(";"), describe(chr(0))
    ('`;`', 'U+0000')
    """
    code = f"U+{ord(sign):04X}"
    if sign.isascii():
        return f"`{sign}`" if sign.isprintable() else code
    name = unicodedata.name(sign, "").lower()
    shown = f"`{sign}` " if sign.isprintable() and not unicodedata.combining(sign) else ""
    return f"{shown}({code}{', ' + name if name else ''})"

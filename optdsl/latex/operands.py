"""Which tokens may stand at the end of an operand, and what closes braces that say nothing."""

from __future__ import annotations

ENDS_OPERAND = frozenset(
    ("NUMBER", "LETTER", "GREEK", "WORD", "SIGN", "CLOSE", "END_CASES")
    + ("RPAR", "RBRACKET", "RSET", "RFLOOR", "RCEIL", "RANGLE", "RBAR", "RNORM")
)
#: What closes braces that say nothing, as those around a coloured summand.
LOOSE = "braces that say nothing"

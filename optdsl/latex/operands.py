"""Which tokens may stand at the end of an operand."""

from __future__ import annotations

ENDS_OPERAND = frozenset(
    ("NUMBER", "LETTER", "GREEK", "WORD", "SIGN", "CLOSE", "END_CASES")
    + ("RPAR", "RBRACKET", "RSET", "RFLOOR", "RCEIL", "RANGLE", "RBAR", "RNORM")
)

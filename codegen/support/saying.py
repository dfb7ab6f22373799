"""What a kernel says, whatever its module and its functions are called."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from optdsl.codegen.support.words import Entrywise, Word


def what_is_said(function: FunctionType) -> str | None:
    """Return what a function of a kernel says; None where that cannot be told from its text.

    Functions that say the same are compiled to the same code. Names of variables say nothing, and
    functions that it calls are known by what they say themselves.
    """
    code, known = function.__code__, function.__globals__
    meanings = [_meaning(known[name]) if name in known else name for name in code.co_names]
    if code.co_freevars or None in meanings:
        return None
    return repr((code.co_code, code.co_consts, code.co_argcount, meanings))


def _meaning(value: Any) -> str | None:
    match value:
        case Word(name):
            return f"the word {name}"
        case Entrywise(function):
            return what_is_said(function)
        case int() | float():
            return f"the number {value!r}"
    return None

"""The functions of the language."""

from __future__ import annotations

#: Functions of one argument or more, entry by entry, and the operator each is.
ELEMENTWISE: dict[str, tuple[str, int | None]] = {
    "abs": ("abs", 1),
    "sign": ("sign", 1),
    "sqrt": ("sqrt", 1),
    "exp": ("exp", 1),
    "log": ("log", 1),
    "cos": ("cos", 1),
    "floor": ("floor", 1),
    "finite": ("finite", 1),
    "mod": ("mod", 2),
    "min": ("min", None),
    "max": ("max", None),
}

#: Reductions and how many values each takes; `min` and `max` of one value reduce too.
REDUCTIONS: dict[str, int] = {
    "norm": 1, "sum": 1, "mean": 1, "rms": 1, "max": 1, "min": 1, "any": 1, "dot": 2,
}  # fmt: skip

#: Functions that make matrices.
MATRICES = frozenset({"eye", "matpow"})

#: What can be known of a tensor by a name alone.
FACTS = frozenset({"rows", "columns", "ndim", "size"})

#: What `~` draws from.
DISTRIBUTIONS = frozenset({"normal", "uniform"})

FUNCTIONS = frozenset(
    {*ELEMENTWISE, *REDUCTIONS, *MATRICES, *DISTRIBUTIONS, "given", "grad", "named"}
)

BINARY = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "^": "pow",
    "<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne",
    "and": "and", "or": "or",
}  # fmt: skip

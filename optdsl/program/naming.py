"""Readable names for numbers that no author named: `1 - beta1^t` is `one_minus_beta1_t`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from optdsl.model.expressions import (
    Apply,
    Clock,
    Constant,
    Expression,
    Kind,
    Matrix,
    Number,
    Reduce,
    Value,
)

LONGEST = 28
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_BETWEEN = {
    "add": "plus", "sub": "minus", "mul": "times", "div": "over", "lt": "below", "le": "at_most",
    "gt": "above", "ge": "at_least", "eq": "is", "ne": "is_not", "and": "and", "or": "or",
    "mod": "mod",
}  # fmt: skip


class Names:
    """Hands out names, each once."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def fresh(self, wish: str) -> str:
        """Return `wish`, or `wish_2` and so on where it is taken."""
        name, count = wish, 1
        while name in self._taken:
            count += 1
            name = f"{wish}_{count}"
        self._taken.add(name)
        return name

    def numbered(self, stem: str) -> str:
        """Return `stem_1`, `stem_2`, ..., the first that is free."""
        count = 1
        while f"{stem}_{count}" in self._taken:
            count += 1
        return self.fresh(f"{stem}_{count}")

    def describing(self, expression: Expression) -> str:
        """Return a name that says what `expression` is, or a numbered one if that is too long."""
        words = _describe(expression)
        if words is not None and len(words) <= LONGEST:
            return self.fresh(words)
        if not expression.kind.is_number:
            vector = expression.kind in (Kind.ROW, Kind.COLUMN)
            return self.numbered("vector" if vector else "matrix")
        return self.numbered("scalar" if expression.kind is Kind.STEP else "number")


def _describe(expression: Expression) -> str | None:
    match expression:
        case Number(value) if value.denominator == 1 and 0 <= value <= 10:
            return _DIGITS[int(value)]
        case Number():
            return None
        case Constant(name):
            return name
        case Clock(_, offset):
            return "t" if offset == 0 else f"t_plus_{offset}" if offset > 0 else None
        case Value(name, _, offset):
            word = re.sub(r"\W+", "_", name)
            return f"{'last_' if offset < 0 else 'next_' if offset > 0 else ''}{word}"
        case Reduce(operator, argument, _, None):
            return _joined(operator, _describe(argument))
        case Matrix("product", (left, right)):
            return _joined(_describe(left), "at", _describe(right))
        case Matrix("transpose", (argument,)):
            return _joined(_describe(argument), "turned")
        case Matrix("power", (argument, exponent)):
            return _joined(_describe(argument), "to_the", _describe(exponent))
        case Apply("pow", (base, exponent)):
            return _power(_describe(base), exponent)
        case Apply(operator, (left, right)) if operator in _BETWEEN:
            return _joined(_describe(left), _BETWEEN[operator], _describe(right))
        case Apply(operator, (argument,)):
            return _joined("minus" if operator == "neg" else operator, _describe(argument))
    return None


def _power(base: str | None, exponent: Expression) -> str | None:
    match exponent:
        case Clock(_, 0):
            return _joined(base, "t")
        case Number(value) if value == 2:
            return _joined(base, "squared")
    return _joined(base, "to_the", _describe(exponent))


def _joined(*words: str | None) -> str | None:
    known = [word for word in words if word is not None]
    return "_".join(known) if len(known) == len(words) else None

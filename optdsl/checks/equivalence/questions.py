"""Names of conditions that are not looked into: equal names, equal truth.

A comparison is named by the sign it asks for and by the factors of a difference, so that `a < b`,
`not a >= b` and `2*b > 2*a` have one name. Whether a condition is defined is told elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from optdsl.checks.equivalence.rationals import Key

#: What a condition asks: its first item says which form it has.
Question: TypeAlias = tuple[object, ...]

_TURNED = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
_NEGATED = {"lt": "ge", "ge": "lt", "le": "gt", "gt": "le", "eq": "ne", "ne": "eq"}


def compared(operator: str, difference: Key) -> Question:
    """Return how a difference compares with zero; its size does not count."""
    content, factors = difference
    if not content:
        return ("constant", "true" if operator in ("le", "ge", "eq") else "false")
    return ("sign", operator if content > 0 else _TURNED[operator], factors)


def negated(question: Question) -> Question:
    """Return the question with the other answer."""
    match question:
        case ("constant", name):
            return ("constant", "false" if name == "true" else "true")
        case ("sign", str(operator), factors):
            return ("sign", _NEGATED[operator], factors)
        case ("not", tuple() as inner):
            return inner
        case ("and" | "or" as operator, frozenset() as parts):
            return ("or" if operator == "and" else "and", frozenset(map(negated, parts)))
    return ("not", question)


def joined(operator: str, left: Question, right: Question) -> Question:
    """Return what asks both, or either; their order does not count."""
    parts: set[Question] = set()
    for each in (left, right):
        match each:
            case (same, frozenset() as inner) if same == operator:
                parts |= inner
            case _:
                parts.add(each)
    return (operator, frozenset(parts))


def answer(question: Question, told: Callable[[Question], bool]) -> bool:
    """Return the answer, from those that are told; some entry is of two sorts if one is of either.

    Raises:
        NeedTruth: by `told`, where an answer is not known.
    """
    match question:
        case ("constant", name):
            return name == "true"
        case ("not", tuple() as inner):
            return not answer(inner, told)
        case ("any", kind, ("or", frozenset() as parts)):
            return any(answer(("any", kind, part), told) for part in sorted(parts, key=repr))
        case ("and" | "or" as operator, frozenset() as parts):
            answers = (answer(part, told) for part in sorted(parts, key=repr))
            return all(answers) if operator == "and" else any(answers)
    return told(question)

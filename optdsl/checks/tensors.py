"""Conditions on tensors: can two hold of the same one?"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING

from optdsl.checks.equivalence.tensor_conditions import never_together
from optdsl.model.expressions import Apply, Constant, Expression, Fact, Number, walk

if TYPE_CHECKING:
    from optdsl.runtime.facts import Facts

_OPERATIONS: Mapping[str, Callable[..., float]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "neg": operator.neg,
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "eq": operator.eq, "ne": operator.ne, "not": operator.not_, "abs": abs, "min": min, "max": max,
    "and": lambda a, b: a and b, "or": lambda a, b: a or b, "floor": math.floor,
}  # fmt: skip


def exclude(one: Expression, other: Expression) -> bool:
    """Do two conditions exclude one another, for tensors of any shape and name?

    Comparisons of facts are added up: `ndim >= 2` is `not ndim < 2`, and `size` is
    `rows*columns`. What is not understood of a comparison counts as possible.

    >>> from optdsl.model.expressions import apply, number
    >>> matrix = apply("eq", Fact("ndim"), number(2))
    >>> exclude(matrix, apply("not", matrix))
    True
    """
    atoms = list(dict.fromkeys([*_atoms(one), *_atoms(other)]))
    if len(atoms) > MOST_ATOMS:
        return False
    for values in product((True, False), repeat=len(atoms)):
        truth = dict(zip(atoms, values, strict=True))
        if not (_holds(one, truth) and _holds(other, truth)):
            continue
        if not never_together(list(truth.items())):
            return False
    return True


#: More comparisons than these are not gone through.
MOST_ATOMS = 10


def _atoms(condition: Expression) -> Iterator[Expression]:
    """Yield the comparisons that a condition is made of."""
    match condition:
        case Apply("and" | "or" | "not", arguments):
            for argument in arguments:
                yield from _atoms(argument)
        case Constant("true" | "false"):
            pass
        case _:
            yield condition


def _holds(condition: Expression, truth: Mapping[Expression, bool]) -> bool:
    match condition:
        case Apply("and", (left, right)):
            return _holds(left, truth) and _holds(right, truth)
        case Apply("or", (left, right)):
            return _holds(left, truth) or _holds(right, truth)
        case Apply("not", (inner,)):
            return not _holds(inner, truth)
        case Constant(name):
            return name == "true"
    return truth[condition]


def could_hold(one: Expression, other: Expression) -> bool:
    """Is there a tensor of several entries of which both hold? Only if one is found."""
    return any(
        facts.size > 1 and holds(one, facts) and holds(other, facts)
        for facts in _tensors(one, other)
    )


def holds(condition: Expression, facts: Facts) -> bool:
    """Does a condition hold of a tensor? Not where it cannot be told."""
    try:
        return bool(_value(condition, facts))
    except (KeyError, ArithmeticError, ValueError):
        return False


def _value(node: Expression, facts: Facts) -> float:
    match node:
        case Number(value):
            return float(value)
        case Constant(name):
            return {"true": 1.0, "false": 0.0, "inf": math.inf, "pi": math.pi}[name]
        case Fact("named", pattern):
            return facts.named(pattern or "")
        case Fact(name):
            return float(getattr(facts, name))
        case Apply("div", (left, right)):
            return _value(left, facts) / _value(right, facts)
        case Apply("pow", (left, right)):
            return float(_value(left, facts) ** _value(right, facts))
        case Apply(name, arguments):
            return float(_OPERATIONS[name](*(_value(each, facts) for each in arguments)))
    raise KeyError(node)


def _tensors(*conditions: Expression) -> Iterator[Facts]:
    """Yield tensors of shapes and names near what the conditions speak of."""
    from optdsl.runtime.facts import Facts  # with which NumPy is loaded

    nodes = [node for condition in conditions for node in walk(condition)]
    numbers = {1, 2, 3, 5}
    for node in nodes:
        if isinstance(node, Number) and 0 < node.value < 10**9:
            numbers |= {max(1, int(node.value) + by) for by in (-1, 0, 1)}
    patterns = {node.pattern for node in nodes if isinstance(node, Fact) and node.pattern}
    names = ["w", *(p.replace("*", "x").replace("?", "x") for p in sorted(patterns))]
    names += ["".join(p.replace("*", "") for p in sorted(patterns))] if len(patterns) > 1 else []
    sizes = sorted(numbers)
    shapes: list[tuple[int, ...]] = [(), *((n,) for n in sizes), *product(sizes, sizes)]
    shapes += [(2, 3, 2), (3, 1, 2, 2), (2, 2, 2, 2, 2)]
    yield from (Facts(shape, name) for shape in shapes for name in names)

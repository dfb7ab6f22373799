"""The proof that an entry with a zero gradient stays as it is, from ranges of values.

The gradient of one entry is supposed to be 0, which says nothing of what a reduction takes in. Then
theta and each state must be what they were, and what a transform gives must be 0.
"""

from __future__ import annotations

from collections.abc import Sequence

from optdsl.checks.ranges import intervals as of
from optdsl.checks.ranges.intervals import Empty
from optdsl.checks.ranges.reading import NotProved, Reader
from optdsl.checks.ranges.throughout import WORK, defined_throughout, worlds
from optdsl.checks.ranges.world import Mixing, mixing_in
from optdsl.model.expressions import Apply, Expression, Kind, Value, children
from optdsl.model.system import System


def read_where_still(system: System, kept: Sequence[str]) -> list[Mixing] | None:
    """Return the reductions and operations on matrices that read entries with a zero gradient.

    None where it is not proved that every value is defined, and that such entries stay as they are.

    Args:
        system: the rule.
        kept: the states that an entry has, theta among those of an optimizer.
    """
    found = worlds(system)
    if found is None or not defined_throughout(system):
        return None
    given = [name for name in system.outputs if name != "theta"]
    reads: dict[Mixing, None] = {}
    try:
        for world in found:
            reader = Reader(world, [WORK])
            for asked in system.gradients:
                reader.learn(Value(asked.name, Kind.ENTRY), of.NULL)
            if not all(_is_before(reader, _value(system, name), name) for name in kept):
                return None
            if not all(_is_null(reader, _value(system, name)) for name in given):
                return None
            reads |= dict.fromkeys(r for r in mixing_in(system) if not _spares(reader, r))
    except (NotProved, Empty, RecursionError):
        return None
    return list(reads)


def _value(system: System, name: str) -> Value:
    return Value(name, system.equation(name).kind)


def _is_null(reader: Reader, expression: Expression) -> bool:
    return reader.interval(expression) == of.NULL


def _is_before(reader: Reader, expression: Expression, name: str) -> bool:
    """Is a value what `name` was before the step?"""
    match expression:
        case Value(read, _, -1) if read == name:
            return True
        case Value(read, _, 0) if read in reader.world.equations:
            return _is_before(reader, reader.world.equations[read], name)
        case Apply("add", (left, right)):
            return (_is_null(reader, right) and _is_before(reader, left, name)) or (
                _is_null(reader, left) and _is_before(reader, right, name)
            )
        case Apply("sub", (left, right)):
            return _is_null(reader, right) and _is_before(reader, left, name)
        case Apply("select", (condition, value, otherwise)):
            return all(
                _is_before_if(reader, condition, truth, value if truth else otherwise, name)
                for truth in reader.holds(condition)
            )
    return False


def _is_before_if(
    reader: Reader, condition: Expression, truth: bool, value: Expression, name: str
) -> bool:
    try:
        return _is_before(reader.assuming(condition, truth), value, name)
    except Empty:  # the condition never has this answer
        return True


def _spares(reader: Reader, mixing: Mixing) -> bool:
    """Does an entry with a zero gradient add nothing to what is made of several?"""
    if mixing.operator in ("any", "max", "min", "power"):
        return False
    try:
        return any(_is_null(reader, factor) for factor in children(mixing))
    except NotProved:  # it stands in a branch that makes it defined
        return False

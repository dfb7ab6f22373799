"""Which number t has in the first step: 1, unless the starts of a document say that it is 0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from optdsl.language import syntax
from optdsl.latex import trees
from optdsl.latex.equations import SourceEquation
from optdsl.latex.problems import refuse
from optdsl.latex.timing import Target, place_of, printed

_TURNED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
#: Comparisons with t that always come out the same where it begins at 1.
_SAYS_ZERO = {
    syntax.Number("0"): ("==", "!=", "<", ">", "<=", ">="),
    syntax.Number("1"): ("<", ">="),
}
_AHEAD = syntax.Binary("+", syntax.Name("t"), syntax.Number("1"))


def from_first(
    equations: Sequence[SourceEquation],
    starts: Sequence[SourceEquation],
    targets: Mapping[str, Target],
) -> list[SourceEquation]:
    """Return the equations with t as it counts the steps from 1.

    With `m_0 = 0`, `m_{t+1} = ...` is first made at t = 0, and `1 - \\\\beta^{t+1}` is 1 - beta^t;
    with `m_1 = 0` at t = 1. Raises DiagnosticError where all is set at `t + 1`, `t + 1` itself is
    read, and no start says which is meant.
    """
    ahead = [node for one in equations for node in trees.within(one.value) if node == _AHEAD]
    if not any(_reads_clock(one.value) for one in equations):
        return list(equations)
    firsts = dict(_firsts(starts, targets))
    if set(firsts) == {0}:
        return [replace(one, value=_later(one.value)) for one in equations]
    _check_zero(equations)
    made = _made(equations, targets)
    if made == {1} and len(firsts) == 2:
        first, second = firsts[0], firsts[1]
        message = f"`{printed(first)}` says that t is 0 in the first step, `{printed(second)}` 1"
        place = second.span or place_of(equations[0])
        raise refuse("latex-clock", message, place, "let all starts stand at one time")
    if ahead and not firsts and made == {1}:
        place = ahead[0].span or place_of(equations[0])
        hint = "say where something starts, as in `m_0 = 0`"
        raise refuse("latex-clock", "is t 0 or 1 in the first step?", place, hint)
    return list(equations)


def _made(equations: Sequence[SourceEquation], targets: Mapping[str, Target]) -> set[int | None]:
    """When are the values made whose past is read? Others, as a look-ahead point, tell nothing."""
    past = {
        name.name
        for one in equations
        for name, _ in trees.names_in(one.value)
        if (target := targets.get(name.name)) is not None
        if (trees.offset_of(name) or 0) < (target.offset or 0)
    }
    offsets = {name: target.offset for name, target in targets.items()}
    return {offset for name, offset in offsets.items() if name in past and name != "g"}


def _check_zero(equations: Sequence[SourceEquation]) -> None:
    """`t = 0` never holds where t counts the steps from 1."""
    clock = syntax.Name("t")
    for one in equations:
        for node in trees.within(one.value):
            if not (isinstance(node, syntax.Binary) and clock in (node.left, node.right)):
                continue
            other = node.right if node.left == clock else node.left
            sign = node.operator if node.left == clock else _TURNED.get(node.operator, "")
            if isinstance(other, syntax.Number) and sign in _SAYS_ZERO.get(other, ()):
                hint = "say where something starts, as in `m_0 = 0`"
                message = "is t 0 or 1 in the first step?"
                raise refuse("latex-clock", message, node.span or place_of(one), hint)


def _reads_clock(value: syntax.Expression) -> bool:
    return any(name == syntax.Name("t") for name, _ in trees.names_in(value))


def _firsts(
    starts: Sequence[SourceEquation], targets: Mapping[str, Target]
) -> Iterator[tuple[int, syntax.Name]]:
    """Yield what t is where each name that has a start is first made, and that start."""
    for start in starts:
        for target in start.targets:
            made, number = targets.get(target.name), trees.number_of(target)
            if made is None or made.offset is None or number is None:
                continue
            first = number + 1 - made.offset
            if first in (0, 1):
                yield first, target


def _later(value: syntax.Expression) -> syntax.Expression:
    """Read t as t - 1, and `t + 1` as t."""
    clock, one = syntax.Name("t"), syntax.Number("1")

    def change(node: syntax.Expression) -> syntax.Expression | None:
        if node == _AHEAD:
            return replace(clock, span=node.span)
        if node == clock:
            return syntax.Binary("-", clock, one, span=node.span)
        if isinstance(node, syntax.Name):
            return node  # its index is a time of its own
        return None

    return trees.replace_within(value, change)

"""Assignments to one name, one after the other: each but the last gets a name of its own.

`X := G/\\|G\\|` and then `X := a X + B X` in a loop are values of one step. What reads X reads
the one that was set last above it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from optdsl.language import syntax
from optdsl.latex import trees
from optdsl.latex.equations import SourceEquation
from optdsl.latex.problems import refuse
from optdsl.latex.timing import place_of, printed


def apart(equations: Sequence[SourceEquation], parameter: str) -> list[SourceEquation]:
    """Return the equations with a name for each value of what is assigned more than once.

    Raises DiagnosticError where a value is never read, or where the next step reads what an
    earlier one set and it could be either value: papers that overwrite `m_t` by its corrected
    value mean the other one by `m_{t-1}`. Of the parameter it is always the last.
    """
    counts = Counter(
        target.name for equation in equations if _sets(equation) for target in equation.targets
    )
    often = {
        name
        for name, count in counts.items()
        if count > 1
        and all(_sets(one) for one in equations if name in {t.name for t in one.targets})
    }
    if not often:
        return list(equations)
    taken = {name.name for one in equations for name, _ in trees.names_in(one.value)} | {*counts}
    line = _Line(often, dict(counts), taken, parameter)
    written = [line.read(equation) for equation in equations]
    line.check_read()
    return written


def _sets(equation: SourceEquation) -> bool:
    """Does it assign a value of this step?"""
    numbered = any(trees.number_of(target) is not None for target in equation.targets)
    return equation.assignment and equation.role == "equation" and not numbered


_UNREAD = "nothing reads what the first one sets: read it here, or leave one of them out"


@dataclass
class _Line:
    """Where we are: which value of each name was set last."""

    often: set[str]
    counts: dict[str, int]
    taken: set[str]
    parameter: str
    last: dict[str, str] = field(default_factory=dict)
    times: dict[str, int | None] = field(default_factory=dict)
    unread: dict[str, SourceEquation] = field(default_factory=dict)

    def read(self, equation: SourceEquation) -> SourceEquation:
        if not _sets(equation):
            return replace(equation, value=self._value(equation))
        (first, *_) = equation.targets
        if first.name in self.often and not _covers(equation.value):
            if first.name not in self.last and first.indices:
                message = "what is this where the condition does not hold?"
                raise refuse("latex-twice", message, place_of(equation), "give an `\\Else`")
            equation = replace(equation, value=_covering(equation.value, first))
        value = self._value(equation)
        targets = tuple(self._set(target, equation) for target in equation.targets)
        return replace(equation, targets=targets, value=value)

    def _value(self, equation: SourceEquation) -> syntax.Expression:
        def change(name: syntax.Name, _: bool) -> syntax.Expression:
            if name.name not in self.often or trees.number_of(name) is not None:
                return name
            now = self.last.get(name.name)
            offset = trees.offset_of(name)
            if now is not None and offset == self.times[name.name]:
                self.unread.pop(now, None)
                return replace(name, name=now)
            if name.name != self.parameter:
                message = (
                    f"`{name.name}` is set more than once in a step; "
                    f"which of its values is `{printed(name)}`?"
                )
                hint = "give each value a name of its own, as in `\\hat{m}_t`"
                raise refuse("latex-twice", message, name.span or place_of(equation), hint)
            return name

        return trees.rewrite(equation.value, change)

    def _set(self, target: syntax.Name, equation: SourceEquation) -> syntax.Name:
        name = target.name
        if name not in self.often:
            return target
        before, offset = self.last.get(name), trees.offset_of(target)
        alone = name == self.parameter and offset is None and not equation.line
        if before is not None and alone:
            message = f"`{name}` moves twice; is this a second step, or another rule?"
            hint = (
                "write both steps as one equation, or as lines of an algorithm; or choose with --eq"
            )
            raise refuse("latex-twice", message, target.span or place_of(equation), hint)
        if before in self.unread or self.times.setdefault(name, offset) != offset:
            message = f"a second equation for `{name}`"
            raise refuse("latex-twice", message, target.span or place_of(equation), _UNREAD)
        self.counts[name] -= 1
        now = self._fresh(name) if self.counts[name] else name
        self.last[name] = now
        if now != name:
            self.unread[now] = equation
        return replace(target, name=now)

    def _fresh(self, name: str) -> str:
        number = 1
        while (version := f"{name}_v{number}") in self.taken:
            number += 1
        self.taken.add(version)
        return version

    def check_read(self) -> None:
        """Each value but the last must be read before the next is set."""
        for equation in self.unread.values():
            message = f"a second equation for `{equation.targets[0].name}`"
            raise refuse("latex-twice", message, place_of(equation), _UNREAD)


def _covers(value: syntax.Expression) -> bool:
    while isinstance(value, syntax.Conditional):
        if value.otherwise is None:
            return False
        value = value.otherwise
    return True


def _covering(value: syntax.Expression, before: syntax.Name) -> syntax.Expression:
    """`x = a if p` keeps, where p fails, the value that x has then."""
    if not isinstance(value, syntax.Conditional):
        return value
    otherwise = before if value.otherwise is None else _covering(value.otherwise, before)
    return replace(value, otherwise=otherwise)

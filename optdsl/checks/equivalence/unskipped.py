"""Rules that skip steps, as rules that take every step and keep what they have in some.

In a step that is skipped, all states of the parts to the right stay as they were, theta among them,
and these parts' clocks stand still. A clock that may stand still is a state; a condition that
is undefined leaves all that depends on it undefined.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from optdsl.checks.equivalence.question import HANDED_ON, Question
from optdsl.checks.equivalence.sides import inline
from optdsl.model.expressions import (
    Clock,
    Expression,
    Fact,
    Kind,
    Value,
    apply,
    number,
    transform,
)
from optdsl.model.system import Equation, State, System


def unskipped(question: Question) -> Question:
    """Return the question with both systems taking every step, where they can be written so."""
    systems = (question.ours, question.theirs)
    if not any(system.skips for system in systems):
        return question
    if not all(_can_be_written(system) for system in systems):
        return question
    ours, theirs = (_Unskipped(system).system() for system in systems)
    return replace(question, ours=ours, theirs=theirs)


def _can_be_written(system: System) -> bool:
    """Does all that is asked for and handed in belong to the part that never rests?"""
    outer = [*(asked.part for asked in system.gradients), *(i.part for i in system.handed_in)]
    states = {state.name for state in system.states}
    given = system.family == "transform" and any(name in states for name in system.outputs)
    return not given and not any(outer)


@dataclass
class _Unskipped:
    """One system, and what it becomes."""

    old: System
    kinds: dict[int, Kind] = field(default_factory=dict)  # of the parts that may rest

    def __post_init__(self) -> None:
        kind = Kind.STEP
        for skip in sorted(self.old.skips, key=lambda skip: skip.part):
            kind = kind.join(skip.condition.kind)
            self.kinds[skip.part + 1] = kind

    def system(self) -> System:
        """Return the system that takes every step."""
        old = self.old
        evaluation = None if old.evaluation is None else self._after(old.evaluation)
        changed = replace(
            old,
            states=(*old.states, *(self._clock_state(part) for part in self.kinds)),
            equations=tuple(self._equations()),
            skips=(),
            evaluation=evaluation,
        )
        return self._handing_on(changed) if old.family == "transform" else changed

    def _equations(self) -> list[Equation]:
        memories = {state.name: state.kind for state in self.old.states} | {"theta": Kind.ENTRY}
        facts = {state.name for state in self.old.states if isinstance(state.start, Fact)}
        found = []
        for part in range(self.old.parts):
            if part in self.kinds:
                found += [self._going_on(part), self._clock_equation(part)]
            for equation in self.old.equations:
                if equation.part == part:
                    value = self._before(equation.value)
                    if part in self.kinds and equation.name in memories.keys() - facts:
                        kept = Value(equation.name, memories[equation.name], -1)
                        value = apply("select", self._goes_on(part), value, kept)
                    found.append(replace(equation, value=value, part=0))
        return found

    # -------------------------------------------------------------- conditions

    def _goes_on(self, part: int) -> Value:
        return Value(f"goes on({part})", self.kinds[part])

    def _going_on(self, part: int) -> Equation:
        """A part takes a step where no skip before it holds; the first that does ends the step."""
        (skip,) = (skip for skip in self.old.skips if skip.part == part - 1)
        value: Expression = apply("not", self._before(skip.condition))
        if part - 1 in self.kinds:
            value = apply("and", self._goes_on(part - 1), value)
        return Equation(self._goes_on(part).name, value)

    def _handing_on(self, system: System) -> System:
        """Give 0 in place of what is not handed on, and tell which it is."""
        given: Expression = number(1)
        equations = []
        for equation in system.equations:
            value = equation.value
            if self.kinds and equation.name in system.outputs:
                value = apply("select", self._goes_on(max(self.kinds)), value, number(0))
            equations.append(replace(equation, value=value))
        if self.kinds:
            given = apply("select", self._goes_on(max(self.kinds)), number(1), number(0))
        equations.append(Equation(HANDED_ON, given))
        return replace(system, equations=tuple(equations), outputs=(*system.outputs, HANDED_ON))

    # ------------------------------------------------------------------ clocks

    def _clock(self, part: int, offset: int) -> Value:
        return Value(f"steps({part})", self.kinds[part], offset)

    def _clock_state(self, part: int) -> State:
        return State(self._clock(part, 0).name, self.kinds[part], number(0))

    def _clock_equation(self, part: int) -> Equation:
        before = self._clock(part, -1)
        value = apply("select", self._goes_on(part), apply("add", before, number(1)), before)
        return Equation(before.name, value)

    def _before(self, expression: Expression) -> Expression:
        """Return an expression of a step, in which a clock is one more than it was."""
        return self._timed(expression, -1)

    def _after(self, expression: Expression) -> Expression:
        """Return an expression of what there is after a step, whether it was taken or not."""
        equations = {equation.name: equation.value for equation in self.old.equations}
        states = {state.name for state in self.old.states} | {"theta"}
        return self._timed(inline(expression, equations, states), 0)

    def _timed(self, expression: Expression, offset: int) -> Expression:
        def change(node: Expression) -> Expression | None:
            match node:
                case Clock(part, shift) if part in self.kinds:
                    return _plus(self._clock(part, offset), shift - offset)
            return None

        return transform(expression, change)


def _plus(value: Expression, added: int) -> Expression:
    return apply("add", value, number(added)) if added else value

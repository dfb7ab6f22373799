"""The point where training began, for both sides where one keeps it."""

from __future__ import annotations

from dataclasses import replace

from optdsl.checks.equivalence.question import Question
from optdsl.checks.equivalence.sides import kept_states
from optdsl.model.expressions import Kind, Value
from optdsl.model.system import Equation, State, System


def with_start(question: Question) -> Question:
    """Return the question with `theta[0]` kept on both sides, where it is on one.

    So what one side sums up may be what the other has moved since: `theta[0] - theta[t]`.
    """
    ours, theirs = (_kept(system) for system in (question.ours, question.theirs))
    if ours is not None and theirs is None:
        return replace(question, theirs=_keeping(question.theirs, ours))
    if theirs is not None and ours is None:
        return replace(question, ours=_keeping(question.ours, theirs))
    return question


def _kept(system: System) -> str | None:
    """Return the state that is theta[0] at every step."""
    kept = kept_states(system)
    starts = [s.name for s in system.states if s.start == Value("theta", Kind.ENTRY, -1)]
    return next((name for name in starts if name in kept), None)


def _keeping(system: System, name: str) -> System:
    taken = {e.name for e in system.equations} | {h.name for h in system.hyperparameters}
    if system.family != "optimizer" or name in taken:
        return system
    state = State(name, Kind.ENTRY, Value("theta", Kind.ENTRY, -1))
    equation = Equation(name, Value(name, Kind.ENTRY, -1))
    return replace(system, states=(*system.states, state), equations=(*system.equations, equation))

"""A comparison turned round: their system first, in our vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from optdsl.checks.equivalence.question import Question, shifted
from optdsl.model.expressions import Expression, Value, transform, values
from optdsl.model.system import System


def reversed_question(question: Question) -> Question | None:
    """Return the question whether theirs is ours, or None where it cannot be put.

    Their hyperparameters are replaced by what they are in our names, so that both
    systems have ours.
    """
    hypers = {h.name for h in question.ours.hyperparameters}
    if question.hints():
        return None
    for value in (*question.mapping.values(), *question.fixed.values()):
        if any(read.name not in hypers for read in values(value)):
            return None
    free = tuple(h for h in question.ours.hyperparameters if h.name not in question.fixed)
    ours = replaced(question.ours, question.fixed)
    mapping = {name: put(value, question.fixed) for name, value in question.mapping.items()}
    theirs = replaced(_renamed(question.theirs, hypers), {**question.fixed, **mapping})
    return Question(
        replace(theirs, hyperparameters=free),
        replace(ours, hyperparameters=free),
        question.constant,
    )


def _renamed(system: System, taken: set[str]) -> System:
    """Rename what a system defines where a hyperparameter of ours has the name."""
    own = [e.name for e in system.equations] + [s.name for s in system.states]
    names = {name: f"{name}'" for name in own if name in taken}

    def change(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.name in names:
            return replace(node, name=names[node.name])
        return None

    changed = rewritten(system, lambda expression: transform(expression, change))
    return replace(
        changed,
        states=tuple(replace(s, name=names.get(s.name, s.name)) for s in changed.states),
        equations=tuple(replace(e, name=names.get(e.name, e.name)) for e in changed.equations),
        outputs=tuple(names.get(name, name) for name in changed.outputs),
    )


def replaced(system: System, by: Mapping[str, Expression]) -> System:
    """Put expressions in place of the hyperparameters of a system."""
    own = {e.name for e in system.equations} | {s.name for s in system.states}
    by = {name: value for name, value in by.items() if name not in own}
    return rewritten(system, lambda expression: put(expression, by))


def put(expression: Expression, by: Mapping[str, Expression]) -> Expression:
    """Put expressions in place of names, at the step at which these are read."""

    def change(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.name in by:
            return shifted(by[node.name], node.offset)
        return None

    return transform(expression, change)


def rewritten(system: System, change: Callable[[Expression], Expression]) -> System:
    """Apply a change to every expression of a system."""
    return replace(
        system,
        states=tuple(
            replace(s, start=None if s.start is None else change(s.start)) for s in system.states
        ),
        equations=tuple(replace(e, value=change(e.value)) for e in system.equations),
        gradients=tuple(
            replace(g, point=None if g.point is None else change(g.point)) for g in system.gradients
        ),
        skips=tuple(replace(s, condition=change(s.condition)) for s in system.skips),
        evaluation=None if system.evaluation is None else change(system.evaluation),
    )

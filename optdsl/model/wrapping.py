"""Rules handed to rules: `inner(x)` is the point that a rule steps to from x."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from optdsl.diagnostics import Span, did_you_mean
from optdsl.model.expressions import Expression, Kind, Step, Value, transform, values, walk
from optdsl.model.merging import draws_behind, everywhere, in_order, names_of, rename
from optdsl.model.problems import Problems
from optdsl.model.system import Equation, Gradient, Hyperparameter, System

THETA_BEFORE = Value("theta", Kind.ENTRY, -1)


def hand_in(
    system: System, rules: Mapping[str, System], span: Span | None, problems: Problems
) -> System:
    """Return `system` with the steps of the rules handed to it written out.

    Each rule becomes equations of the whole: its theta[t-1] is the point it steps
    from, its gradients are taken relative to that point or, where one is handed
    to it, are that one.
    """
    for parameter, rule in rules.items():
        steps = list(dict.fromkeys(_steps(system, parameter)))
        if len(steps) > 1:
            problems.error(
                "stepped-twice",
                f"`{parameter}` steps twice within a step, from or with different values",
                span,
                "a rule has one state, so it takes one step: name its result and read that twice",
            )
        elif _fits(system, rule, parameter, steps, span, problems):
            system = _written_out(system, parameter, rule, steps)
    return system


def _with_fed(rule: System) -> tuple[Hyperparameter, ...]:
    """Return the hyperparameters of a rule, and those that schedules give."""
    return (*rule.hyperparameters, *(fed.hyperparameter for fed in rule.fed))


def _steps(system: System, parameter: str) -> list[Step]:
    bodies: list[Expression] = [equation.value for equation in system.equations]
    bodies += [gradient.point for gradient in system.gradients if gradient.point is not None]
    return [
        node
        for body in bodies
        for node in walk(body)
        if isinstance(node, Step) and node.rule == parameter
    ]


def _hyperparameters_read(system: System, parameter: str) -> set[str]:
    start = f"{parameter}."
    bodies = [equation.value for equation in system.equations]
    bodies += [gradient.point for gradient in system.gradients if gradient.point is not None]
    read = {value.name for body in bodies for value in values(body)}
    return {name.removeprefix(start) for name in read if name.startswith(start)}


def _fits(
    system: System,
    rule: System,
    parameter: str,
    steps: list[Step],
    span: Span | None,
    problems: Problems,
) -> bool:
    if rule.skips:
        problems.error(
            "not-yet-compiled",
            f"`{rule.name}` skips steps; such rules are not compiled within another yet",
            span,
        )
        return False
    known = {h.local_name for h in _with_fed(rule)}
    for name in sorted(_hyperparameters_read(system, parameter) - known):
        problems.error(
            "unknown-hyperparameter",
            f"`{rule.name}`, handed in as `{parameter}`, has no hyperparameter `{name}`",
            span,
            did_you_mean(name, known),
        )
        return False
    handed = any(step.gradient is not None for step in steps)
    points = [gradient.point for gradient in rule.gradients]
    if handed and points != [THETA_BEFORE] and points:
        problems.error(
            "gradient-handed-in",
            f"`{parameter}` is handed its gradient, but `{rule.name}` says where its own is taken",
            span,
            "hand in a rule that takes one gradient, at theta[t-1]",
        )
        return False
    if rule.evaluation is not None and system.evaluation is None and not _moves_as(system, steps):
        problems.error(
            "bad-evaluation",
            f"`{rule.name}`, handed in as `{parameter}`, says where the model is evaluated, "
            f"and `{system.name}` moves theta on from there",
            span,
            f"say it in `{system.name}` too, as in `evaluate theta[t]`",
        )
        return False
    if handed and rule.losses and _asked_by(system, steps[0]) is None:
        problems.error(
            "gradient-handed-in",
            f"`{parameter}` is handed its gradient, and `{rule.name}` reads the loss at the point "
            "where that was taken, which is not known",
            span,
            "hand it what `grad` gives, as it is, or nothing",
        )
        return False
    return True


def _moves_as(system: System, steps: list[Step]) -> bool:
    """Is theta[t] just where the rule that is handed in steps to?"""
    moved = next((e.value for e in system.equations if e.name == "theta"), None)
    return not steps or moved == steps[0]


def _evaluation(system: System, rule: System, reached: Value) -> Expression | None:
    """Return where the model is evaluated: where the whole says or, else, where the rule does."""
    if rule.evaluation is None or system.evaluation is not None:
        return system.evaluation
    theta = Value("theta", Kind.ENTRY)
    return transform(rule.evaluation, lambda node: theta if node == reached else None)


def _asked_by(system: System, step: Step) -> Gradient | None:
    """Return the gradient that a step is handed, where it is one just as it was asked for."""
    handed = step.gradient
    return next((g for g in system.gradients if Value(g.name, Kind.ENTRY) == handed), None)


def _with_handed_loss(system: System, rule: System, step: Step) -> tuple[System, System]:
    """Let a rule that is handed a gradient read the loss that came with it."""
    asked = _asked_by(system, step)
    if asked is None or not rule.losses:
        return system, rule
    own = next(iter(rule.losses))
    if asked.loss is not None:
        return system, rename(rule, {own: asked.loss})
    known = tuple(replace(g, loss=own) if g is asked else g for g in system.gradients)
    return replace(system, gradients=known), rule


def _written_out(system: System, parameter: str, rule: System, steps: list[Step]) -> System:
    rule = _apart(rule, system, parameter)
    names = {f"{parameter}.{h.local_name}": h.name for h in _with_fed(rule)}
    system = rename(system, names)
    if not steps:
        return replace(system, hyperparameters=(*system.hyperparameters, *_with_fed(rule)))
    step = _with_names(steps[0], names)
    assert isinstance(step, Step)
    system, rule = _with_handed_loss(system, rule, step)
    step, arguments = _named_arguments(step, names_of(system) | names_of(rule))
    rule = _stepping_from(rule, step)
    reached = Value(rule.outputs[0], Kind.ENTRY)
    system = everywhere(
        system, lambda node: reached if isinstance(node, Step) and node.rule == parameter else None
    )
    evaluation = _evaluation(system, rule, reached)
    gradients, same = _joined(system.gradients, rule.gradients)
    equations = rename(replace(rule, gradients=()), same).equations
    ordered, asked = in_order((*system.equations, *arguments, *equations), gradients)
    return replace(
        system,
        hyperparameters=(*system.hyperparameters, *rule.hyperparameters),
        states=(*system.states, *rename(rule, same).states),
        equations=ordered,
        gradients=asked,
        evaluation=evaluation,
        fed=(*system.fed, *rule.fed),
        parameters=system.parameters or rule.parameters,
        source="\n\n".join(dict.fromkeys((system.source, rule.source))),
    )


def _named_arguments(step: Step, taken: set[str]) -> tuple[Step, tuple[Equation, ...]]:
    """Give what a rule steps from and is handed names of their own, where they have none."""
    equations = []

    def named(argument: Expression, what: str) -> Expression:
        if isinstance(argument, Value):
            return argument
        name = f"{step.rule}_{what}"
        while name in taken:
            name += "_"
        equations.append(Equation(name, argument))
        return Value(name, argument.kind)

    point = named(step.point, "from")
    gradient = None if step.gradient is None else named(step.gradient, "gradient")
    return replace(step, point=point, gradient=gradient), tuple(equations)


def _with_names(expression: Expression, names: Mapping[str, str]) -> Expression:
    """Return `expression` with values renamed."""

    def change(node: Expression) -> Expression | None:
        if isinstance(node, Value) and node.name in names:
            return replace(node, name=names[node.name])
        return None

    return transform(expression, change)


def _apart(rule: System, system: System, parameter: str) -> System:
    """Rename what `rule` shares with `system`, its gradients and its theta[t]."""
    taken = names_of(system) | names_of(rule)
    changes = {}
    for name in sorted(names_of(rule) & (names_of(system) | {"theta", "g"})):
        new = f"{parameter}_{name}"
        while new in taken:
            new += "_"
        taken.add(new)
        changes[name] = new
    apart = everywhere(rule, lambda node: _FROM if node == THETA_BEFORE else None)
    return draws_behind(rename(apart, changes), system)


#: Stands for theta[t-1] of the inner rule until the point that it steps from is put there.
_FROM = Value("theta before the inner step", Kind.ENTRY, -1)


def _stepping_from(rule: System, step: Step) -> System:
    """Return `rule` with the point it steps from, and with the gradient it is handed."""
    given = {gradient.name for gradient in rule.gradients} if step.gradient is not None else set()

    def change(node: Expression) -> Expression | None:
        if node == _FROM:
            return step.point
        if isinstance(node, Value) and node.name in given and node.offset == 0:
            return step.gradient
        return None

    starts = {state.name: state.start for state in rule.states}
    moved = everywhere(rule, change)
    states = tuple(replace(state, start=_at_start(starts[state.name])) for state in moved.states)
    gradients = () if step.gradient is not None else moved.gradients
    known = {f.hyperparameter.name: f.starts for f in rule.fed}
    fed = tuple(
        replace(f, starts=tuple((n, _begun(s)) for n, s in known[f.hyperparameter.name]))
        for f in moved.fed
    )
    return replace(moved, states=states, gradients=gradients, fed=fed)


def _at_start(start: Expression | None) -> Expression | None:
    return None if start is None else _begun(start)


def _begun(start: Expression) -> Expression:
    return transform(start, lambda node: THETA_BEFORE if node == _FROM else None)


def _joined(
    ours: tuple[Gradient, ...], theirs: tuple[Gradient, ...]
) -> tuple[tuple[Gradient, ...], dict[str, str]]:
    """Join gradients; those at the same point are one. Returns them, and new names for `theirs`."""
    joined = list(ours)
    same: dict[str, str] = {}
    for asked in theirs:
        point = None if asked.point is None else _with_names(asked.point, same)
        gradient = replace(asked, point=point)
        twin = next((known for known in joined if known.point == gradient.point), None)
        if twin is not None:
            same[gradient.name] = twin.name
            if gradient.loss is not None and twin.loss is None:
                joined[joined.index(twin)] = replace(twin, loss=gradient.loss)
            elif gradient.loss is not None and twin.loss is not None:
                same[gradient.loss] = twin.loss
        elif not joined:
            same[gradient.name] = "g"
            joined.append(replace(gradient, name="g"))
        else:
            joined.append(gradient)
    return tuple(joined), same

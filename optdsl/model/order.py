"""The order in which the values of one step can be computed."""

from __future__ import annotations

from collections.abc import Iterable

from optdsl.language import syntax
from optdsl.model.declarations import Declarations
from optdsl.model.equations import Typed
from optdsl.model.expressions import Expression, Kind, Value, values
from optdsl.model.merging import needs_now
from optdsl.model.problems import Problems
from optdsl.model.reading import names_read
from optdsl.model.system import Equation, Gradient, given


def dependency_order(
    declared: Declarations, typed: Typed, outputs: tuple[str, ...], problems: Problems
) -> tuple[tuple[Equation, ...], tuple[Gradient, ...]]:
    """Return the equations and gradients that the outputs need, each after what it reads.

    The author's order is kept where it can be. A value that needs itself
    within the same step is a problem.
    """
    bodies: dict[str, Expression | None] = {**typed.rules, **typed.helpers, **typed.points}
    if typed.names.loss_of is not None:  # the loss comes with its gradient
        bodies["loss"] = Value(typed.names.loss_of, Kind.ENTRY)
    read = [body for body in (typed.skip, typed.evaluation) if body is not None]
    wanted = _reachable(bodies, [*outputs, *_claimed(declared)], read)
    waiting = [name for name in bodies if name in wanted]
    done: list[str] = []
    while waiting:
        ready = next((n for n in waiting if needs_now(bodies[n], bodies) <= set(done)), None)
        if ready is None:
            _report_cycle(waiting, bodies, declared, problems)
            break
        waiting.remove(ready)
        done.append(ready)
    equations = []
    for name in done:
        body = bodies[name]
        if name not in typed.points and name != "loss" and body is not None:
            rule = declared.rules.get(name)
            doc, span = (rule.doc, rule.span) if rule else (None, None)
            equations.append(Equation(name, body, doc=doc, span=span))
    carrier = typed.names.loss_of if "loss" in done else None
    gradients = tuple(
        Gradient(name, typed.points[name], loss="loss" if name == carrier else None)
        for name in done
        if name in typed.points
    )
    return tuple(equations), gradients


def _claimed(declared: Declarations) -> set[str]:
    claims = [s for s in declared.definition.statements if isinstance(s, syntax.Claim)]
    return set().union(*(names_read(claim) for claim in claims)) & set(declared.rules)


def _reachable(
    bodies: dict[str, Expression | None], roots: Iterable[str], read: list[Expression]
) -> set[str]:
    stack = [root for root in roots if root in bodies]
    for expression in read:
        stack += [value.name for value in values(expression) if value.name in bodies]
    found: set[str] = set()
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            body = bodies[name]
            if body is not None:
                stack += [value.name for value in values(body) if value.name in bodies]
    return found


def _report_cycle(
    waiting: list[str],
    bodies: dict[str, Expression | None],
    declared: Declarations,
    problems: Problems,
) -> None:
    chain = [waiting[0]]
    while chain.count(chain[-1]) < 2:
        needs = needs_now(bodies[chain[-1]], bodies)
        chain.append(next(name for name in waiting if name in needs))
    cycle = chain[chain.index(chain[-1]) :]
    named = next((name for name in cycle if name in declared.rules), None)
    span = declared.rules[named].span if named else declared.definition.span
    steps = " needs ".join(f"`{name}[t]`" for name in cycle)
    problems.error(
        "recursion-without-delay",
        f"a value needs itself within the same step: {steps}",
        span,
        f"read an earlier value, such as `{cycle[0]}[t-1]`",
    )


def report_unused(
    declared: Declarations,
    typed: Typed,
    equations: tuple[Equation, ...],
    handed_on: set[str],
    problems: Problems,
) -> None:
    """Say which equations and hyperparameters change nothing; schedules read `handed_on`."""
    kept = {equation.name for equation in equations}
    kept |= {name for name, next_name in typed.names.ahead.items() if next_name in kept}
    for name, rule in declared.rules.items():
        if name not in kept:
            problems.error(
                "unused-name",
                f"nothing that `{declared.definition.name}` gives depends on `{name}`",
                rule.span,
                "remove the equation, or use its value",
            )
    read = _values_read(typed, equations) | handed_on
    for name, declaration in declared.inputs.items():
        if name not in read and given(name) not in read:
            problems.error(
                "unused-name",
                f"no equation reads the input `{name}`",
                declaration.span,
                "remove it, or use its value",
            )
    for name, hyper in declared.hypers.items():
        if name not in read:
            problems.error(
                "unused-name",
                f"no equation reads the hyperparameter `{name}`",
                hyper.span,
                "remove it, or use its value",
            )


def _values_read(typed: Typed, equations: tuple[Equation, ...]) -> set[str]:
    bodies: list[Expression] = [equation.value for equation in equations]
    bodies += [point for point in typed.points.values() if point is not None]
    bodies += [start for times in typed.starts.values() for start in times.values()]
    bodies += [default for default in typed.defaults.values() if default is not None]
    bodies += [body for body in (typed.skip, typed.evaluation) if body is not None]
    return {value.name for body in bodies for value in values(body)}

"""From a definition to the system of recurrences that it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from optdsl.diagnostics import Span, nearest
from optdsl.language import syntax
from optdsl.model.alternatives import Rule, one_system, systems_of
from optdsl.model.choosing import each_system, hand_in_rules
from optdsl.model.composition import compose
from optdsl.model.declarations import Declarations, declare
from optdsl.model.equations import Typed, type_equations
from optdsl.model.evaluated import not_kept, with_known_evaluation
from optdsl.model.expressions import Expression, Kind, Value
from optdsl.model.feeding import feed
from optdsl.model.gradients import name_gradients
from optdsl.model.hyperparameters import hyperparameters
from optdsl.model.indices import write_out
from optdsl.model.inheritance import Lookup, flatten, without
from optdsl.model.numbers import time_index
from optdsl.model.order import dependency_order, report_unused
from optdsl.model.problems import Problems
from optdsl.model.reading import nodes
from optdsl.model.scheduling import Schedules
from optdsl.model.starts import starts_needed
from optdsl.model.storing import check_storages, storage_text
from optdsl.model.system import Input, Skip, State, System


def build(
    definition: syntax.Definition,
    lookup: Lookup | Callable[[str], syntax.Definition | None],
    *,
    allow_unused: bool = False,
    rules: Mapping[str, Rule] | None = None,
) -> System:
    """Return the system that `definition` means, as `build_rule` does where it is one.

    Raises:
        DiagnosticError: with everything that is wrong with the definition, or because it
            chooses between several rules.
    """
    return one_system(build_rule(definition, lookup, allow_unused=allow_unused, rules=rules))


def build_rule(
    definition: syntax.Definition,
    lookup: Lookup | Callable[[str], syntax.Definition | None],
    *,
    allow_unused: bool = False,
    rules: Mapping[str, Rule] | None = None,
) -> Rule:
    """Return what `definition` means: a system, or several of which each tensor takes one.

    Args:
        definition: an optimizer, a schedule or a transform, as parsed.
        lookup: gives the definition of a name, or None.
        allow_unused: accept names that nothing reads, as documents have them.
        rules: those that are handed to a definition with parameters, by parameter. SGD
            stands in for one that is not given, so that such a definition can be checked.

    Raises:
        DiagnosticError: with everything that is wrong with the definition.
    """
    problems = Problems()
    if not isinstance(lookup, Lookup):
        lookup = Lookup(lookup)
    lookup = without(definition, lookup)
    if definition.value is not None:
        rule = compose(definition, lookup, problems, build_rule)
        problems.raise_if_any()
        assert rule is not None
        return rule
    written_out = write_out(flatten(definition, lookup, problems), problems)
    schedules = Schedules(lookup, problems, build)
    hypers = [s for s in written_out.statements if isinstance(s, syntax.Hyper)]
    schedules.host.update({hyper.name: hyper for hyper in hypers})
    written_out, fed = _without_fed(written_out, schedules)
    declared = declare(written_out, problems)
    gradients = name_gradients(declared)
    typed = type_equations(declared, gradients, problems, schedules)
    system = _assemble(declared, typed, problems, None if allow_unused else schedules.handed_on)
    problems.raise_if_any()
    system = schedules.before(system)
    for hyper, schedule in fed.items():
        system = feed(system, hyper.name, schedule, problems, hyper.span)
    handed = _handed_in(definition, lookup, rules)
    rule = hand_in_rules(system, handed, definition.span, problems)
    for each in systems_of(rule):
        _check_evaluation(each, declared, problems)
    problems.raise_if_any()
    return each_system(rule, with_known_evaluation)


def _without_fed(
    definition: syntax.Definition, schedules: Schedules
) -> tuple[syntax.Definition, dict[syntax.Hyper, System]]:
    """Return a definition without the defaults that are schedules, and these."""
    fed: dict[syntax.Hyper, System] = {}
    statements: list[syntax.Statement] = []
    for statement in definition.statements:
        schedule = None
        if isinstance(statement, syntax.Hyper) and statement.default is not None:
            others = {n: h for n, h in schedules.host.items() if n != statement.name}
            with schedules.hosted_by(others):
                schedule = schedules.as_schedule(statement.default)
        if isinstance(statement, syntax.Hyper) and schedule is not None:
            statement = replace(statement, default=None)
            fed[statement] = schedule
        statements.append(statement)
    return replace(definition, statements=tuple(statements)), fed


def _handed_in(
    definition: syntax.Definition, lookup: Lookup, rules: Mapping[str, Rule] | None
) -> dict[str, Rule]:
    given = dict(rules or {})
    for parameter in definition.parameters:
        stand_in = None if parameter in given else lookup("SGD")
        if stand_in is not None:
            given[parameter] = build(stand_in, lookup)
    return given


def _assemble(
    declared: Declarations, typed: Typed, problems: Problems, handed_on: set[str] | None
) -> System:
    """Put a system together; what is unused is a problem, unless `handed_on` is None.

    It has the hyperparameters that schedules read.
    """
    definition = declared.definition
    outputs = _outputs(declared, problems)
    hypers = hyperparameters(declared, typed, problems)
    states = _states(declared, typed, problems)
    equations, gradients = dependency_order(declared, typed, outputs, problems)
    _check_skip(declared, typed, problems)
    problems.raise_if_any()
    if handed_on is not None:
        report_unused(declared, typed, equations, handed_on, problems)
    kept = {equation.name for equation in equations}
    kinds = {name: typed.names.kinds.get(name, Kind.STEP) for name, _ in typed.memory.values()}
    check_storages(declared.storages, kinds, problems)
    return System(
        name=definition.name,
        family=definition.family,
        doc=definition.doc,
        hyperparameters=hypers,
        states=tuple(state for state in states if state.name in kept),
        equations=equations,
        gradients=gradients,
        outputs=outputs,
        skips=_skips(declared, typed),
        evaluation=typed.evaluation,
        parameters=storage_text(declared.storages, "theta"),
        handed_in=tuple(
            Input(name, name, doc=given.doc, span=given.span)
            for name, given in declared.inputs.items()
        ),
        definition=definition,
        source=definition.span.text if definition.span else "",
    )


def _outputs(declared: Declarations, problems: Problems) -> tuple[str, ...]:
    definition = declared.definition
    if definition.family == "optimizer":
        outputs: tuple[str, ...] = ("theta",)
    else:
        outputs = definition.gives
    if not outputs:
        problems.error(
            "missing-output",
            f"a {definition.family} says what it gives",
            definition.span,
            f"write `{definition.family} {definition.name} gives "
            f"{'eta' if definition.family == 'schedule' else 'u'}`",
        )
    for output in outputs:
        if output not in declared.rules:
            near = nearest(output, declared.rules)
            problems.error(
                "missing-output",
                f"`{definition.name}` gives `{output}`, but no equation defines it",
                definition.span,
                f"add an equation `{output}[t] = ...`" + (f", or rename `{near}`" if near else ""),
            )
    if definition.family == "transform" and "theta" in declared.rules:
        problems.error(
            "misplaced-theta",
            "a transform makes another gradient of g[t]; it cannot move theta",
            declared.rules["theta"].span,
        )
    return outputs


def _skips(declared: Declarations, typed: Typed) -> tuple[Skip, ...]:
    if declared.skip is None or typed.skip is None:
        return ()
    return (Skip(typed.skip, 0, declared.skip.span),)


def _check_skip(declared: Declarations, typed: Typed, problems: Problems) -> None:
    """A tensor takes a step or does not; its entries do so together."""
    if declared.skip is not None and typed.skip is not None and not typed.skip.kind.is_number:
        problems.error(
            "skip-kind",
            f"a tensor skips a step as a whole, but the condition is {typed.skip.kind.value}",
            declared.skip.span,
            "join its values: `any(...)` for those of a tensor, `any(..., all)` for those of all",
        )


def _check_evaluation(system: System, declared: Declarations, problems: Problems) -> None:
    if system.evaluation is None or declared.evaluate is None:
        return
    span = declared.evaluate.point.span
    if system.evaluation.kind is not Kind.ENTRY:
        problems.error(
            "bad-evaluation", "this is a number, where a point is needed", span,
            "a point has a value an entry, as theta[t] has",
        )  # fmt: skip
    for value in dict.fromkeys(not_kept(system)):
        problems.error(
            "bad-evaluation",
            f"the model is evaluated between steps, when {_quoted(value)} is gone",
            span,
            "read theta[t] and states at t: an equation whose past is read is a state",
        )


def _quoted(value: str) -> str:
    return value if value == "a draw" else f"`{value}`"


def _states(declared: Declarations, typed: Typed, problems: Problems) -> list[State]:
    readers: dict[str, Expression] = dict(typed.rules)
    readers |= {f"grad {name}": p for name, p in typed.points.items() if p is not None}
    if typed.skip is not None:
        readers["skip when"] = typed.skip
    if typed.evaluation is not None:
        readers["evaluate"] = typed.evaluation
    readers |= {f"read {s}": Value(s, Kind.STEP, -1) for s in typed.names.fixed.values()}
    needed = starts_needed(readers, typed.memory)
    for (name, time), _ in needed.items():
        if (name, time) != ("theta", 0) and time not in typed.starts.get(name, {}):
            _missing_start(name, time, declared, problems)
    _check_starts(declared, typed, needed, problems)
    memory = typed.memory.items()
    return [_state(state, name, depth, typed, declared) for state, (name, depth) in memory]


def _check_starts(
    declared: Declarations, typed: Typed, needed: dict[tuple[str, int], Value], problems: Problems
) -> None:
    for name, times in declared.starts.items():
        for time, rule in times.items():
            if (name, time) == ("theta", 0):
                problems.error(
                    "bad-start", "theta starts where its user puts it", rule.span,
                    "remove this line",
                )  # fmt: skip
            elif name not in declared.known and name not in typed.points and name != "loss":
                problems.error(
                    "undefined-name",
                    f"`{name}` has a start but no equation",
                    rule.span,
                    f"add an equation `{name}[t] = ...`",
                )
            elif time == 1 and name not in declared.rules:
                problems.error(
                    "bad-start", f"`{name}[1]` comes from outside, so it cannot be given here",
                    rule.span, f"`{name}[0]` can, where the first step reads `{name}[t-1]`",
                )  # fmt: skip
            elif time <= 0 and (name, time) not in needed:
                problems.error(
                    "unused-start", f"`{name}[{time}]` is given but never read", rule.span,
                    f"remove it: no step reads `{name}[t-1]` before there is one",
                )  # fmt: skip


def _state(state: str, name: str, depth: int, typed: Typed, declared: Declarations) -> State:
    kind = typed.names.kinds.get(name, Kind.STEP)
    start = typed.starts.get(name, {}).get(1 - depth)
    if start is None and name == "theta":
        start = Value("theta", Kind.ENTRY, -1)
    return State(state, kind, start, storage=storage_text(declared.storages, name))


def _missing_start(name: str, time: int, declared: Declarations, problems: Problems) -> None:
    rule = declared.rules.get(name)
    span = rule.span if rule else _first_read(name, declared)
    hint = f"give it a value before the first step: `{name}[{time}] = 0`"
    if rule is not None and time == 0 and 1 not in declared.starts.get(name, {}):
        hint += f", or one that stands in for the equation in step 1: `{name}[1] = ...`"
    problems.error(
        "missing-start", f"step {1 if time == 0 else 1 - time} reads `{name}[{time}]`, "
        "which has no value", span, hint,
    )  # fmt: skip


def _first_read(name: str, declared: Declarations) -> Span | None:
    for node in nodes(declared.definition.statements):
        if isinstance(node, syntax.Name) and node.name == name and node.indices:
            time = time_index(node.indices[0])
            if time is not None and time[0] == "t" and time[1] < 0:
                return node.span
    return declared.definition.span

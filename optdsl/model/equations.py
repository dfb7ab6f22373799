"""Typed equations of one definition: kinds by least fixed point, delays made into states."""

from __future__ import annotations

from dataclasses import dataclass, replace

from optdsl.language import syntax
from optdsl.model.declarations import Declarations
from optdsl.model.expressions import (
    Clock,
    Constant,
    Expression,
    Kind,
    Value,
    apply,
    is_predicate,
    number,
    transform,
)
from optdsl.model.gradients import Point, loss_carrier
from optdsl.model.names import Names
from optdsl.model.problems import Problems
from optdsl.model.system import given
from optdsl.model.translation import Inline, Translator

THETA_BEFORE = Value("theta", Kind.ENTRY, -1)


@dataclass
class Typed:
    """The equations of a definition, typed.

    `memory` says for each state which value it remembers and from how many steps
    ago: {"m": ("m", 1), "last_g": ("g", 1)}. `helpers` are equations that no
    author wrote: they carry memories on.
    """

    names: Names
    rules: dict[str, Expression]
    points: dict[str, Expression | None]
    starts: dict[str, dict[int, Expression]]
    defaults: dict[str, Expression | None]
    skip: Expression | None
    memory: dict[str, tuple[str, int]]
    helpers: dict[str, Expression]
    evaluation: Expression | None = None


def type_equations(
    declared: Declarations, gradients: dict[Point, str], problems: Problems, inline: Inline
) -> Typed:
    """Translate every equation; kinds and predicates grow until nothing changes."""
    names = _first_names(declared, gradients)
    while True:
        before = (dict(names.kinds), set(names.predicates), set(names.past), len(names.lags))
        typed = _translate(declared, names, Problems(), inline)
        _learn(typed, names)
        after = (dict(names.kinds), set(names.predicates), set(names.past), len(names.lags))
        if before == after:
            break
    typed = _translate(declared, names, problems, inline)
    _remember(typed, problems, declared)
    return typed


def _first_names(declared: Declarations, gradients: dict[Point, str]) -> Names:
    kinds = dict.fromkeys(gradients.values(), Kind.ENTRY)
    if declared.definition.family != "schedule":
        kinds["theta"] = Kind.ENTRY
        kinds["loss"] = Kind.ALL
    return Names(
        family=declared.definition.family,
        hypers=set(declared.hypers),
        inputs=set(declared.inputs),
        predicates={given(name) for name in declared.inputs},
        equations=set(declared.rules),
        gradients=gradients,
        kinds=kinds,
        rules=frozenset(declared.definition.parameters),
        loss_of=loss_carrier(gradients),
    )


def _translate(declared: Declarations, names: Names, problems: Problems, inline: Inline) -> Typed:
    names.ahead.clear()
    translator = Translator(names, problems, inline)
    starts = {
        name: {time: translator.at(time, rule.value) for time, rule in times.items()}
        for name, times in declared.starts.items()
    }
    rules = {}
    for name, rule in declared.rules.items():
        if rule.drawn is None:
            value = translator.right_hand_side(name, rule.value)
        else:
            value = translator.draw(rule.value, rule.drawn)
        if 1 in starts.get(name, {}):
            value = apply("select", apply("eq", Clock(), number(1)), starts[name][1], value)
        rules[name] = value
    return Typed(
        names=names,
        rules=rules,
        points=_points(declared, names, translator),
        starts=starts,
        defaults={
            name: None if hyper.default is None else _default(hyper.default, translator)
            for name, hyper in declared.hypers.items()
        },
        skip=None if declared.skip is None else translator.condition(declared.skip.condition),
        memory={},
        helpers={},
        evaluation=(
            None if declared.evaluate is None else translator.number(declared.evaluate.point)
        ),
    )


def _default(default: syntax.Expression, translator: Translator) -> Expression:
    if isinstance(default, syntax.Constant) and default.name in ("true", "false"):
        return Constant(default.name)
    return translator.number(default)


def _points(
    declared: Declarations, names: Names, translator: Translator
) -> dict[str, Expression | None]:
    points: dict[str, Expression | None] = {}
    for point, name in names.gradients.items():
        if point is not None:
            points[name] = (
                THETA_BEFORE
                if isinstance(point, syntax.Keyword | syntax.Scope)
                else translator.number(point)
            )
        else:
            optimizer = declared.definition.family == "optimizer"
            points[name] = THETA_BEFORE if optimizer else None
    return points


def _learn(typed: Typed, names: Names) -> None:
    for name, value in typed.rules.items():
        kind = names.kinds.get(name, Kind.STEP).join(value.kind)
        for start in typed.starts.get(name, {}).values():
            kind = kind.join(start.kind)
        names.kinds[name] = kind
        if is_predicate(value) or (isinstance(value, Value) and value.name in names.predicates):
            names.predicates.add(name)


def _remember(typed: Typed, problems: Problems, declared: Declarations) -> None:
    """Make states and the equations that carry them on of all that is read of the past."""
    names = typed.names
    for name in typed.rules:
        if name in names.past and name != "theta":
            typed.memory[name] = (name, 1)
    for (name, depth), state in names.lags.items():
        equation = name in names.equations or name == "theta"
        typed.memory[state] = (name, depth + 1 if equation else depth)
        kind = names.kinds.get(name, Kind.STEP)
        if depth > 1:
            typed.helpers[state] = Value(names.lags[name, depth - 1], kind, -1)
        else:
            typed.helpers[state] = Value(name, kind, -1 if equation else 0)
    for (name, _), state in names.fixed.items():
        kind = names.kinds.get(name, Kind.STEP)
        typed.memory[state] = (name, 1)
        typed.helpers[state] = Value(state, kind, -1)
    for fact, state in names.facts.items():
        typed.memory[state] = (state, 1)
        typed.helpers[state] = Value(state, Kind.TENSOR, -1)
        typed.starts[state] = {0: fact}
        names.kinds[state] = Kind.TENSOR
    for name, state in names.ahead.items():
        typed.helpers[state] = _ahead(name, typed, problems, declared)


def _ahead(
    name: str, typed: Typed, problems: Problems, declared: Declarations, depth: int = 0
) -> Expression:
    """Return the value of `name` one step ahead: its formula, with t + 1 for t."""

    def change(node: Expression) -> Expression | None:
        match node:
            case Clock(part, offset):
                return Clock(part, offset + 1)
            case Value(other, _, 0) if other in typed.names.hypers:
                return replace(node, offset=1)
            case Value(other, _, 0) if other in typed.rules and depth < len(typed.rules):
                return _ahead(other, typed, problems, declared, depth + 1)
            case Value():
                problems.error(
                    "looks-ahead",
                    f"`{name}[t+1]` is not known at step t: it depends on the past or on an input",
                    declared.rules[name].span,
                    "only hyperparameters and formulas of t can be read ahead",
                )
                return number(0)
        return None

    return transform(typed.rules[name], change)

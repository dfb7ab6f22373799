"""What a definition declares, each name once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from optdsl.diagnostics import Span
from optdsl.language import syntax
from optdsl.model.numbers import time_index
from optdsl.model.problems import Problems
from optdsl.model.storing import declare_storage


@dataclass(frozen=True, slots=True)
class Rule:
    """The right-hand side of one target.

    `drawn` counts the draws of its distribution, from 0, where numbers are drawn.
    """

    target: syntax.Name
    value: syntax.Expression
    doc: str | None = None
    drawn: int | None = None

    @property
    def span(self) -> Span | None:
        """Where the target stands."""
        return self.target.span


@dataclass
class Declarations:
    """The names of a definition.

    `starts` holds, for each name, its values at fixed times: `m[0]`, `v[1]`.
    """

    definition: syntax.Definition
    hypers: dict[str, syntax.Hyper] = field(default_factory=dict)
    rules: dict[str, Rule] = field(default_factory=dict)
    starts: dict[str, dict[int, Rule]] = field(default_factory=dict)
    skip: syntax.SkipWhen | None = None
    evaluate: syntax.Evaluate | None = None
    inputs: dict[str, syntax.Input] = field(default_factory=dict)
    storages: dict[str, syntax.Storage] = field(default_factory=dict)

    @property
    def known(self) -> set[str]:
        """Every name that an expression may read."""
        return {*self.hypers, *self.inputs, *self.rules, "t"}


def not_yet(problems: Problems, what: str, span: Span | None) -> None:
    """Say that something is part of the language but has no kernel yet."""
    problems.error(
        "not-yet-compiled",
        f"{what} are part of the language, but this version does not compile them",
        span,
    )


def unknown_index(name: syntax.Name, problems: Problems) -> None:
    """Say that a name has an index that is neither a time nor declared."""
    problems.error(
        "bad-index",
        f"`{name.name}` has an index that is not a time",
        name.span,
        "declare it, as in `index i = 1..3`, or give a hyperparameter with it a tuple: "
        "`hyper beta[i] = (0.9, 0.99)`; t comes last",
    )


def declare(definition: syntax.Definition, problems: Problems) -> Declarations:
    """Collect the names of `definition`; repeated and malformed ones are problems."""
    declared = Declarations(definition)
    for statement in definition.statements:
        match statement:
            case syntax.Hyper():
                _declare_hyper(statement, declared, problems)
            case syntax.Equation():
                for target in statement.targets:
                    _declare_target(target, statement, declared, problems)
            case syntax.Draw():
                _declare_draw(statement, declared, problems)
            case syntax.SkipWhen():
                _declare_skip(statement, declared, problems)
            case syntax.Input():
                _declare_input(statement, declared, problems)
            case syntax.Evaluate():
                _declare_evaluation(statement, declared, problems)
            case syntax.Storage():
                declare_storage(statement, declared.storages, problems)
            case _:
                pass
    _check_clashes(declared, problems)
    _check_places(declared, problems)
    return declared


def _check_places(declared: Declarations, problems: Problems) -> None:
    """The places of a tuple follow one another from 1, or callers would give them at others."""
    places: dict[str, dict[int, syntax.Alias]] = {}
    for hyper in declared.hypers.values():
        if hyper.alias is not None and hyper.alias.position is not None:
            places.setdefault(hyper.alias.name, {})[hyper.alias.position] = hyper.alias
    for name, at in places.items():
        missing = next((place for place in range(1, max(at)) if place not in at), None)
        if missing is not None:
            problems.error(
                "alias-gap",
                f"there is `{name}[{max(at)}]`, but no `{name}[{missing}]`",
                at[max(at)].span,
                "number the places of a tuple from 1 on",
            )


def _declare_hyper(hyper: syntax.Hyper, declared: Declarations, problems: Problems) -> None:
    if hyper.indices:
        problems.error(
            "index-ranges",
            f"`{hyper.name}` has an index, so it needs a tuple to run over",
            hyper.span,
            f"write `hyper {hyper.name}[i] = (0.9, 0.99)`",
        )
    if hyper.name in declared.hypers:
        problems.error(
            "defined-twice", f"hyperparameter `{hyper.name}` is declared twice", hyper.span
        )
        return
    for other in declared.hypers.values():
        if hyper.alias is not None and hyper.alias == other.alias:
            problems.error(
                "defined-twice",
                f"`{other.name}` and `{hyper.name}` have the same alias",
                hyper.alias.span,
                "number the places of a tuple: `as betas[1]`, `as betas[2]`",
            )
    declared.hypers[hyper.name] = hyper


def _declare_input(given: syntax.Input, declared: Declarations, problems: Problems) -> None:
    if given.name in declared.inputs:
        problems.error("defined-twice", f"input `{given.name}` is declared twice", given.span)
    declared.inputs.setdefault(given.name, given)


def _declare_target(
    target: syntax.Name, equation: syntax.Equation, declared: Declarations, problems: Problems
) -> None:
    rule = Rule(target, equation.value, equation.doc)
    time = time_index(target.indices[0]) if target.indices else ("t", 0)
    if len(target.indices) > 1 or time is None:
        unknown_index(target, problems)
    elif time[0] == "" and time[1] > 1:
        problems.error(
            "bad-index",
            f"only values at 0, before it, and at 1 can be given; this one is at {time[1]}",
            target.span,
        )
    elif time[0] == "":
        starts = declared.starts.setdefault(target.name, {})
        if time[1] in starts:
            problems.error("start-twice", f"`{target.name}[{time[1]}]` is given twice", target.span)
        starts.setdefault(time[1], rule)
    elif target.name == "loss":
        problems.error(
            "reserved-name",
            "the loss is handed in, so it has no equation",
            target.span,
            "choose another name",
        )
    elif time[1] != 0:
        problems.error(
            "bad-index",
            f"an equation defines `{target.name}[t]`, the value of this step",
            target.span,
            f"write `{target.name}[t] = ...`",
        )
        declared.rules.setdefault(target.name, rule)
    elif target.name in declared.rules:
        problems.error("defined-twice", f"`{target.name}` has two equations", target.span)
    else:
        declared.rules[target.name] = rule


def _declare_draw(draw: syntax.Draw, declared: Declarations, problems: Problems) -> None:
    name = draw.target.name
    if draw.target.indices and time_index(draw.target.indices[0]) != ("t", 0):
        problems.error(
            "bad-draw",
            "a number is drawn at every step",
            draw.target.span,
            f"write `{name} ~ ...` or `{name}[t] ~ ...`",
        )
        return
    same = [r for r in declared.rules.values() if r.drawn is not None and _distribution(r) ==
            draw.distribution.function]  # fmt: skip
    before = declared.rules.get(name)
    equation = syntax.Equation((draw.target,), draw.distribution, draw.doc, span=draw.span)
    _declare_target(draw.target, equation, declared, problems)
    if before is None and name in declared.rules:
        declared.rules[name] = replace(declared.rules[name], drawn=len(same))


def _distribution(rule: Rule) -> str:
    assert isinstance(rule.value, syntax.Call)
    return rule.value.function


_INSTEAD_OF_SKIP = (
    "put it into a transform before this rule, as in `Skip | Rule`, or end each equation that"
    " rests with `if` and a condition"
)


def _declare_skip(skip: syntax.SkipWhen, declared: Declarations, problems: Problems) -> None:
    if declared.definition.family != "transform":
        problems.error(
            "misplaced-skip",
            f"only a transform can skip; this is {a(declared.definition.family)}",
            skip.span,
            _INSTEAD_OF_SKIP,
        )
    elif declared.skip is not None:
        problems.error("defined-twice", "a second `skip when`", skip.span, "join both with `or`")
    else:
        declared.skip = skip


def _declare_evaluation(
    evaluate: syntax.Evaluate, declared: Declarations, problems: Problems
) -> None:
    if declared.definition.family != "optimizer":
        problems.error(
            "misplaced-evaluate",
            f"only an optimizer says where the model is evaluated; "
            f"this is {a(declared.definition.family)}",
            evaluate.span,
        )
    elif declared.evaluate is not None:
        problems.error("defined-twice", "a second `evaluate`", evaluate.span, "remove one of them")
    else:
        declared.evaluate = evaluate


def a(family: str) -> str:
    """Return `family` with its article."""
    return f"an {family}" if family[0] in "aeiou" else f"a {family}"


def _check_clashes(declared: Declarations, problems: Problems) -> None:
    for name, given in declared.inputs.items():
        if name in declared.hypers or name in declared.rules:
            what = "a hyperparameter" if name in declared.hypers else "defined by an equation"
            problems.error(
                "defined-twice",
                f"`{name}` is an input, and {what} too",
                given.span,
                "what is handed in has no equation: give one of them another name",
            )
    draws = any(rule.drawn is not None for rule in declared.rules.values())
    for name, hyper in declared.hypers.items():
        if draws and "seed" in (name, hyper.alias.name if hyper.alias else None):
            problems.error(
                "reserved-name",
                "a rule that draws numbers takes a `seed`, so no hyperparameter can be called so",
                hyper.span,
                "choose another name",
            )
        rule = declared.rules.get(name)
        if rule is not None:
            problems.error(
                "defined-twice",
                f"`{name}` is a hyperparameter and has an equation",
                rule.span,
                f"remove `hyper {name}`, or give the equation another name",
            )
        if hyper.alias is not None and hyper.alias.name in declared.hypers:
            problems.error(
                "defined-twice",
                f"the alias `{hyper.alias.name}` is a hyperparameter of its own",
                hyper.alias.span,
            )

"""Hyperparameters that a composition gives to its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from optdsl.diagnostics import did_you_mean
from optdsl.language import syntax
from optdsl.model.alternatives import Rule
from optdsl.model.choosing import each_system, feed_rule
from optdsl.model.hyperparameters import check_in_domain
from optdsl.model.inheritance import keyword_arguments
from optdsl.model.names import Names
from optdsl.model.numbers import constant_value
from optdsl.model.problems import Problems
from optdsl.model.system import Hyperparameter, System
from optdsl.model.translation import Translator


def with_defaults(
    system: System,
    arguments: tuple[syntax.Expression | syntax.Keyword | syntax.Scope, ...],
    problems: Problems,
    as_schedule: Callable[[syntax.Expression], System | None],
) -> System:
    """Return `system` with the defaults that `arguments` name, as `with_defaults_in`."""
    changed = with_defaults_in(system, arguments, problems, as_schedule)
    assert isinstance(changed, System)
    return changed


def with_defaults_in(
    rule: Rule,
    arguments: tuple[syntax.Expression | syntax.Keyword | syntax.Scope, ...],
    problems: Problems,
    as_schedule: Callable[[syntax.Expression], System | None],
) -> Rule:
    """Return `rule` with the defaults that `arguments` name.

    A bare name or alias reaches every part that has it, `AdamW.eta` one. A schedule takes the
    place of a hyperparameter.
    """
    for name, argument in keyword_arguments(arguments, problems):
        meant = {h.name for h in rule.hyperparameters if answers_to(h, name)}
        if not meant:
            known = {n for h in rule.hyperparameters for n in names_for(h)}
            problems.error(
                "unknown-hyperparameter",
                f"`{rule.name}` has no hyperparameter `{name}`",
                argument.span,
                did_you_mean(name, known) or "it has " + ", ".join(sorted(known)),
            )
        schedule = as_schedule(argument.value)
        if schedule is not None:
            for fed in sorted(meant):
                rule = feed_rule(rule, fed, schedule, problems, argument.span)
        else:
            rule = each_system(rule, _setting(meant, argument.value, problems))
    return rule


def _setting(
    meant: set[str], value: syntax.Expression, problems: Problems
) -> Callable[[System], System]:
    def change(system: System) -> System:
        hyperparameters = tuple(
            _with_default(h, value, problems) if h.name in meant else h
            for h in system.hyperparameters
        )
        return replace(system, hyperparameters=hyperparameters)

    return change


def names_for(hyperparameter: Hyperparameter) -> set[str]:
    """Return the names by which a call can reach `hyperparameter`."""
    names = {hyperparameter.local_name, f"{hyperparameter.owner}.{hyperparameter.local_name}"}
    if hyperparameter.alias is not None and hyperparameter.alias.position is None:
        names.add(hyperparameter.alias.name)
    return names


def answers_to(hyperparameter: Hyperparameter, name: str) -> bool:
    """Does `name` mean `hyperparameter`?"""
    return name in names_for(hyperparameter)


def _with_default(
    hyperparameter: Hyperparameter, value: syntax.Expression, problems: Problems
) -> Hyperparameter:
    exact = constant_value(value)
    if exact is not None and hyperparameter.domain is not None:
        check_in_domain(hyperparameter.name, exact, hyperparameter.domain, value, problems)
    translator = Translator(_nothing_but_t(), problems, lambda call: None)
    return replace(hyperparameter, default=translator.number(value))


def _nothing_but_t() -> Names:
    return Names("schedule", set(), set(), {}, {})

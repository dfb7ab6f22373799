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
from optdsl.model.overriding import without_schedules
from optdsl.model.problems import Problems
from optdsl.model.system import Hyperparameter, System
from optdsl.model.translation import Translator


def with_defaults(
    system: System,
    arguments: tuple[syntax.Expression | syntax.Keyword | syntax.Scope, ...],
    problems: Problems,
    as_schedule: Callable[[syntax.Expression], System | None],
    host: frozenset[str] = frozenset(),
) -> System:
    """Return `system` with the defaults that `arguments` name, as `with_defaults_in`."""
    changed = with_defaults_in(system, arguments, problems, as_schedule, host)
    assert isinstance(changed, System)
    return changed


def with_defaults_in(
    rule: Rule,
    arguments: tuple[syntax.Expression | syntax.Keyword | syntax.Scope, ...],
    problems: Problems,
    as_schedule: Callable[[syntax.Expression], System | None],
    host: frozenset[str] = frozenset(),
) -> Rule:
    """Return `rule` with the defaults that `arguments` name.

    A bare name or alias reaches every part that has it, `AdamW.eta` one. A schedule takes the
    place of a hyperparameter. Formulas may read the hyperparameters of the `host`.
    """
    for name, argument in keyword_arguments(arguments, problems):
        rule = each_system(rule, _unfed(name))
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
            rule = each_system(rule, _setting(meant, argument.value, problems, host))
    return rule


def _unfed(name: str) -> Callable[[System], System]:
    """Return what takes away the schedules that give the hyperparameters called `name`."""

    def change(system: System) -> System:
        return without_schedules(system, lambda hyper: answers_to(hyper, name))

    return change


def _setting(
    meant: set[str], value: syntax.Expression, problems: Problems, host: frozenset[str]
) -> Callable[[System], System]:
    def change(system: System) -> System:
        hyperparameters = tuple(
            _with_default(h, value, problems, host) if h.name in meant else h
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
    hyperparameter: Hyperparameter,
    value: syntax.Expression,
    problems: Problems,
    host: frozenset[str],
) -> Hyperparameter:
    exact = constant_value(value)
    if exact is not None and hyperparameter.domain is not None:
        check_in_domain(hyperparameter.name, exact, hyperparameter.domain, value, problems)
    names = Names("schedule", set(host), set(), {}, {})
    translator = Translator(names, problems, lambda call: None)
    return replace(hyperparameter, default=translator.number(value))

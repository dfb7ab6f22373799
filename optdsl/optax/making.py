"""A rule of functions becomes a transformation of Optax, or one of its schedules."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import optax

from optdsl.diagnostics import Diagnostic, DiagnosticError
from optdsl.optax.numbers import number_type
from optdsl.optax.rule import Rule, has_wide_numbers, sixty_four_bits
from optdsl.optax.sources import Known, chosen_sources
from optdsl.optax.state import State
from optdsl.runtime.classes import FORMULA, default_for
from optdsl.runtime.functional import Functions
from optdsl.runtime.hyperparameters import Names, is_keyword_argument
from optdsl.runtime.layout import Feed
from optdsl.runtime.seeds import checked_seed


def from_functions(functions: Functions) -> Callable[..., Any]:
    """Return what makes the rule of a generated module: a transformation, or a schedule.

    It takes hyperparameters by name, as `optax.adam` does, and its signature lists them; see
    `optdsl.optax.transformation` for what each may be.
    """

    names = names_of(functions)

    def make(*unnamed: Any, **hyperparameters: Any) -> Any:
        names.refuse_unnamed(unnamed)
        more = hyperparameters.pop("hyperparameters", {})  # so Optax hands on what has no name
        whole = {**hyperparameters, **more}
        given = {name: each for name, each in whole.items() if not _is_formula(each)}
        if functions.family == "schedule":
            return schedule_of(functions, given)
        return transformation_of(functions, given)

    make.__name__ = make.__qualname__ = functions.name
    make.__doc__ = functions.doc or f"{functions.name}, a rule of optdsl."
    make.__signature__ = _signature(names)  # type: ignore[attr-defined]
    return make


def names_of(functions: Functions) -> Names:
    """Return the names of a rule's hyperparameters."""
    return Names(functions.name, functions.hyperparameters, functions.inputs)


def _is_formula(value: Any) -> bool:
    """Does a value stand for what the spec itself gives?"""
    return value is FORMULA or isinstance(value, Feed)


def _signature(names: Names) -> inspect.Signature:
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(name, kind, default=default_for(names, name))
        for name in names.preferred()
        if is_keyword_argument(name)
    ]
    rest = inspect.Parameter("hyperparameters", inspect.Parameter.VAR_KEYWORD)
    return inspect.Signature([*parameters, rest])


def transformation_of(
    functions: Functions, given: Mapping[str, Any]
) -> optax.GradientTransformationExtraArgs:
    """Return a rule with these hyperparameters as a transformation.

    Raises:
        DiagnosticError: it is a schedule, or a transform that skips steps.
        HyperparameterError: a hyperparameter is unknown, missing or outside its domain.
    """
    _refuse(functions)
    given = dict(given)
    seed = checked_seed(given.pop("seed", 0)) if functions.draws else 0
    rule = Rule(functions, chosen_sources(functions, given), seed)
    return optax.GradientTransformationExtraArgs(rule.init, rule.update)


def _refuse(functions: Functions) -> None:
    if functions.family == "schedule":
        raise DiagnosticError(
            Diagnostic(
                "not-a-transformation",
                f"`{functions.name}` is a schedule, which moves nothing",
                hint="optdsl.optax.schedule gives a schedule of Optax",
            )
        )
    if functions.family == "transform" and any(case.skips for case in functions.cases):
        raise DiagnosticError(
            Diagnostic(
                "cannot-skip",
                f"`{functions.name}` skips steps, and Optax cannot let what follows it rest",
                hint=f'compose it with what follows: "{functions.name} | Adam"',
            )
        )


def evaluation(
    transformation: optax.GradientTransformationExtraArgs, state: State, params: Any
) -> Any:
    """Return the point at which a rule says that the model is to be evaluated.

    Args:
        transformation: what `optdsl.optax.transformation` returned, itself: not one in a chain.
        state: its state after a step.
        params: the parameters after that step.

    A rule that says nothing of evaluation is evaluated at its theta: at `params`, unless these
    hold the point of the next gradient, as those of Nesterov do.

    >>> import jax.numpy as jnp, optax, optdsl.optax
    >>> average = optdsl.optax.transformation("AveragedSGD", lr=1.0)
    >>> params = jnp.array([4.0])
    >>> state = average.init(params)
    >>> for _ in range(2):
    ...     updates, state = average.update(jnp.array([1.0]), state, params)
    ...     params = optax.apply_updates(params, updates)
    >>> params.tolist(), optdsl.optax.evaluation(average, state, params).tolist()
    ([2.0], [2.5])
    """
    rule = getattr(transformation.update, "__self__", None)
    if not isinstance(rule, Rule):
        raise TypeError(
            f"evaluation takes what optdsl.optax.transformation returned, not {transformation!r}"
        )
    return rule.evaluation(state, params)


def schedule_of(functions: Functions, given: Mapping[str, Any]) -> optax.Schedule:
    """Return a schedule with these hyperparameters as a function of Optax's count.

    Raises:
        DiagnosticError: it is no schedule, or no function of the count alone.
        HyperparameterError: a hyperparameter is unknown, missing or outside its domain.
    """
    (case,) = functions.cases if functions.family == "schedule" else (None,)
    if case is None:
        raise DiagnosticError(Diagnostic("not-a-schedule", f"`{functions.name}` is no schedule"))
    fed = [slot.default for slot in functions.hyperparameters if isinstance(slot.default, Feed)]
    if case.states or functions.inputs or any(feed.states for feed in fed):
        raise DiagnosticError(
            Diagnostic(
                "keeps-states",
                f"`{functions.name}` keeps something between steps, "
                "so it is no function of the count",
                hint=f'name it in the rule: transformation("SGD(eta={functions.name})")',
            )
        )
    sources = chosen_sources(functions, given)

    def schedule(count: Any) -> Any:
        outside = has_wide_numbers()
        with sixty_four_bits():
            t = jnp.asarray(count).astype(jnp.int32) + 1
            known = Known(functions, sources, [t], {}, outside)
            known.update(case.numbers(known))
            return known[functions.output].astype(number_type(outside))

    return schedule

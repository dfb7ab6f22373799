"""Rules of optdsl as transformations of Optax: `optdsl.optax.transformation("Adam")`.

A rule becomes a small function of JAX arrays, see `optdsl show Adam --as jax`. It can be
compiled (`jax.jit`), mapped over runs (`jax.vmap`), differentiated, and chained with the parts
of Optax. Needs `pip install 'optdsl[optax]'`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

try:
    import jax  # noqa: F401
    import optax
except ModuleNotFoundError as error:
    if error.name not in ("jax", "optax"):
        raise
    message = "optdsl.optax needs Optax: install it, as with `pip install 'optdsl[optax]'`"
    raise ModuleNotFoundError(message, name=error.name) from error

from optdsl.optax.making import (
    evaluation,
    from_functions,
    names_of,
    schedule_of,
    transformation_of,
)
from optdsl.optax.sources import of_t
from optdsl.optax.state import State
from optdsl.runtime.functional import Functions

__all__ = [
    "State", "evaluation", "factory", "from_functions", "of_t", "schedule", "transformation",
]  # fmt: skip


def transformation(
    rule: str | Path, *unnamed: Any, **hyperparameters: Any
) -> optax.GradientTransformationExtraArgs:
    """Return the rule as a transformation of Optax.

    `update` returns `theta[t] - theta[t-1]`, so it must be given `params`. Of a transform, such
    as "ClipByGlobalNorm", it returns the gradient that is handed on.

    Args:
        rule: the name of a shipped rule, the path of a spec, or a composition, as for
            `optdsl.load`.
        hyperparameters: by name or alias. Each is a number; an array of JAX without dimensions,
            which may be traced; a function of Optax's count of steps, which is 0 in the first;
            or `of_t(f)` for a function of the rule's own `t`, which is 1. `seed` fixes the
            random numbers of a rule that draws.

    `update` takes besides: `value`, the loss at `params`, where the rule reads it; `grad_fn`, a
    function from parameters to gradients, where the rule asks for more gradients than one; and
    the inputs of the rule, by their names.

    Raises:
        DiagnosticError: with every error of the spec, or why the rule cannot be a function.
        HyperparameterError: a hyperparameter is unknown, missing or outside its domain.

    >>> import jax.numpy as jnp, optax, optdsl.optax
    >>> adam = optdsl.optax.transformation("Adam", lr=0.1)
    >>> params = {"w": jnp.ones(2)}
    >>> state = adam.init(params)
    >>> updates, state = adam.update({"w": jnp.array([1.0, -2.0])}, state, params)
    >>> [round(float(w), 3) for w in optax.apply_updates(params, updates)["w"]]
    [0.9, 1.1]
    """
    return transformation_of(_compiled(rule, unnamed), hyperparameters)


def factory(rule: str | Path) -> Callable[..., Any]:
    """Return a function like `optax.adam`: it takes hyperparameters and returns the rule.

    Its signature lists them, so that `optax.inject_hyperparams` can put them into the state.

    >>> import jax.numpy as jnp, optax, optdsl.optax
    >>> adam = optax.inject_hyperparams(optdsl.optax.factory("Adam"))(lr=0.1)
    >>> float(adam.init(jnp.ones(2)).hyperparams["lr"])
    0.10000000149011612
    """
    return from_functions(_compiled(rule))


def schedule(rule: str | Path, *unnamed: Any, **hyperparameters: Any) -> optax.Schedule:
    """Return a schedule of ours as one of Optax: a function of the count of steps, 0 at first.

    Raises:
        DiagnosticError: with every error of the spec; or the schedule keeps something between
            steps, so that it is no function of the count. Name it in the rule instead, as in
            `transformation("SGD(eta=Plateau)")`.
        HyperparameterError: as `transformation`.

    >>> import optdsl.optax
    >>> falling = optdsl.optax.schedule("Linear", eta_0=1.0, eta_1=0.0, T=4)
    >>> [float(falling(count)) for count in range(5)]
    [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    return schedule_of(_compiled(rule, unnamed), hyperparameters)


def _compiled(rule: str | Path, unnamed: Sequence[Any] = ()) -> Functions:
    from optdsl.codegen import compile_functions
    from optdsl.library import load_rule

    functions = compile_functions(load_rule(rule), "jax")
    names_of(functions).refuse_unnamed(unnamed)
    return functions

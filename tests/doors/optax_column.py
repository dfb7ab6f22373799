"""The column of Optax: every shipped definition, really tried."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import optdsl.optax
from optdsl.codegen import compile_functions
from optdsl.diagnostics import DiagnosticError
from optdsl.library import load_rule, load_system
from tests.optax.walking import ARGUMENTS, gap, gradients, start, with_arrays, with_optax

TITLE = "Optax"
STEPS = 3


def cell(name: str, family: str) -> str:
    """Return whether the door takes the steps of the arrays, or why it refuses."""
    try:
        if family == "schedule":
            return _schedule(name)
        return _optimizer(name) if family == "optimizer" else _transform(name)
    except DiagnosticError as error:
        return f"refused: {error.diagnostics[0].message}"


def _optimizer(name: str) -> str:
    arguments = ARGUMENTS.get(name, {})
    theirs = with_optax(name, "float64", arguments, steps=STEPS)
    assert gap(with_arrays(name, "float64", arguments, steps=STEPS), theirs, "float64") <= 1e-9
    functions = compile_functions(load_rule(name), "jax")
    if any(m.kind == "gradient" for case in functions.cases for m in case.meetings):
        return "works: with `grad_fn`"
    return "works: with `value`" if functions.losses else "works"


def _transform(name: str) -> str:
    with jax.enable_x64(True):
        transform = optdsl.optax.transformation(name)
        params = {key: jnp.asarray(array) for key, array in start("float64").items()}
        state = transform.init(params)
        update = jax.jit(transform.update)
        ours = optdsl.load(name, "reference")()
        for t in range(1, STEPS + 1):
            given = gradients(params, t)
            found, state = update(given, state, params)
            arrays = {key: np.asarray(array) for key, array in params.items()}
            plain = {key: np.asarray(g) for key, g in given.items()}
            expected = ours.update(plain, arrays)
            for key, array in expected.items():
                np.testing.assert_allclose(found[key], array, rtol=1e-9)
    return "works"


def _schedule(name: str) -> str:
    given = {h.local_name: 10.0 for h in load_system(name).hyperparameters if h.default is None}
    schedule = optdsl.optax.schedule(name, **given)
    with jax.enable_x64(True):
        values = [float(schedule(count)) for count in range(STEPS)]
    ours = optdsl.load(name, "reference")(**given)
    np.testing.assert_allclose(values, ours.values(STEPS), rtol=1e-9)
    return "works"

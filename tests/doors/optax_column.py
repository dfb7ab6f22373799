"""The column of Optax: every shipped definition, really tried."""

from __future__ import annotations

import jax
import numpy as np

import optdsl.optax
from optdsl.codegen import compile_functions
from optdsl.diagnostics import DiagnosticError
from optdsl.library import load_rule, load_system
from tests.optax.walking import ARGUMENTS, gap, with_arrays, with_optax

TITLE = "Optax"
STEPS = 3
BOUND = 1e-9  # of the displacement, in float64


def cell(name: str, family: str) -> str:
    """Return whether the door takes the steps of the arrays, or why it refuses."""
    try:
        if family == "schedule":
            return _schedule(name)
        if family == "optimizer":
            return _walked(name)
        _walked(in_a_rule(name, family))
        return "works" if _alone(name) else f"works: `{name} \\| ...`"
    except DiagnosticError as error:
        return f"refused: {error.diagnostics[0].message}"


def in_a_rule(name: str, family: str) -> str:
    """Return a composition with a definition that steps nothing by itself."""
    if family == "transform":
        return f"{name} | SGD"
    given = ", ".join(f"{key}={value:g}" for key, value in asked(name).items())
    return f"SGD(eta={name}({given}))"


def asked(name: str) -> dict[str, float]:
    """Return a value for each hyperparameter of a schedule that has no default."""
    return {h.local_name: 5.0 for h in load_system(name).hyperparameters if h.default is None}


def _walked(what: str) -> str:
    """Take some steps both ways; say what an update must be given."""
    functions = compile_functions(load_rule(what), "jax")
    heard = [slot.known_as for slot in functions.inputs]
    inputs = {t: dict.fromkeys(heard, 1.0 / t) for t in range(1, STEPS + 1)}
    arguments = ARGUMENTS.get(what, {})
    ours = with_arrays(what, "float64", arguments, steps=STEPS, inputs=inputs)
    theirs = with_optax(what, "float64", arguments, steps=STEPS, inputs=inputs)
    found = gap(ours, theirs, "float64")
    assert found <= BOUND, f"{what}: {found:.1e}"
    if any(m.kind == "gradient" for case in functions.cases for m in case.meetings):
        return "works: with `grad_fn`"
    return "works: with `value`" if functions.losses else "works"


def _alone(name: str) -> bool:
    try:
        optdsl.optax.transformation(name)
    except DiagnosticError:
        return False
    return True


def _schedule(name: str) -> str:
    try:
        schedule = optdsl.optax.schedule(name, **asked(name))
    except DiagnosticError:
        _walked(in_a_rule(name, "schedule"))
        return "works: in a rule"
    with jax.enable_x64(True):
        values = [float(schedule(count)) for count in range(STEPS)]
    ours = optdsl.load(name, "reference")(**asked(name))
    np.testing.assert_allclose(values, ours.values(STEPS), rtol=1e-9)
    return "works"

"""The column of Keras: every shipped definition, really tried on the PyTorch backend."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch

import optdsl
import optdsl.keras
from optdsl.diagnostics import DiagnosticError
from tests.doors.optax_column import in_a_rule
from tests.optax.walking import ARGUMENTS, gradients, loss, start

TITLE = "Keras"
STEPS = 3
BOUND = 1e-5  # of the largest entry: variables are float32


def cell(name: str, family: str) -> str:
    """Return whether the door takes the steps of the arrays, or why it refuses."""
    try:
        if family == "optimizer":
            return _walked(name)
        _walked(in_a_rule(name, family))
    except DiagnosticError as error:
        return f"refused: {error.diagnostics[0].message}"
    return f"works: `{name} \\| ...`" if family == "transform" else "works: in a rule"


def _walked(what: str) -> str:
    made = optdsl.keras.optimizer(what, "reference")
    arguments = ARGUMENTS.get(what, {})
    optimizer, params = made(**arguments), start("float32")
    ours = optdsl.load(what, "reference")({k: x.copy() for k, x in params.items()}, **arguments)
    heard = [slot.known_as for slot in ours.layout.inputs]
    variables = [keras.Variable(array, name=key.replace(".", "_")) for key, array in
                 params.items()]  # fmt: skip
    for t in range(1, STEPS + 1):
        inputs = dict.fromkeys(heard, 1.0 / t)
        point = {k: v.numpy().copy() for k, v in zip(params, variables, strict=True)}
        given, lost = gradients(point, t), loss(point)
        optimizer.scale_loss(torch.tensor(lost))
        optimizer.observe(**inputs)
        optimizer.apply([torch.from_numpy(g) for g in given.values()], variables)
        ours.step(given, loss=lost if ours.layout.losses else None, **inputs)
    for variable, expected in zip(variables, _arrays(ours), strict=True):
        gap = np.max(np.abs(variable.numpy() - expected)) / np.max(np.abs(expected))
        assert gap <= BOUND, f"{what}: {gap:.1e}"
    return "works: in `fit`, or with `scale_loss`" if ours.layout.losses else "works"


def _arrays(optimizer: optdsl.runtime.Optimizer) -> list[np.ndarray]:
    params = optimizer.groups[0]["params"]
    return list(params.values()) if isinstance(params, dict) else list(params)

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
from tests.optax.walking import ARGUMENTS, gradients, loss, start

TITLE = "Keras"
STEPS = 3
BOUND = 1e-5  # of the largest entry: variables are float32


def cell(name: str, family: str) -> str:
    """Return whether the door takes the steps of the arrays, or why it refuses."""
    try:
        made = optdsl.keras.optimizer(name, "reference")
    except DiagnosticError as error:
        return f"refused: {error.diagnostics[0].message}"
    arguments = ARGUMENTS.get(name, {})
    optimizer, params = made(**arguments), start("float32")
    ours = optdsl.load(name, "reference")({k: x.copy() for k, x in params.items()}, **arguments)
    variables = {key: keras.Variable(array, name=key.replace(".", "_")) for key, array in
                 params.items()}  # fmt: skip
    for t in range(1, STEPS + 1):
        point = {key: variable.numpy().copy() for key, variable in variables.items()}
        optimizer.scale_loss(torch.tensor(loss(point)))
        given = gradients(point, t)
        optimizer.apply([torch.from_numpy(g) for g in given.values()], list(variables.values()))
        ours.step(given, loss=loss(point) if ours.layout.losses else None)
    for place, variable in enumerate(variables.values()):
        expected = list(_arrays(ours))[place]
        gap = np.max(np.abs(variable.numpy() - expected)) / np.max(np.abs(expected))
        assert gap <= BOUND, f"{name}: {gap:.1e}"
    return "works: in `fit`, or with `scale_loss`" if ours.layout.losses else "works"


def _arrays(optimizer: optdsl.runtime.Optimizer) -> list[np.ndarray]:
    params = optimizer.groups[0]["params"]
    return list(params.values()) if isinstance(params, dict) else list(params)

"""Transforms and schedules written by hand, as `layouts` has optimizers."""

from __future__ import annotations

import numpy as np

from optdsl.runtime.layout import Combine, Guard, Pass, Scalars, StateSlot
from tests.runtime.layouts import layout, slot, squares, zeros


def clip():
    """ClipByGlobalNorm by itself."""

    def bound(_t, hyper, _step, out):
        out[0] = hyper[0]

    def fold(table, cohort, scalars, tensor, everything, partials):
        norm = np.sqrt(partials[:, 0].sum())
        c = scalars[cohort[table.identities[0]], 0]
        everything[0] = c / norm if norm > c else 1.0

    def scale(table, cohort, scalars, tensor, everything, partials):
        for _, _, (g, u) in table.rows():
            u[...] = everything[0] * g

    body = (
        Scalars(0, bound),
        Pass(0, ("g",), squares, reductions=1),
        Combine(0, fold),
        Pass(0, ("g", "u"), scale, writes=("u",)),
    )
    return layout(
        "ClipByGlobalNorm", family="transform", scalars=1, everything=1, buffers=("u",),
        hyperparameters=(slot("ClipByGlobalNorm", "c", 1.0, low_open=True),),
        ready=body, function=body, output="u",
    )  # fmt: skip


def accumulate():
    """Hands on the mean of every k gradients: a state, a clock and a skip of kind "step"."""

    def scalars(t, hyper, _step, out):
        out[0], out[1], out[2] = hyper[0], (t - 1) % hyper[0] == 0, t % hyper[0] != 0

    def add(table, cohort, scalars, tensor, everything, partials):
        for _, identity, (g, a, u) in table.rows():
            k, first, _ = scalars[cohort[identity]]
            a[...] = g + (0 if first else a)
            u[...] = a / k

    body = (
        Scalars(0, scalars),
        Pass(0, ("g", "a", "u"), add, writes=("a", "u")),
        Guard(0, "step", 2),
    )
    return layout(
        "Accumulate", family="transform", scalars=3, parts=2, buffers=("u",),
        hyperparameters=(slot("Accumulate", "k", 4.0, low=1.0, whole=True),),
        states=(StateSlot("a", "entry", zeros),), ready=body, function=body, output="u",
    )  # fmt: skip


def decay():
    """A penalty: u = g + c theta, which reads the parameters."""

    def scalars(_t, hyper, _step, out):
        out[0] = hyper[0]

    def add(table, cohort, scalars, tensor, everything, partials):
        for _, identity, (g, theta, u) in table.rows():
            u[...] = g + scalars[cohort[identity], 0] * theta

    body = (Scalars(0, scalars), Pass(0, ("g", "theta", "u"), add, writes=("u",)))
    return layout(
        "WeightDecay", family="transform", scalars=1, buffers=("u",),
        hyperparameters=(slot("WeightDecay", "lambda", 0.01, alias="weight_decay"),),
        ready=body, function=body, output="u",
    )  # fmt: skip


def restarts():
    """Cosine with restarts: two states of kind "step", the length of a cycle and its start."""

    def scalars(t, hyper, step, out):
        eta_max, eta_min, _, factor = hyper[:4]
        if t - step[0] > step[1]:
            step[0] += step[1]
            step[1] *= factor
        phase = (t - 1 - step[0]) / step[1]
        out[0] = eta_min + 0.5 * (eta_max - eta_min) * (1 + np.cos(np.pi * phase))

    return layout(
        "WarmRestarts", family="schedule", bind=None, scalars=1, result=0,
        hyperparameters=(
            slot("WarmRestarts", "eta_max", None),
            slot("WarmRestarts", "eta_min", 0.0),
            slot("WarmRestarts", "T_0", 10.0, low=1.0, whole=True),
            slot("WarmRestarts", "T_mult", 2.0, low=1.0, whole=True),
        ),
        states=(
            StateSlot("start", "step", zeros),
            StateSlot("length", "step", lambda _theta, hyper: hyper[2]),
        ),
        function=(Scalars(0, scalars),),
    )  # fmt: skip


def linear():
    """Linear warm-up; a schedule without states, with a formula for a default."""

    def scalars(t, hyper, _step, out):
        out[0] = hyper[0] * min(1.0, t / hyper[1])

    return layout(
        "Linear", family="schedule", bind=None, scalars=1, result=0,
        hyperparameters=(
            slot("Linear", "eta_1", 1.0),
            slot("Linear", "T", lambda _t, hyper: 10 * hyper[0], low_open=True),
        ),
        function=(Scalars(0, scalars),),
    )  # fmt: skip

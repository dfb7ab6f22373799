"""Layouts written by hand in plain NumPy: what a compiler would emit, without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optdsl.runtime.layout import (
    Ask,
    Combine,
    Guard,
    HyperparameterSlot,
    Layout,
    Pass,
    Scalars,
    StateSlot,
)


@dataclass
class Table:
    """Lists of arrays, one a stream, and the row of each tensor; one chunk a tensor."""

    arrays: Sequence[Sequence[Any]]
    identities: Sequence[int]

    @property
    def chunks(self) -> int:
        return max(1, len(self.identities))

    def rows(self):
        for place, identity in enumerate(self.identities):
            yield place, identity, [stream[place] for stream in self.arrays]


def slot(owner, name, default, low=0.0, high=np.inf, low_open=False, **more):
    return HyperparameterSlot(
        name, owner, name, default=default, low=low, high=high, low_open=low_open, **more
    )


def zeros(_theta, _hyper):
    return 0.0


def layout(name, **more):
    fields = {"family": "optimizer", "doc": f"{name}, by hand.", "bind": Table, **more}
    for field in ("hyperparameters", "states", "function"):
        fields.setdefault(field, ())
    for field in ("scalars", "tensor", "everything"):
        fields.setdefault(field, 0)
    fields.setdefault("parts", 1)
    return Layout(name, **{"ready": None, "iterate": None, **fields})


def adam_slots(part=0):
    return (
        slot("Adam", "eta", 0.001, alias="lr", part=part, doc="step size"),
        slot("Adam", "beta1", 0.9, high=1.0, alias="betas", alias_position=1, part=part),
        slot("Adam", "beta2", 0.999, high=1.0, alias="betas", alias_position=2, part=part),
        slot("Adam", "epsilon", 1e-8, alias="eps", part=part),
    )


def adam_scalars(first=0):
    def scalars(t, hyper, _step, out):
        eta, beta1, beta2, epsilon = hyper[first : first + 4]
        out[:6] = eta, beta1, beta2, epsilon, 1 - beta1**t, 1 - beta2**t

    return scalars


def adam_pass(scale_of=None):
    def run(table, cohort, scalars, tensor, everything, partials):
        for _, identity, (theta, g, m, v) in table.rows():
            eta, beta1, beta2, epsilon, c1, c2 = scalars[cohort[identity], :6]
            g = g if scale_of is None else g * g.dtype.type(scale_of(everything))
            m[...] = beta1 * m + (1 - beta1) * g
            v[...] = beta2 * v + (1 - beta2) * g * g
            theta -= (eta * (m / c1) / (np.sqrt(v / c2) + epsilon)).astype(theta.dtype)

    return run


ADAM_STREAMS = ("theta", "g", "m", "v")
ADAM_STATES = (StateSlot("m", "entry", zeros), StateSlot("v", "entry", zeros))


def adam():
    body = (
        Scalars(0, adam_scalars()),
        Pass(0, ADAM_STREAMS, adam_pass(), writes=("theta", "m", "v")),
    )
    return layout(
        "Adam", hyperparameters=adam_slots(), states=ADAM_STATES, scalars=6,
        ready=body, function=(Ask("g", "theta"), *body),
    )  # fmt: skip


def momentum():
    def scalars(_t, hyper, _step, out):
        out[:2] = hyper[:2]

    def run(table, cohort, scalars, tensor, everything, partials):
        for _, identity, (theta, g, v) in table.rows():
            gamma, eta = scalars[cohort[identity], :2]
            v[...] = gamma * v + eta * g
            theta -= v

    body = (Scalars(0, scalars), Pass(0, ("theta", "g", "v"), run, writes=("theta", "v")))
    return layout(
        "Momentum",
        hyperparameters=(
            slot("Momentum", "gamma", 0.9, high=1.0, alias="momentum"),
            slot("Momentum", "eta", None, alias="lr"),
        ),
        states=(StateSlot("v", "entry", zeros),), scalars=2,
        ready=body, function=(Ask("g", "theta"), *body),
    )  # fmt: skip


def nesterov():
    """Nesterov: `ready` stores phi = theta - gamma v, `function` stores theta."""

    def scalars(_t, hyper, _step, out):
        out[:3] = hyper[:3]  # gamma, eta, and gamma a step ahead

    def step(table, cohort, scalars, tensor, everything, partials):
        for _, identity, (theta, g, v) in table.rows():
            gamma, eta, later = scalars[cohort[identity], :3]
            true = theta + gamma * v
            v[...] = gamma * v + eta * g
            theta[...] = true - v - later * v

    def point(table, cohort, scalars, tensor, everything, partials):
        for _, identity, (theta, v, x) in table.rows():
            x[...] = theta - scalars[cohort[identity], 0] * v

    def step_theta(table, cohort, scalars, tensor, everything, partials):
        for _, identity, (theta, g, v) in table.rows():
            gamma, eta = scalars[cohort[identity], :2]
            v[...] = gamma * v + eta * g
            theta -= v

    def back(table, cohort, scalars, tensor, everything, partials):
        for _, identity, (theta, v, x) in table.rows():
            x[...] = theta + scalars[cohort[identity], 0] * v

    return layout(
        "Nesterov",
        hyperparameters=(
            slot("Nesterov", "gamma", 0.9, high=1.0, ahead=True),
            slot("Nesterov", "eta", 0.01, alias="lr"),
        ),
        states=(StateSlot("v", "entry", zeros),), scalars=3, buffers=("point", "iterate"),
        ready=(Scalars(0, scalars), Pass(0, ("theta", "g", "v"), step, writes=("theta", "v"))),
        function=(
            Scalars(0, scalars),
            Pass(0, ("theta", "v", "point"), point, writes=("point",)),
            Ask("g", "point"),
            Pass(0, ("theta", "g", "v"), step_theta, writes=("theta", "v")),
        ),
        iterate=(
            Scalars(0, scalars),
            Pass(0, ("theta", "v", "iterate"), back, writes=("iterate",)),
        ),
    )  # fmt: skip


def any_bad(table, cohort, scalars, tensor, everything, partials):
    for place, _, (g, *_rest) in table.rows():
        partials[place, 0] = not np.isfinite(g).all()


def fold_any(table, cohort, scalars, tensor, everything, partials):
    everything[0] = partials[:, 0].any()


def fold_any_each(table, cohort, scalars, tensor, everything, partials):
    for place, identity, _ in table.rows():
        tensor[identity, 0] = partials[place, 0]


def skip_adam(kind="all"):
    """`SkipNonfinite | Adam`, or the same tensor by tensor."""
    body = (
        Pass(0, ("g",), any_bad, reductions=1),
        Combine(0, fold_any if kind == "all" else fold_any_each),
        Guard(0, kind, 0),
        Scalars(1, adam_scalars()),
        Pass(1, ADAM_STREAMS, adam_pass(), writes=("theta", "m", "v")),
    )
    states = tuple(StateSlot(s.name, s.kind, s.start, part=1) for s in ADAM_STATES)
    return layout(
        "SkipNonfinite | Adam", hyperparameters=adam_slots(part=1), states=states, scalars=6,
        everything=1, tensor=1, parts=2, ready=body, function=(Ask("g", "theta"), *body),
    )  # fmt: skip


def squares(table, cohort, scalars, tensor, everything, partials):
    for place, _, (g, *_rest) in table.rows():
        partials[place, 0] = np.sum(np.square(g.astype(np.float64)))


def clip_adam():
    """`ClipByGlobalNorm | Adam`: `c` bounds the norm over all tensors, so all groups share it."""

    def bound(_t, hyper, _step, out):
        out[6] = hyper[0]

    def fold(table, cohort, scalars, tensor, everything, partials):
        norm = np.sqrt(partials[:, 0].sum())
        c = scalars[cohort[table.identities[0]], 6]
        everything[0] = c / norm if norm > c else 1.0

    body = (
        Scalars(0, bound),
        Pass(0, ("g",), squares, reductions=1),
        Combine(0, fold),
        Scalars(0, adam_scalars(first=1)),
        Pass(0, ADAM_STREAMS, adam_pass(lambda e: e[0]), writes=("theta", "m", "v")),
    )
    return layout(
        "ClipByGlobalNorm | Adam",
        hyperparameters=(slot("ClipByGlobalNorm", "c", 1.0, low_open=True), *adam_slots()),
        states=ADAM_STATES, scalars=7, everything=1, uniform=("c",),
        ready=body, function=(Ask("g", "theta"), *body),
    )  # fmt: skip


def counted():
    """theta -= (eta c + n + s) g, with states of kinds "step" c, "tensor" n and "all" s.

    c counts steps, n adds up the mean of |g| of a tensor, s that of all tensors.
    """

    def scalars(_t, hyper, step, out):
        step[0] = step[0] + 1
        out[0] = hyper[0] * step[0]

    def means(table, cohort, scalars, tensor, everything, partials):
        for place, _, (g,) in table.rows():
            partials[place] = np.abs(g).sum(), g.size

    def fold(table, cohort, scalars, tensor, everything, partials):
        for place, identity, _ in table.rows():
            total, size = partials[place]
            tensor[identity, 0] += total / size if size else 0.0
        everything[0] += partials[:, 0].sum() / max(1.0, partials[:, 1].sum())

    def move(table, cohort, scalars, tensor, everything, partials):
        for _, identity, (theta, g) in table.rows():
            factor = scalars[cohort[identity], 0] + tensor[identity, 0] + everything[0]
            theta -= (factor * g).astype(theta.dtype)

    body = (
        Scalars(0, scalars),
        Pass(0, ("g",), means, reductions=2),
        Combine(0, fold),
        Pass(0, ("theta", "g"), move, writes=("theta",)),
    )
    return layout(
        "Counted", hyperparameters=(slot("Counted", "eta", 0.01, alias="lr"),), scalars=1,
        states=(
            StateSlot("c", "step", zeros),
            StateSlot("n", "tensor", lambda _theta, hyper: hyper[0]),
            StateSlot("s", "all", zeros),
        ),
        tensor=1, everything=1, ready=body, function=(Ask("g", "theta"), *body),
    )  # fmt: skip


def sam():
    """Sharpness-aware descent: two gradients a step, the second of which is followed."""

    def scalars(_t, hyper, _step, out):
        out[:2] = hyper[:2]

    def fold(table, cohort, scalars, tensor, everything, partials):
        everything[0] = np.sqrt(partials[:, 0].sum())

    def climb(table, cohort, scalars, tensor, everything, partials):
        for _, identity, (theta, g, x) in table.rows():
            rho = scalars[cohort[identity], 1]
            x[...] = theta + rho * g / everything[0]

    def move(table, cohort, scalars, tensor, everything, partials):
        for _, identity, (theta, s, g, a) in table.rows():
            a[...] = a + g  # reads the first gradient after the second was asked for
            theta -= (scalars[cohort[identity], 0] * s).astype(theta.dtype)

    return layout(
        "SAM",
        hyperparameters=(slot("SAM", "eta", 0.1, alias="lr"), slot("SAM", "rho", 0.05)),
        states=(StateSlot("a", "entry", zeros),), scalars=2, everything=1, buffers=("x",),
        function=(
            Scalars(0, scalars),
            Ask("g", "theta"),
            Pass(0, ("g",), squares, reductions=1),
            Combine(0, fold),
            Pass(0, ("theta", "g", "x"), climb, writes=("x",)),
            Ask("s", "x"),
            Pass(0, ("theta", "s", "g", "a"), move, writes=("theta", "a")),
        ),
    )  # fmt: skip


def bfloat16_momentum():
    """Momentum whose state starts at theta and is stored in bfloat16."""

    def run(table, cohort, scalars, tensor, everything, partials):
        for _, _, (theta, g, v) in table.rows():
            v[...] = (0.5 * v.astype(theta.dtype) + g).astype(v.dtype)
            theta -= v.astype(theta.dtype)

    return layout(
        "Coarse",
        states=(StateSlot("v", "entry", lambda theta, _hyper: theta, storage="bfloat16"),),
        ready=(Pass(0, ("theta", "g", "v"), run, writes=("theta", "v")),),
        function=(),
    )  # fmt: skip

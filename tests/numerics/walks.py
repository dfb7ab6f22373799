"""Trajectories beside those of PyTorch and Optax, where these implement the same equations.

Every walker computes its own gradients at its own point, so that where a rule asks for them counts.
Tensors stay away from 0, so that their largest entry is a fair unit for a tensor of one entry too.

Left out, because the equations differ:
- Adagrad and RMSprop of torch have epsilon outside the root: they walk here with epsilon 0.
- Momentum and Nesterov of both multiply the velocity by eta: they walk at constant eta. Optax's
  parts, chained in the other order, have eta inside the velocity: they walk at an eta that moves.
- Exponential decay of Optax is computed in float32 for the steps it counts in int32.
- torch clips by c/(n + 1e-6): see the test of schedules and transforms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

import optdsl
from tests.numerics.subjects import STEPS

Array = Any
Shapes = tuple[tuple[int, ...], ...]
Gradient = Callable[[list[Array]], list[Array]]


class Landscape:
    """A bowl for each entry, and noise: step t asks for gradients at any point."""

    def __init__(self, shapes: Shapes, dtype: Any, poisoned: bool = False) -> None:
        random = np.random.default_rng(3)
        self.dtype = np.dtype(dtype)
        sides = [random.choice([-1.0, 1.0], size=shape) for shape in shapes]
        self.start = [self._cast(side * random.uniform(1, 2, side.shape)) for side in sides]
        self._centre = [self._cast(side * random.uniform(2, 3, side.shape)) for side in sides]
        self._slope = [self._cast(random.uniform(0.5, 1, side.shape)) for side in sides]
        self._noise = [self._cast(0.3 * random.normal(size=2 * side.size + 99)) for side in sides]
        self._poisoned = poisoned

    def _cast(self, array: Array) -> Array:
        return np.asarray(array, self.dtype)

    def steps(self) -> Iterator[Gradient]:
        random = np.random.default_rng(4)
        for t in range(STEPS):
            begins = [random.integers(0, each.size + 99) for each in self.start]
            poison = self._poisoned and t % 7 == 3
            yield lambda point, begins=begins, poison=poison: self._at(point, begins, poison)

    def _at(self, point: list[Array], begins: list[int], poison: bool) -> list[Array]:
        found = []
        for x, c, a, noise, begin in zip(
            point, self._centre, self._slope, self._noise, begins, strict=True
        ):
            found.append(self._cast(a * (x - c) + noise[begin : begin + x.size].reshape(x.shape)))
        if poison:
            found[-1].flat[0] = np.nan
        return found


Walk = Iterator[list[Array]]


def ours(rule: str, arguments: dict[str, Any], land: Landscape, function: bool = False) -> Walk:
    """Yield the arrays after each step; with `function`, the rule asks for the gradients itself."""
    arrays = [array.copy() for array in land.start]
    optimizer = optdsl.load(rule)(arrays, **arguments)
    for gradient in land.steps():
        optimizer.step(gradient if function else gradient(arrays))
        yield arrays


def with_torch(make: Callable[[list[Any]], Any], land: Landscape) -> Walk:
    """Yield the parameters of a torch optimizer; `make` may give (optimizer, scheduler) too."""
    parameters = [torch.tensor(array, requires_grad=True) for array in land.start]
    made = make(parameters)
    optimizer, *schedulers = made if isinstance(made, tuple) else (made,)
    for gradient in land.steps():
        point = [each.detach().numpy() for each in parameters]
        for parameter, g in zip(parameters, gradient(point), strict=True):
            parameter.grad = torch.from_numpy(g)
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
        yield point


def iterates_of_torch(optimizer_of: Callable[[list[Any]], Any], land: Landscape) -> Walk:
    """Yield theta = p + gamma eta b: torch's parameters p are Nesterov's point, b its buffer."""
    made: list[Any] = []

    def make(parameters: list[Any]) -> Any:
        made.append(optimizer_of(parameters))
        return made[0]

    for point in with_torch(make, land):
        (group,) = made[0].param_groups
        factor = group["momentum"] * group["lr"]
        buffers = [made[0].state[each]["momentum_buffer"].numpy() for each in group["params"]]
        yield [p + factor * b for p, b in zip(point, buffers, strict=True)]


def with_optax(make: Callable[[], optax.GradientTransformation], land: Landscape) -> Walk:
    """Yield the parameters under an Optax transformation."""
    with jax.enable_x64(True):
        transformation = make()

        @jax.jit
        def advance(gradients: Any, state: Any, parameters: Any) -> Any:
            updates, state = transformation.update(gradients, state, parameters)
            return optax.apply_updates(parameters, updates), state

        parameters = [jnp.asarray(array) for array in land.start]
        state = jax.jit(transformation.init)(parameters)
        for gradient in land.steps():
            point = [np.asarray(each) for each in parameters]
            parameters, state = advance(gradient(point), state, parameters)
            yield [np.asarray(each) for each in parameters]


@dataclass(frozen=True)
class Case:
    """A rule of ours, and those who walk by the same equations."""

    name: str
    rule: str
    arguments: dict[str, Any]
    peers: dict[str, Callable[[Landscape], Walk]]
    function: bool = False
    poisoned: bool = False
    needs: dict[str, dict[str, Any]] = field(default_factory=dict)  # schedules, made when it walks

    def __str__(self) -> str:
        return self.name

    def walk(self, land: Landscape) -> Walk:
        made = {
            name: optdsl.load(value.pop("schedule"))(**value)
            for name, value in ((n, dict(v)) for n, v in self.needs.items())
        }
        return ours(self.rule, {**self.arguments, **made}, land, self.function)


def _torch(make: Callable[[list[Any]], Any]) -> Callable[[Landscape], Walk]:
    return lambda land: with_torch(make, land)


def _optax(make: Callable[[], Any]) -> Callable[[Landscape], Walk]:
    return lambda land: with_optax(make, land)


def _falling(step: Any) -> Any:
    """Return an eta that moves, for Optax: its steps count from 0, ours from 1."""
    return 0.02 / (1 + 0.05 * step)


def _chained(nesterov: bool) -> Callable[[], optax.GradientTransformation]:
    return lambda: optax.chain(
        optax.scale_by_learning_rate(_falling), optax.trace(decay=0.9, nesterov=nesterov)
    )


def _scheduled(
    optimizer: Callable[[list[Any]], Any], scheduler: Callable[[Any], Any]
) -> Callable[[list[Any]], Any]:
    def make(parameters: list[Any]) -> Any:
        made = optimizer(parameters)
        return made, scheduler(made)

    return make


def _clipped(optimizer: Callable[[list[Any]], Any], length: float) -> Callable[[list[Any]], Any]:
    """Clip before each step; torch's own clipping adds 1e-6 to the norm, our equation does not."""

    def clip(parameters: list[Any]) -> None:
        norm = torch.sqrt(sum((each.grad.double() ** 2).sum() for each in parameters))
        for each in parameters:
            each.grad *= min(1.0, float(length / norm))

    def make(parameters: list[Any]) -> Any:
        made = optimizer(parameters)
        made.register_step_pre_hook(lambda *_: clip(parameters))
        return made

    return make


_DECAY = float(np.exp(-0.02))
_SGD, _ADAM = torch.optim.SGD, torch.optim.Adam
_LR = torch.optim.lr_scheduler
_NESTEROV = {"lr": 0.02, "momentum": 0.9, "nesterov": True}

CASES = (
    Case("SGD", "SGD", {"lr": 0.05}, {
        "torch": _torch(lambda p: _SGD(p, lr=0.05)),
        "optax": _optax(lambda: optax.sgd(0.05)),
    }),
    Case("SGD, Exponential", "SGD", {}, {
        "torch": _torch(_scheduled(
            lambda p: _SGD(p, lr=0.1 * _DECAY), lambda o: _LR.ExponentialLR(o, _DECAY))),
    }, needs={"lr": {"schedule": "Exponential", "eta_0": 0.1, "k": 0.02}}),
    Case("Momentum", "Momentum", {"lr": 0.02, "momentum": 0.9}, {
        "torch": _torch(lambda p: _SGD(p, lr=0.02, momentum=0.9)),
        "optax": _optax(lambda: optax.sgd(0.02, momentum=0.9)),
    }),
    Case("Momentum, moving eta", "Momentum", {"lr": lambda t: _falling(t - 1)}, {
        "optax": _optax(_chained(False)),
    }),
    Case("Nesterov", "Nesterov", {"lr": 0.02, "momentum": 0.9}, {
        "torch": _torch(lambda p: _SGD(p, **_NESTEROV)),
        "optax": _optax(lambda: optax.sgd(0.02, momentum=0.9, nesterov=True)),
    }),
    Case("Nesterov, asking", "Nesterov", {"lr": 0.02, "momentum": 0.9}, {
        "torch": lambda land: iterates_of_torch(lambda p: _SGD(p, **_NESTEROV), land),
    }, function=True),
    Case("Nesterov, moving eta", "Nesterov", {"lr": lambda t: _falling(t - 1)}, {
        "optax": _optax(_chained(True)),
    }),
    Case("Adagrad", "Adagrad", {"lr": 0.1, "eps": 1e-3}, {
        "optax": _optax(lambda: optax.adagrad(0.1, initial_accumulator_value=0.0, eps=1e-3)),
    }),
    Case("Adagrad, eps 0", "Adagrad", {"lr": 0.1, "eps": 0}, {
        "torch": _torch(lambda p: torch.optim.Adagrad(p, lr=0.1, eps=0)),
    }),
    Case("Adadelta", "Adadelta", {"rho": 0.9, "eps": 1e-3}, {
        "torch": _torch(lambda p: torch.optim.Adadelta(p, lr=1.0, rho=0.9, eps=1e-3)),
        "optax": _optax(lambda: optax.adadelta(1.0, rho=0.9, eps=1e-3)),
    }),
    Case("RMSprop", "RMSprop", {"lr": 0.01, "alpha": 0.9, "eps": 1e-3}, {
        "optax": _optax(lambda: optax.rmsprop(0.01, decay=0.9, eps=1e-3, eps_in_sqrt=True)),
    }),
    Case("RMSprop, eps 0", "RMSprop", {"lr": 0.01, "alpha": 0.9, "eps": 0}, {
        "torch": _torch(lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9, eps=0)),
    }),
    Case("Adam", "Adam", {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6}, {
        "torch": _torch(lambda p: _ADAM(p, lr=0.01, betas=(0.8, 0.99), eps=1e-6)),
        "optax": _optax(lambda: optax.adam(0.01, 0.8, 0.99, 1e-6)),
    }),
    Case("Adam, Cosine", "Adam", {}, {
        "torch": _torch(_scheduled(
            lambda p: _ADAM(p, lr=0.02), lambda o: _LR.CosineAnnealingLR(o, STEPS, 1e-3))),
        "optax": _optax(lambda: optax.adam(optax.cosine_decay_schedule(0.02, STEPS, 0.05))),
    }, needs={"lr": {"schedule": "Cosine", "eta_max": 0.02, "eta_min": 1e-3, "T": STEPS}}),
    Case("AdamW", "AdamW", {"lr": 0.01, "weight_decay": 0.1, "eps": 1e-3}, {
        "torch": _torch(lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, eps=1e-3)),
        "optax": _optax(lambda: optax.adamw(0.01, weight_decay=0.1, eps=1e-3)),
    }),
    Case("AdamW, WarmRestarts", "AdamW", {"weight_decay": 0.1}, {
        "torch": _torch(_scheduled(
            lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.1),
            lambda o: _LR.CosineAnnealingWarmRestarts(o, 30, 2, 1e-3))),
    }, needs={"lr": {
        "schedule": "WarmRestarts", "eta_max": 0.02, "eta_min": 1e-3, "T_0": 30, "T_mult": 2}}),
    Case("ClipByGlobalNorm | Adam", "ClipByGlobalNorm | Adam", {"lr": 0.01, "c": 2}, {
        "optax": _optax(lambda: optax.chain(optax.clip_by_global_norm(2), optax.adam(0.01))),
    }),
    Case("ClipByGlobalNorm | Momentum", "ClipByGlobalNorm | Momentum",
        {"lr": 0.01, "momentum": 0.9, "max_norm": 2.0}, {
        "torch": _torch(_clipped(lambda p: _SGD(p, lr=0.01, momentum=0.9), 2.0)),
    }),
    Case("SkipNonfinite | Adam", "SkipNonfinite | Adam", {"lr": 0.01}, {
        "optax": _optax(lambda: optax.apply_if_finite(optax.adam(0.01), STEPS)),
    }, poisoned=True),
    Case("WeightDecay | Momentum", "WeightDecay | Momentum", {"weight_decay": 0.1}, {
        "torch": _torch(lambda p: _SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1)),
        "optax": _optax(lambda: optax.chain(
            optax.add_decayed_weights(0.1), optax.sgd(0.01, momentum=0.9))),
    }),
    Case("WeightDecay | Adam", "WeightDecay | Adam", {"lr": 0.01, "weight_decay": 0.1}, {
        "torch": _torch(lambda p: _ADAM(p, lr=0.01, weight_decay=0.1)),
        "optax": _optax(lambda: optax.chain(optax.add_decayed_weights(0.1), optax.adam(0.01))),
    }),
)  # fmt: skip


def differences(
    case: Case, shapes: Shapes, dtype: Any, peers: list[str] | None = None
) -> dict[str, float]:
    """Return how far our trajectory parts from each other one, at most of all steps and tensors.

    In float64 it is the largest difference of a tensor over the largest displacement of one of its
    entries so far; in float32 over its largest entry.
    """
    land = Landscape(shapes, dtype, case.poisoned)
    gaps = {peer: Gap(land, dtype) for peer in peers or case.peers}
    walks = [case.peers[peer](land) for peer in gaps]
    for mine, *others in zip(case.walk(land), *walks, strict=True):
        for gap, theirs in zip(gaps.values(), others, strict=True):
            gap.widen(mine, theirs)
    return {peer: gap.worst for peer, gap in gaps.items()}


class Gap:
    """The largest difference between two trajectories so far."""

    def __init__(self, land: Landscape, dtype: Any) -> None:
        self.worst = 0.0
        self._dtype = np.dtype(dtype)
        self._start = land.start
        self._reach = [0.0] * len(land.start)

    def widen(self, mine: list[Array], theirs: list[Array]) -> None:
        for i, (x, y) in enumerate(zip(mine, theirs, strict=True)):
            assert x.dtype == y.dtype == self._dtype
            if x.size:
                gap = float(np.max(np.abs(x.astype(np.float64) - y)))
                unit = self._unit(i, y)
                self.worst = max(self.worst, gap / unit if gap <= unit else np.inf)

    def _unit(self, i: int, theirs: Array) -> float:
        if self._dtype == np.float32:
            return float(np.max(np.abs(theirs)))
        moved = float(np.max(np.abs(theirs - self._start[i])))
        self._reach[i] = max(self._reach[i], moved)
        return self._reach[i]

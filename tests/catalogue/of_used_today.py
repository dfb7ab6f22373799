"""The rules that people use today, beside others at the same equations."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import dadaptation
import jax
import jax.numpy as jnp
import numpy as np
import optax as ox
import prodigyopt
import pytorch_optimizer as po
import torch
from optax import contrib
from pytorch_optimizer.optimizer.grokfast import gradfilter_ema
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tests.catalogue.compare import Case, Peer, Walk, numpy, optax
from tests.catalogue.compare import torch as pytorch
from tests.numerics.walks import Landscape, with_torch

Array = Any
Loop = Generator[Array, Array, None]


def adan(theta: Array) -> Loop:
    """Adan by its paper: the first averages are the first values."""
    m = v = n = before = None
    while True:
        g = yield theta
        if m is None:
            m, v, n = g, 0 * g, g**2
        else:
            m = 0.98 * m + 0.02 * g
            v = 0.92 * v + 0.08 * (g - before)
            n = 0.99 * n + 0.01 * (g + 0.92 * (g - before)) ** 2
        before = g
        theta = (theta - 0.02 / (np.sqrt(n) + 1e-8) * (m + 0.92 * v)) / (1 + 0.1 * 0.02)


def yogi(theta: Array) -> Loop:
    """Yogi by its paper: nothing is corrected."""
    m = v = np.zeros_like(theta)
    while True:
        g = yield theta
        m = 0.9 * m + 0.1 * g
        v = v - 0.001 * np.sign(v - g**2) * g**2
        theta = theta - 0.01 * m / (np.sqrt(v) + 1e-3)


def schedule_free_adamw(land: Landscape) -> Walk:
    """Schedule-free AdamW by Algorithm 1 of its paper, at constant gamma; yield its averages x."""
    x = [array.copy() for array in land.start]
    z = [array.copy() for array in land.start]
    v = [np.zeros_like(array) for array in land.start]
    squares = 0.0
    for t, gradient in enumerate(land.steps(), 1):
        y = [0.1 * a + 0.9 * b for a, b in zip(z, x, strict=True)]
        gamma = 0.02 * float(np.sqrt(1 - 0.99**t))
        squares += gamma**2
        c = gamma**2 / squares
        for i, g in enumerate(gradient(y)):
            v[i] = 0.99 * v[i] + 0.01 * g**2
            z[i] = z[i] - gamma * g / (np.sqrt(v[i]) + 1e-8) - gamma * 0.1 * y[i]
            x[i] = (1 - c) * x[i] + c * z[i]
        yield x


def d_adapted_adam(land: Landscape) -> Walk:
    """D-Adaptation of Adam by its paper: sums weighed by the second moment of this step."""
    theta = [array.astype(np.float64) for array in land.start]
    m, v, s = ([np.zeros(array.shape) for array in theta] for _ in range(3))
    d, r, root = 0.01, 0.0, float(np.sqrt(0.99))
    for gradient in land.steps():
        at = [array.astype(land.dtype) for array in theta]
        gain = 0.0
        for i, g in enumerate(gradient(at)):
            g = g.astype(np.float64)
            m[i] = 0.9 * m[i] + 0.1 * d * g
            v[i] = 0.99 * v[i] + 0.01 * g**2
            gain += float((g * s[i] / (np.sqrt(v[i]) + 1e-8)).sum())
            s[i] = root * s[i] + (1 - root) * d * g
            theta[i] = theta[i] - m[i] / (np.sqrt(v[i]) + 1e-8)
        r = root * r + (1 - root) * d * gain
        d = max(d, r / ((1 - root) * sum(float(abs(each).sum()) for each in s)))
        yield [array.astype(land.dtype) for array in theta]


class Named:
    """Parameters under names, as a filter of gradients asks a module for them."""

    def __init__(self, parameters: list[Any]) -> None:
        self._parameters = parameters

    def named_parameters(self) -> Iterator[tuple[str, Any]]:
        return ((str(place), each) for place, each in enumerate(self._parameters))


class BehindGrokfast(torch.optim.SGD):
    """Plain descent behind the filter of pytorch_optimizer."""

    averages: Any = None

    def step(self, closure: Any = None) -> Any:
        (group,) = self.param_groups
        named: Any = Named(group["params"])
        self.averages = gradfilter_ema(named, self.averages, alpha=0.9, lamb=2.0)
        return super().step(closure)


def sharpness_aware(make: Callable[[], Any]) -> Peer:
    """Walk with SAM of Optax around another: one step of it is two updates."""

    def walk(land: Landscape) -> Walk:
        with jax.enable_x64(True):
            climb = ox.chain(contrib.normalize(), ox.sgd(0.1))
            transformation = contrib.sam(make(), climb, sync_period=2)
            point = [jnp.asarray(array) for array in land.start]
            state = transformation.init(point)
            for gradient in land.steps():
                for _ in range(2):
                    g = gradient([np.asarray(each) for each in point])
                    updates, state = transformation.update(g, state, point)
                    point = ox.apply_updates(point, updates)
                yield [np.asarray(each, land.dtype) for each in point]

    return walk


class WideASGD(torch.optim.ASGD):
    """ASGD of PyTorch, which keeps its step size and its weight in the default format."""

    def step(self, closure: Any = None) -> Any:
        before = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            return super().step(closure)
        finally:
            torch.set_default_dtype(before)


def averaged_sgd(land: Landscape) -> Walk:
    """Walk with ASGD of PyTorch; yield its averages."""
    made: list[Any] = []

    def make(parameters: list[Any]) -> Any:
        made.append(WideASGD(parameters, lr=0.05, lambd=0.01, t0=20))
        return made[0]

    for _ in with_torch(make, land):
        (group,) = made[0].param_groups
        yield [made[0].state[each]["ax"].numpy() for each in group["params"]]


def averaged_adam(land: Landscape) -> Walk:
    """Walk with Adam of PyTorch, averaged by its `swa_utils`; yield the averages."""
    module = torch.nn.Module()
    for place, start in enumerate(land.start):
        module.register_parameter(str(place), torch.nn.Parameter(torch.tensor(start)))
    averages = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    averages.update_parameters(module)  # the first one copies: the average starts at the start
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    for gradient in land.steps():
        parameters = list(module.parameters())
        point = [each.detach().numpy() for each in parameters]
        for parameter, g in zip(parameters, gradient(point), strict=True):
            parameter.grad = torch.from_numpy(g)
        optimizer.step()
        averages.update_parameters(module)
        yield [each.detach().numpy() for each in averages.module.parameters()]


def schedule_free(make: Callable[[], Any]) -> Peer:
    """Walk with a schedule-free transformation of Optax; yield its averages x."""

    def walk(land: Landscape) -> Walk:
        with jax.enable_x64(True):
            transformation = make()
            y = [jnp.asarray(array) for array in land.start]
            state = transformation.init(y)
            for gradient in land.steps():
                g = gradient([np.asarray(each) for each in y])
                updates, state = transformation.update(g, state, y)
                y = ox.apply_updates(y, updates)
                x = contrib.schedule_free_eval_params(state, y)
                yield [np.asarray(each, land.dtype) for each in x]

    return walk


def height(point: list[Array]) -> float:
    """A loss that falls, with a floor at 0.1; no rule can tell that the gradients are another's."""
    return 0.1 + sum(float((np.asarray(each, np.float64) ** 2).sum()) for each in point) / 100


def reading_the_loss(make: Callable[[], Any]) -> Peer:
    """Walk with a transformation of Optax that is handed the loss as `value`."""

    def walk(land: Landscape) -> Walk:
        with jax.enable_x64(True):
            transformation = make()
            point = [jnp.asarray(array) for array in land.start]
            state = transformation.init(point)
            for gradient in land.steps():
                arrays = [np.asarray(each) for each in point]
                g, value = gradient(arrays), height(arrays)
                updates, state = transformation.update(g, state, point, value=value)
                point = ox.apply_updates(point, updates)
                yield [np.asarray(each, land.dtype) for each in point]

    return walk


def corrected(t: int) -> float:
    """The correction of Adam's moments, for the betas 0.9 and 0.99, as a factor of eta."""
    return float(np.sqrt(1 - 0.99**t) / (1 - 0.9**t))


_BETAS = {"betas": (0.9, 0.99)}
_ADAN = {"lr": 0.02, "weight_decay": 0.1}
_ESTIMATED = "epsilon next to 0: the paper scales it by the last d, libraries by the new one"

CASES = (
    Case("RAdam", {"lr": 0.02, **_BETAS, "threshold": 5}, "optax.radam",
         optax(lambda: ox.radam(0.02, b1=0.9, b2=0.99)), note="threshold 5"),
    Case("RAdamTorch", {"lr": 0.02, **_BETAS, "eps": 1e-3}, "torch.optim.RAdam",
         pytorch(lambda p: torch.optim.RAdam(p, lr=0.02, betas=(0.9, 0.99), eps=1e-3))),
    Case("LAMB", {"lr": 0.02, **_BETAS, "weight_decay": 0.1}, "optax.lamb",
         optax(lambda: ox.lamb(0.02, b1=0.9, b2=0.99, weight_decay=0.1))),
    Case("Lion", {"lr": 0.02, "weight_decay": 0.1}, "optax.lion",
         optax(lambda: ox.lion(0.02, b1=0.9, b2=0.99, weight_decay=0.1))),
    Case("SignSGD", {"lr": 0.02}, "optax.sign_sgd", optax(lambda: ox.sign_sgd(0.02))),
    Case("Signum", {"lr": 0.02}, "optax.signum", optax(lambda: ox.signum(0.02, beta=0.9))),
    Case("Tiger", {"lr": 0.02}, "pytorch_optimizer.Tiger",
         pytorch(lambda p: po.Tiger(p, lr=0.02, beta=0.965, weight_decay=0.01))),
    Case("Yogi", {}, "NumPy", numpy(yogi)),
    Case("YogiCorrected", {"lr": 0.02}, "optax.yogi", optax(lambda: ox.yogi(0.02))),
    Case("Adan", _ADAN, "NumPy", numpy(adan)),
    Case("AdanCorrected", _ADAN, "pytorch_optimizer.Adan", pytorch(lambda p: po.Adan(p, **_ADAN))),
    Case("NovoGrad", {"lr": 0.02, "betas": (0.9, 0.25), "weight_decay": 0.1}, "optax.novograd",
         optax(lambda: ox.novograd(0.02, eps=1e-8, weight_decay=0.1))),
    Case("AdEMAMix", {"lr": 0.01, "betas": (0.9, 0.99, 0.95), "weight_decay": 0.1},
         "optax.contrib.ademamix",
         optax(lambda: contrib.ademamix(0.01, b2=0.99, b3=0.95, weight_decay=0.1))),
    Case("MADGRAD", {"lr": 0.02 + 1e-6}, "pytorch_optimizer.MADGRAD",
         pytorch(lambda p: po.MADGRAD(p, lr=0.02)), note="it adds epsilon to eta"),
    Case("Prodigy", {**_BETAS, "eps": 1e-30, "d0": 0.01}, "prodigyopt.Prodigy",
         pytorch(lambda p: prodigyopt.Prodigy(p, betas=(0.9, 0.99), eps=1e-30, d0=0.01)),
         note=_ESTIMATED),
    Case("Prodigy", {"lr": corrected, **_BETAS, "eps": 0.0, "d0": 0.01}, "optax.contrib.prodigy",
         optax(lambda: contrib.prodigy(betas=(0.9, 0.99), eps=0.0, estim_lr0=0.01)),
         note="Optax corrects the moments; " + _ESTIMATED),
    Case("DAdaptAdam", {**_BETAS, "d0": 0.01}, "NumPy", d_adapted_adam),
    Case("DAdaptAdamLagged", {**_BETAS, "d0": 0.01}, "dadaptation.DAdaptAdam",
         pytorch(lambda p: dadaptation.DAdaptAdam(p, betas=(0.9, 0.99), d0=0.01))),
    Case("DAdaptAdamLagged", {"lr": corrected, **_BETAS, "d0": 0.01}, "optax.contrib.dadapt_adamw",
         optax(lambda: contrib.dadapt_adamw(betas=(0.9, 0.99), estim_lr0=0.01)),
         note="Optax corrects the moments"),
    Case("DAdaptSGD", {"d0": 0.01}, "dadaptation.DAdaptSGD",
         pytorch(lambda p: dadaptation.DAdaptSGD(p, momentum=0.9, d0=0.01))),
    Case("ScheduleFreeSGD", {"lr": 0.1}, "optax.contrib.schedule_free_sgd",
         schedule_free(lambda: contrib.schedule_free_sgd(0.1)), function=True),
    Case("ScheduleFreeAdamW", {"lr": 0.02, "betas": (0.9, 0.99), "weight_decay": 0.1}, "NumPy",
         schedule_free_adamw, function=True),
    Case("ScheduleFreeAdamWCorrected", {"lr": 0.02, "betas": (0.9, 0.99), "weight_decay": 0.1},
         "optax.contrib.schedule_free_adamw",
         schedule_free(lambda: contrib.schedule_free_adamw(0.02, b2=0.99, weight_decay=0.1)),
         function=True),
    Case("SharpnessAwareSGD", {"lr": 0.05, "rho": 0.1}, "optax.contrib.sam",
         sharpness_aware(lambda: ox.sgd(0.05)), function=True),
    Case("SAM(Adam)", {"lr": 0.05, "rho": 0.1}, "optax.contrib.sam",
         sharpness_aware(lambda: ox.adam(0.05)), function=True),
    Case("Lookahead(Adam)", {"lr": 0.05, "k": 6}, "pytorch_optimizer.Lookahead",
         pytorch(lambda p: po.Lookahead(torch.optim.Adam(p, lr=0.05), k=6, alpha=0.5))),
    Case("ASGD", {"lr": 0.05, "lambd": 0.01, "t0": 20}, "torch.optim.ASGD", averaged_sgd,
         evaluated=True, note="the averages"),
    Case("ASGD", {"lr": 0.05, "lambd": 0.01, "t0": 20}, "torch.optim.ASGD",
         pytorch(lambda p: WideASGD(p, lr=0.05, lambd=0.01, t0=20))),
    Case("EMA(Adam)", {"lr": 0.05, "decay": 0.9}, "torch.optim.swa_utils", averaged_adam,
         evaluated=True),
    Case("Polyak", {"f_min": 0.1}, "optax.polyak_sgd",
         reading_the_loss(lambda: ox.polyak_sgd(max_learning_rate=1e9, f_min=0.1)), loss=height),
    Case("StochasticPolyak", {"lr": 0.02, "c": 1, "f_min": 0.1}, "optax.polyak_sgd",
         reading_the_loss(lambda: ox.polyak_sgd(max_learning_rate=0.02, f_min=0.1)), loss=height),
    Case("AdafactorUnfactored", {"lr": 0.05}, "torch.optim.Adafactor",
         pytorch(lambda p: torch.optim.Adafactor(p, lr=0.05, eps=(1e-30, 1e-3))),
         shapes=((7,), (30,), (1,)), note="on vectors, which have no factors"),
    Case("Grokfast | SGD", {"alpha": 0.9, "lr": 0.02}, "pytorch_optimizer.gradfilter_ema",
         pytorch(lambda p: BehindGrokfast(p, lr=0.02))),
)  # fmt: skip

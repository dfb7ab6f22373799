"""The rules of the source documents, beside others at the same equations."""

from __future__ import annotations

import optax as ox
import pytorch_optimizer as po
import torch.optim as to

from tests.catalogue import loops
from tests.catalogue.compare import STEPS, Case, numpy, optax, torch

ADAM = {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-4}
OURS = {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-4}
BELIEF = {"lr": 0.01, "betas": (0.9, 0.99), "eps": 1e-8}
MATRICES = ((7, 2), (5, 3), (2, 3, 4))


def falling(step):
    """Return a step size that moves; `step` counts from 0."""
    return 0.02 / (1 + 0.05 * step)


def with_falling(make):
    """Return an optimizer of PyTorch whose step size falls."""

    def build(parameters):
        import torch.optim.lr_scheduler as schedulers

        made = make(parameters)
        return made, schedulers.LambdaLR(made, lambda k: 1 / (1 + 0.05 * k))

    return torch(build)


class ExactQHAdam(po.QHAdam):
    """Keeps its corrections in the format of the parameters, where the original rounds them."""

    def init_group(self, group, **kwargs):
        super().init_group(group, **kwargs)
        for each in group["params"]:
            for name in ("beta1_weight", "beta2_weight"):
                self.state[each][name] = self.state[each][name].to(each.dtype)


def moving(t):
    return falling(t - 1)


CASES = (
    Case("SGD", {"lr": 0.05}, "torch.optim.SGD", torch(lambda p: to.SGD(p, lr=0.05))),
    Case("SGD", {"lr": moving}, "optax.sgd", optax(lambda: ox.sgd(falling))),
    Case(
        "Momentum",
        {"lr": moving},
        "optax.trace",
        optax(lambda: ox.chain(ox.scale_by_learning_rate(falling), ox.trace(0.9))),
    ),
    Case(
        "MomentumOutside",
        {"lr": moving},
        "torch.optim.SGD",
        with_falling(lambda p: to.SGD(p, lr=0.02, momentum=0.9)),
    ),
    Case(
        "MomentumAverage",
        {"lr": 0.05, "momentum": 0.8},
        "NumPy",
        numpy(loops.momentum_averaged(0.05, 0.8)),
    ),
    Case(
        "MomentumAverage",
        {"lr": 0.05, "momentum": 0.8},
        "torch.optim.SGD",
        torch(lambda p: to.SGD(p, lr=0.01, momentum=0.8)),
        note="its step size is (1 - momentum) times ours",
    ),
    Case(
        "Nesterov",
        {"lr": 0.02, "momentum": 0.9},
        "torch.optim.SGD",
        torch(lambda p: to.SGD(p, lr=0.02, momentum=0.9, nesterov=True)),
    ),
    Case(
        "SGDW",
        {"lr": 0.02, "weight_decay": 0.1},
        "NumPy",
        numpy(loops.sgdw(0.02, 0.9, 0.1)),
    ),
    Case(
        "SGDWAfter",
        {"lr": 0.02, "weight_decay": 0.1},
        "NumPy",
        numpy(loops.sgdw_after(0.02, 0.9, 0.1)),
    ),
    Case(
        "PenalisedSGD",
        {"lr": 0.05, "weight_decay": 0.1},
        "torch.optim.SGD",
        torch(lambda p: to.SGD(p, lr=0.05, weight_decay=0.1)),
    ),
    Case(
        "DecayedSGD",
        {"lr": 0.05, "factor": 0.995},
        "pytorch_optimizer.SGDW",
        torch(lambda p: po.SGDW(p, lr=0.05, weight_decay=0.1)),
        note="its weight decay times the step size is 1 - factor",
    ),
    Case(
        "Adagrad",
        {"lr": 0.1, "eps": 1e-3},
        "optax.adagrad",
        optax(lambda: ox.adagrad(0.1, initial_accumulator_value=0.0, eps=1e-3)),
    ),
    Case(
        "AdagradOutside",
        {"lr": 0.1, "eps": 1e-3},
        "torch.optim.Adagrad",
        torch(lambda p: to.Adagrad(p, lr=0.1, eps=1e-3)),
    ),
    Case(
        "Adadelta",
        {"rho": 0.9, "eps": 1e-3},
        "torch.optim.Adadelta",
        torch(lambda p: to.Adadelta(p, lr=1.0, rho=0.9, eps=1e-3)),
    ),
    Case(
        "RMSprop",
        {"lr": 0.01, "alpha": 0.9, "eps": 1e-3},
        "optax.rmsprop",
        optax(lambda: ox.rmsprop(0.01, decay=0.9, eps=1e-3, eps_in_sqrt=True)),
    ),
    Case(
        "RMSpropOutside",
        {"lr": 0.01, "alpha": 0.9, "eps": 1e-3},
        "torch.optim.RMSprop",
        torch(lambda p: to.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-3)),
    ),
    Case(
        "RMSpropMomentum",
        {"lr": 0.01, "alpha": 0.9, "eps": 1e-3, "momentum": 0.8},
        "torch.optim.RMSprop",
        torch(lambda p: to.RMSprop(p, lr=0.01, alpha=0.9, eps=1e-3, momentum=0.8)),
    ),
    Case(
        "RMSpropTF",
        {"lr": moving, "alpha": 0.9, "eps": 1e-3, "momentum": 0.8},
        "optax.rmsprop",
        optax(lambda: ox.rmsprop(falling, decay=0.9, eps=1e-3, initial_scale=1.0, momentum=0.8)),
    ),
    Case("Adam", OURS, "torch.optim.Adam", torch(lambda p: to.Adam(p, **ADAM))),
    Case(
        "AdamW",
        {**OURS, "weight_decay": 0.1},
        "torch.optim.AdamW",
        torch(lambda p: to.AdamW(p, **ADAM, weight_decay=0.1)),
    ),
    Case("AdamUncorrected", OURS, "NumPy", numpy(loops.adam_uncorrected(0.01, 0.9, 0.99, 1e-4))),
    Case(
        "AdaMax",
        {"lr": 0.01, "beta1": 0.9, "beta2": 0.99},
        "torch.optim.Adamax",
        torch(lambda p: to.Adamax(p, lr=0.01, betas=(0.9, 0.99), eps=0)),
        note="with its eps at 0",
    ),
    Case("AdaMaxEpsilon", OURS, "torch.optim.Adamax", torch(lambda p: to.Adamax(p, **ADAM))),
    Case(
        "AdaMaxEpsilon",
        OURS,
        "optax.adamax",
        optax(lambda: ox.adamax(0.01, b1=0.9, b2=0.99, eps=1e-4)),
    ),
    Case("Nadam", OURS, "NumPy", numpy(loops.nadam(0.01, 0.9, 0.99, 1e-4))),
    Case(
        "NadamDozat",
        OURS,
        "optax.nadam",
        optax(lambda: ox.nadam(0.01, b1=0.9, b2=0.99, eps=1e-4)),
    ),
    Case("NAdam", OURS, "torch.optim.NAdam", torch(lambda p: to.NAdam(p, **ADAM))),
    Case("AMSGrad", OURS, "NumPy", numpy(loops.amsgrad_printed(0.01, 0.9, 0.99, 1e-4))),
    Case(
        "AMSGradMaxThenCorrect",
        OURS,
        "torch.optim.Adam",
        torch(lambda p: to.Adam(p, **ADAM, amsgrad=True)),
    ),
    Case(
        "AMSGradCorrectThenMax",
        OURS,
        "optax.amsgrad",
        optax(lambda: ox.amsgrad(0.01, b1=0.9, b2=0.99, eps=1e-4)),
    ),
    Case(
        "AMSGradPrevious",
        OURS,
        "NumPy",
        numpy(loops.amsgrad_printed(0.01, 0.9, 0.99, 1e-4, of_all=False)),
    ),
    Case(
        "AdamRestarts",
        {**OURS, "k": 15},
        "NumPy",
        numpy(loops.adam_restarted(0.01, 0.9, 0.99, 1e-4, 15)),
    ),
    Case(
        "QHM",
        {"lr": 0.05, "momentum": 0.9, "nu": 0.7},
        "pytorch_optimizer.QHM",
        torch(lambda p: po.QHM(p, lr=0.05, momentum=0.9, nu=0.7)),
    ),
    Case(
        "QHAdam",
        {**OURS, "nu1": 0.7, "nu2": 0.9},
        "pytorch_optimizer.QHAdam",
        torch(lambda p: ExactQHAdam(p, **ADAM, nus=(0.7, 0.9))),
        note="its corrections kept in the parameters' format",
    ),
    Case(
        "AggMo",
        {"lr": 0.02},
        "pytorch_optimizer.AggMo",
        torch(lambda p: po.AggMo(p, lr=0.02)),
    ),
    Case(
        "PowerSign",
        {"lr": 0.01},
        "NumPy",
        numpy(loops.power_sign(0.01, 2.718281828459045, 0.9, lambda t: 1)),
    ),
    Case("AddSign", {"lr": 0.01}, "NumPy", numpy(loops.add_sign(0.01, 1, 0.9, lambda t: 1))),
    *(
        Case(
            rule,
            {"lr": 0.01, "alpha": 2, "f": f},
            "NumPy",
            numpy(loop(0.01, 2, 0.9, f)),
            note=f"with {name} decay",
        )
        for rule, loop in (("PowerSign", loops.power_sign), ("AddSign", loops.add_sign))
        for name, f in (
            ("linear", loops.linear(STEPS)),
            ("cyclical", loops.cyclical(STEPS, 3)),
            ("restarting", loops.restarting(STEPS, 3)),
        )
    ),
    Case(
        "AdaBelief",
        {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8},
        "pytorch_optimizer.AdaBelief",
        torch(lambda p: po.AdaBelief(p, **BELIEF, rectify=False)),
    ),
    Case(
        "AdaBeliefOutside",
        {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8},
        "pytorch_optimizer.AdaBelief",
        torch(lambda p: po.AdaBelief(p, **BELIEF, rectify=False)),
    ),
    Case(
        "AdaBeliefBox",
        {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "low": -1.8, "high": 1.6},
        "NumPy",
        numpy(loops.adabelief_in_a_box(0.1, 0.9, 0.99, 1e-8, -1.8, 1.6)),
    ),
    Case(
        "LARS",
        {"lr": 0.05, "trust": 0.5, "weight_decay": 0.01, "momentum": 0.9},
        "pytorch_optimizer.LARS",
        torch(
            lambda p: po.LARS(p, lr=0.05, trust_coefficient=0.5, weight_decay=0.01, momentum=0.9)
        ),
        shapes=MATRICES,
    ),
    Case(
        "LARS",
        {"lr": moving, "trust": 0.5, "weight_decay": 0, "momentum": 0.9},
        "optax.lars",
        optax(lambda: ox.lars(falling, trust_coefficient=0.5, momentum=0.9)),
        note="without weight decay",
    ),
    Case(
        "SWATS",
        {**OURS, "delta": 1e-4},
        "NumPy",
        numpy(loops.swats(0.01, 0.9, 0.99, 1e-4, 1e-4)),
        note="which switches at step 11",
        shapes=((5, 3),),
    ),
    Case(
        "LocalGains",
        {"lr": 0.05, "beta": 0.1},
        "NumPy",
        numpy(loops.local_gains(0.05, 0.1)),
    ),
    Case("Rprop", {"lr": 0.01}, "torch.optim.Rprop", torch(lambda p: to.Rprop(p, lr=0.01))),
    Case("RpropMinus", {"lr": 0.01}, "NumPy", numpy(loops.rprop(0.01, back=False))),
    Case("RpropPlus", {"lr": 0.01}, "NumPy", numpy(loops.rprop(0.01, back=True))),
)

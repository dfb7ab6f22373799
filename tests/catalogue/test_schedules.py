"""Every schedule, value by value over 10,000 steps, beside PyTorch and Optax.

Where neither has it, a plain loop over the paper's text stands in.
"""

import math

import numpy as np
import optax
import pytest
import torch

import optdsl
from tests.catalogue.schedule_values import STEPS, check, loop, optax_values, torch_values

LR = torch.optim.lr_scheduler


def values(name, **hyperparameters):
    return optdsl.load(name)(**hyperparameters).values(STEPS)


def test_constant():
    check(values("Constant", value=0.1), torch_values(lambda o: LR.ConstantLR(o, 1.0)))
    check(values("Constant", value=0.1), optax_values(optax.constant_schedule(0.1)))


def test_exponential_starts_one_decay_further_on():
    # The lecture's t is 1 at the first step; the libraries' is 0.
    decay = math.exp(-0.001)
    ours = values("Exponential", value=0.1, k=0.001) / decay
    check(ours, torch_values(lambda o: LR.ExponentialLR(o, decay)))
    check(ours, optax_values(optax.exponential_decay(0.1, 1, decay)))


def test_halving():
    check(values("Halving", value=0.1), torch_values(lambda o: LR.ExponentialLR(o, 0.5)) / 2)


def test_inverse():
    theirs = torch_values(lambda o: LR.LambdaLR(o, lambda epoch: 1 / (1 + 0.003 * (epoch + 1))))
    check(values("Inverse", value=0.1, rate=0.003), theirs)


@pytest.mark.parametrize("every", [1, 7, 3000])
def test_step(every):
    ours = values("Step", value=0.1, factor=0.7, step_size=every)
    boundaries = tuple(range(every + 1, STEPS, every))[:5]
    check(ours, torch_values(lambda o: LR.StepLR(o, every, 0.7)), boundaries)
    theirs = optax.exponential_decay(0.1, every, 0.7, staircase=True)
    check(ours, optax_values(theirs), boundaries)


@pytest.mark.parametrize("milestones", [(30, 80), (1, 4000)])
def test_multi_step(milestones):
    ours = values("MultiStep", value=0.1, factor=0.2, milestones=milestones)
    boundaries = tuple(m + 1 for m in milestones)
    check(ours, torch_values(lambda o: LR.MultiStepLR(o, milestones, 0.2)), boundaries)
    theirs = optax.piecewise_constant_schedule(0.1, dict.fromkeys(milestones, 0.2))
    check(ours, optax_values(theirs), boundaries)


def test_multi_step_with_as_many_milestones_as_are_given():
    made = optdsl.load("MultiStep(milestones=(5, 50, 500))")(value=0.1, factor=0.5)
    theirs = torch_values(lambda o: LR.MultiStepLR(o, [5, 50, 500], 0.5))
    check(made.values(STEPS), theirs, (6, 51, 501))


@pytest.mark.parametrize("power", [0.5, 1, 2, 3.5])
def test_polynomial(power):
    ours = values("Polynomial", value=0.1, power=power, steps=8000)
    check(ours, torch_values(lambda o: LR.PolynomialLR(o, 8000, power)), (8001,))
    ours = values("Polynomial", value=0.1, end=0.02, power=power, steps=8000)
    check(ours, optax_values(optax.polynomial_schedule(0.1, 0.02, power, 8000)), (8001,))


@pytest.mark.parametrize("ends", [(0.0, 0.1), (0.1, 0.0), (0.02, 0.1)])
def test_linear(ends):
    ours = values("Linear", start=ends[0], end=ends[1], steps=6000)
    check(ours, optax_values(optax.linear_schedule(*ends, 6000)), (6001,))


def test_linear_beside_torch():
    theirs = torch_values(lambda o: LR.LinearLR(o, 0.25, 1.0, 6000))
    check(values("Linear", start=0.025, end=0.1, steps=6000), theirs, (6001,))


@pytest.mark.parametrize("low", [0.0, 0.01])
def test_cosine(low):
    ours = values("Cosine", value=0.1, eta_min=low, steps=STEPS)
    theirs = optax.cosine_decay_schedule(0.1, STEPS, alpha=low / 0.1)
    check(ours, optax_values(theirs))
    check(ours, torch_values(lambda o: LR.CosineAnnealingLR(o, STEPS, eta_min=low)))
    ours = values("Cosine", value=0.1, eta_min=low, steps=4000)
    theirs = optax.cosine_decay_schedule(0.1, 4000, alpha=low / 0.1)
    check(ours, optax_values(theirs), (4001,))


@pytest.mark.parametrize(("first", "factor"), [(1, 1), (7, 1), (50, 2), (1000, 3)])
def test_warm_restarts(first, factor):
    ours = values("WarmRestarts", value=0.1, eta_min=0.01, T_0=first, T_mult=factor)
    theirs = torch_values(lambda o: LR.CosineAnnealingWarmRestarts(o, first, factor, 0.01))
    check(ours, theirs, (first + 1, first + factor * first + 1))


def one_cycle_of_torch(optimizer, **options):
    return LR.OneCycleLR(optimizer, 0.1, STEPS + 1, cycle_momentum=False, **options)


@pytest.mark.parametrize("share", [0.3, 0.05, 0.9])
def test_one_cycle(share):
    ours = values("OneCycle", max_lr=0.1, total_steps=STEPS + 1, pct_start=share)
    theirs = torch_values(lambda o: one_cycle_of_torch(o, pct_start=share))
    check(ours, theirs, (round(share * STEPS),))


def test_one_cycle_with_other_ends():
    ours = values("OneCycle", total_steps=STEPS + 1, div_factor=4, final_div_factor=2)
    theirs = torch_values(lambda o: one_cycle_of_torch(o, div_factor=4, final_div_factor=2))
    check(ours, theirs)
    after = optdsl.load("OneCycle")(total_steps=20).values(25)
    assert (after[19:] == after[19]).all()


def cycles_of_torch(mode, n):
    return torch_values(
        lambda o: LR.CyclicLR(o, 0.01, 0.1, n, mode=mode, gamma=0.999, cycle_momentum=False)
    )


@pytest.mark.parametrize("n", [6, 10, 1500])  # torch overflows after 1024 cycles
@pytest.mark.parametrize(
    ("name", "mode", "more"),
    [
        ("Triangular", "triangular", {}),
        ("Triangular2", "triangular2", {}),
        ("ExpRange", "exp_range", {"gamma": 0.999}),
    ],
)
def test_triangular(name, mode, more, n):
    ours = values(name, base_lr=0.01, max_lr=0.1, stepsize=n, **more)
    check(ours, cycles_of_torch(mode, n), tuple(k * n + 1 for k in range(1, 5)))


@pytest.mark.parametrize(("width", "warm_up"), [(512, 4000), (64, 1)])
def test_transformer(width, warm_up):
    # Vaswani et al. 2017, equation 3, whose step_num counts from 1.
    theirs = loop(lambda t: width**-0.5 * min(t**-0.5, t * warm_up**-1.5))
    check(values("Transformer", d_model=width, warmup_steps=warm_up), theirs, (warm_up,))


@pytest.mark.parametrize(("up", "level", "down"), [(1000, 6000, 2000), (1, 0, 9000), (0, 10, 5)])
def test_warmup_stable_decay(up, level, down):
    pieces = [
        optax.linear_schedule(0.0, 0.1, max(up, 1)),
        optax.constant_schedule(0.1),
        optax.linear_schedule(0.1, 0.01, down),
    ]
    theirs = optax_values(optax.join_schedules(pieces, [up, up + level]))
    ours = values("WarmupStableDecay", value=0.1, end=0.01, warmup=up, stable=level, decay=down)
    check(ours, theirs, (up + 1, up + level + 1, up + level + down + 1))


def test_the_decays_of_addsign():
    # Bello et al. 2017, section 4: linear, cyclical and restarting decay of f(t).
    n, T = 4, STEPS
    check(values("LinearDecay", steps=T), loop(lambda t: 1 - t / T))
    cyclical = loop(lambda t: 0.5 * (1 + math.cos(2 * math.pi * n * t / T)))
    check(values("CyclicalDecay", steps=T, periods=n), cyclical, (1250, 2500, 5000))
    restarting = loop(lambda t: 0.5 * (1 + math.cos(math.pi * ((t * n) % T) / T)))
    check(values("RestartingDecay", steps=T, periods=n), restarting, (2500, 5000, 7500))
    assert (optdsl.load("LinearDecay")(steps=5).values(9)[4:] == 0).all()


@pytest.mark.parametrize("eta", [0.01, 0.3, 1.0])
def test_noise_variance(eta):
    # Neelakantan et al. 2015: sigma_t^2 = eta/(1 + t)^gamma, with gamma = 0.55.
    theirs = loop(lambda t: eta / (1 + t) ** 0.55)
    check(values("NoiseVariance", eta=eta), theirs)


RESUMED = {
    "Halving": {},
    "Exponential": {},
    "Step": {"step_size": 10},
    "MultiStep": {},
    "WarmRestarts": {"T_0": 7, "T_mult": 2},
    "OneCycle": {"total_steps": 60},
    "Triangular2": {"stepsize": 9},
    "WarmupStableDecay": {"warmup": 5, "stable": 20, "decay": 10},
}


@pytest.mark.parametrize("name", RESUMED)
@pytest.mark.parametrize("pause", [1, 17, 26])
def test_an_optimizer_resumes_in_the_middle_of_a_cycle(name, pause, tmp_path):
    SGD, schedule = optdsl.load("SGD"), optdsl.load(name)(**RESUMED[name])
    whole, first, second = np.ones(3), np.ones(3), np.ones(3)
    unbroken = SGD([whole], lr=schedule)
    for _ in range(40):
        unbroken.step([np.sin(whole)])
    begun = SGD([first], lr=schedule)
    for _ in range(pause):
        begun.step([np.sin(first)])
    begun.save(tmp_path / "state")
    second[:] = first
    resumed = SGD([second], lr=schedule)
    resumed.load(tmp_path / "state")
    for _ in range(40 - pause):
        resumed.step([np.sin(second)])
    assert second.tobytes() == whole.tobytes()

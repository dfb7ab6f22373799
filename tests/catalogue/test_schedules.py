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


@pytest.mark.parametrize(("first", "factor"), [(1, 1), (1, 3), (7, 1), (7, 2), (50, 2), (1000, 3)])
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


@pytest.mark.parametrize(("width", "warm_up"), [(512, 4000), (512, 50), (64, 1)])
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


def plateau_of_torch(metrics, **options):
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    scheduler = LR.ReduceLROnPlateau(optimizer, eps=0, **options)
    found = []
    for metric in metrics:  # theirs is told after a step, ours before the step that uses it
        if metric is not None:
            scheduler.step(metric)
        found.append(optimizer.param_groups[0]["lr"])
    return np.array(found)


PLATEAUS = [
    {},
    {"patience": 0, "factor": 0.9, "min_lr": 1e-3},
    {"patience": 3, "cooldown": 7, "factor": 0.8, "threshold": 0.02},
    {"patience": 3, "cooldown": 2, "factor": 0.8, "threshold": 0.02, "threshold_mode": "abs"},
]
PLATEAU_NAMES = {
    ("min", "rel"): "Plateau",
    ("max", "rel"): "PlateauOfScore",
    ("min", "abs"): "PlateauAbsolute",
    ("max", "abs"): "PlateauOfScoreAbsolute",
}


@pytest.mark.parametrize("options", PLATEAUS)
@pytest.mark.parametrize("mode", ["min", "max"])
def test_plateau(mode, options):
    random = np.random.default_rng(3)
    noise = 1 + 0.1 * random.normal(size=STEPS)
    decay = np.exp(-np.arange(STEPS) / 3000)
    metrics = (noise * (decay if mode == "min" else 1 / decay)).tolist()
    metrics = [m if random.random() < 0.5 else None for m in metrics]
    theirs = plateau_of_torch(metrics, mode=mode, **{"factor": 0.1, "patience": 10} | options)
    ours = dict(options)
    ours["eta_min"] = ours.pop("min_lr", 0)
    name = PLATEAU_NAMES[mode, ours.pop("threshold_mode", "rel")]
    made = optdsl.load(name)(value=0.1, **ours)
    drops = np.flatnonzero(np.diff(theirs)) + 2
    assert len(drops) > 3
    check(made.values(STEPS, metric=metrics), theirs, tuple(drops[:10].tolist()))


def test_batch_growth():
    # Smith et al. 2017: B grows where the rate would fall, and B is proportional to 1/(1 - m).
    schedule = optdsl.load("BatchGrowth")(value=64, factor=3, every=1500, end=10_000, momentum=0.8)
    size, sizes, momenta = 64, [], []
    for step in range(STEPS):
        if step and step % 1500 == 0:
            size *= 3
        sizes.append(min(size, 10_000))
        momenta.append(1 - (1 - 0.8) * 64 / sizes[-1])
    check(schedule.values(STEPS), np.array(sizes), (1501, 3001, 7501))
    check(schedule.output("m").values(STEPS), np.array(momenta), (1501, 3001, 7501))


RESTARTS = "WarmRestarts(eta_max=0.1, eta_min=0, T_0=7, T_mult=2)"


def test_one_after_another_beside_optax():
    made = optdsl.load("Linear(eta_1=0.1, T=1000) for 1000 then Cosine(eta_max=0.1, T=9000)")()
    theirs = optax.warmup_cosine_decay_schedule(0.0, 0.1, 1000, STEPS)
    check(made.values(STEPS), optax_values(theirs), (1001,))


def test_the_second_counts_its_own_steps_and_stands_still_before():
    made = optdsl.load(f"Linear(eta_1=0.1, T=5) for 1234 then 0.5*{RESTARTS}")().values(STEPS)
    restarts = optdsl.load(RESTARTS)().values(STEPS - 1234)
    assert (made[1234:] == 0.5 * restarts).all()
    three = optdsl.load(f"Halving for 3 then {RESTARTS} for 40 then Halving")().values(60)
    assert (three[3:43] == restarts[:40]).all()
    assert (three[43:] == optdsl.load("Halving")().values(17)).all()


@pytest.mark.parametrize(
    "name", ["Halving", "WarmRestarts(T_0=3)", "Triangular(n=4)", "Cosine(T=9)"]
)
@pytest.mark.parametrize("k", [1, 3, 200])
def test_epochs(name, k):
    schedule = optdsl.load(name)
    expected = np.repeat(schedule().values(50), k)
    assert (schedule(per_epoch=k).values(50 * k) == expected).all()
    call = name[:-1] + ", " if name.endswith(")") else name + "("
    assert (optdsl.load(f"{call}per_epoch={k})")().values(50 * k) == expected).all()


def test_restarts_where_t_i_is_the_epoch_of_the_next():
    # The highlights call T_i "the epoch of the next restart"; in the paper it is a length.
    lengths = optdsl.load("WarmRestarts")(value=1, T_0=3).values(12)
    epochs = loop(lambda t: 0.5 * (1 + math.cos(math.pi * ((t - 1) % 3) / ((t - 1) // 3 * 3 + 3))))
    parts = np.flatnonzero(np.abs(lengths - epochs[:12]) > 1e-12)
    assert parts[0] == 4  # the second step of the second cycle


def test_the_code_of_the_lecture_is_not_its_formula():
    # `if not epoch % 10: lr = initial_lr*exp(-k*epoch)` against eta_0*exp(-k*t).
    held, rate = [], 0.0
    for epoch in range(1, 41):
        if epoch == 1 or epoch % 10 == 0:
            rate = 0.1 * math.exp(-0.05 * epoch)
        held.append(rate)
    ours = optdsl.load("Exponential")(value=0.1, k=0.05).values(40)
    agree = np.isclose(ours, held, rtol=1e-12)
    assert agree[[0, 9, 19]].all()
    assert not agree[[1, 8, 10]].any()

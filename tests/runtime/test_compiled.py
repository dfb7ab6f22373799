"""The runtime on compiled rules, through the front door."""

import functools

import numpy as np
import pytest

import optdsl
from optdsl.runtime import StepResult
from tests.sampling import sampled

TARGETS = ["reference", "numba-cpu"]
SHAPES = {"a": (3, 5), "b": (), "c": (0,), "d": (7,)}


@functools.cache
def rule(name, target):
    return optdsl.load(name, target)


def parameters(dtype):
    random = np.random.default_rng(3)
    return {n: np.array(random.standard_normal(s), dtype=dtype) for n, s in SHAPES.items()}


def gradients(points, step, missing=""):
    return {
        name: None if name in missing else np.array(np.cos(3 * array + step), dtype=array.dtype)
        for name, array in points.items()
    }


def schedule_of(target, scale):
    return rule("WarmRestarts", target)(eta_max=scale, T_0=2, T_mult=2)


RULES = {
    "SGD": "eta",
    "Momentum": "gamma",
    "Nesterov": "gamma",
    "Adagrad": "eta",
    "Adadelta": "epsilon",
    "RMSprop": "eta",
    "Adam": "beta1",
    "AdamW": "eta",
    "ClipByGlobalNorm | Nesterov": "gamma",
    "SkipNonfinite | Adam": "eta",
}


#: Compiled in the quick tests: a state, a point ahead behind a norm, steps left out.
COMPILED = {"Adam", "ClipByGlobalNorm | Nesterov", "SkipNonfinite | Adam"}


@pytest.mark.parametrize("name", RULES)
def test_a_resumed_run_is_bit_equal(tmp_path, name):
    check_resumed(tmp_path, name, "reference", np.float64)


@pytest.mark.parametrize("name", sampled(RULES, COMPILED))
def test_a_resumed_run_is_bit_equal_compiled(tmp_path, name):
    check_resumed(tmp_path, name, "numba-cpu", np.float32)


def check_resumed(tmp_path, name, target, dtype):
    whole = parameters(dtype)
    make = functools.partial(rule(name, target), **{RULES[name]: schedule_of(target, 0.5)})
    unbroken = make(whole)
    for step, missing in enumerate(["", "b", "ad", "", "abcd", "d"]):
        unbroken.step(gradients(whole, step, missing))
    if "Skip" in name:
        bad = {n: np.full_like(array, np.nan) for n, array in whole.items()}
        assert unbroken.step(bad) == StepResult(True, (4, 0))
    unbroken.save(tmp_path / "state")
    rest = {name: array.copy() for name, array in whole.items()}
    resumed = make(rest)
    resumed.load(tmp_path / "state")
    for step, missing in enumerate(["", "a", "", "bd", ""]):
        unbroken.step(gradients(whole, step, missing))
        resumed.step(gradients(rest, step, missing))
    for one, two in [(whole, rest), (unbroken.theta(), resumed.theta())]:
        assert {n: a.tobytes() for n, a in one.items()} == {n: a.tobytes() for n, a in two.items()}
    assert not np.array_equal(whole["a"], parameters(dtype)["a"])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["Nesterov", "ClipByGlobalNorm | Nesterov"])
def test_both_kinds_of_step_give_the_same_iterates(name, target):
    held, asked = parameters(np.float64), parameters(np.float64)
    values = schedule_of(target, 0.9).values(40)
    settings = {"gamma": lambda t: values[t - 1], "eta": schedule_of(target, 0.05)}
    ready, asking = rule(name, target)(held, **settings), rule(name, target)(asked, **settings)
    for step, missing in enumerate(["", "", "a", "bd", "", "", "c", "", "", ""]):
        result = ready.step(gradients(held, step, missing))
        other = asking.step(lambda x, s=step, m=missing: (1.5, gradients(x, s, m)))
        assert (result.taken, other.loss) == (other.taken, 1.5)
        for one, two in zip(ready.theta().values(), asked.values(), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-13)
    assert not np.allclose(held["a"], asked["a"])


@pytest.mark.parametrize("target", TARGETS)
def test_tensors_that_sit_out_walk_as_if_alone(target):
    Adam = rule("Adam", target)
    together, alone = parameters(np.float64), parameters(np.float64)
    opt = Adam(together, lr=schedule_of(target, 0.1))
    others = {name: Adam({name: alone[name]}, lr=schedule_of(target, 0.1)) for name in SHAPES}
    for step, missing in enumerate(["a", "bc", "", "abcd", "a", "d", "", "b"]):
        found = gradients(together, step, missing)
        assert opt.step(found).taken == (len(SHAPES) - len(missing),)
        for name in SHAPES:
            others[name].step({name: found[name]})
    for name in SHAPES:
        np.testing.assert_array_equal(together[name], alone[name])


@pytest.mark.parametrize("target", TARGETS)
def test_groups_have_hyperparameters_of_their_own(target):
    Adam = rule("Adam", target)
    a, b, c, d = (np.ones(3) for _ in range(4))
    grouped = Adam([{"params": [a], "lr": 0.1}, {"params": [b], "betas": (0.5, 0.5)}])
    first, second = Adam([c], lr=0.1), Adam([d], betas=(0.5, 0.5))
    for step in range(4):
        gradient = np.arange(3.0) + step
        grouped.step([[gradient], [gradient]])
        first.step([gradient])
        second.step([gradient])
    np.testing.assert_array_equal([a, b], [c, d])


@pytest.mark.parametrize("target", TARGETS)
def test_transforms_alone_and_in_a_composition_agree(target):
    one, two = parameters(np.float64), parameters(np.float64)
    composed = rule("WeightDecay | ClipByGlobalNorm | Adam", target)(one, lr=0.1)
    decay, clip = rule("WeightDecay", target)(), rule("ClipByGlobalNorm", target)()
    opt = rule("Adam", target)(two, lr=0.1)
    for step in range(5):
        composed.step(gradients(one, step))
        opt.step(clip.update(decay.update(gradients(two, step), two)))
    for name in SHAPES:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-12)


@pytest.mark.parametrize("target", TARGETS)
def test_new_gradients_and_kept_buffers_are_read_alike(target):
    one, two = parameters(np.float64), parameters(np.float64)
    kept = {name: np.zeros(shape) for name, shape in SHAPES.items()}
    fresh, buffered = rule("Adam", target)(one), rule("Adam", target)(two)
    for step in range(8):
        found = gradients(one, step)
        for name, array in gradients(two, step).items():
            kept[name][...] = array
        fresh.step(found)
        buffered.step(found if step == 5 else kept)
    for name in SHAPES:
        np.testing.assert_array_equal(one[name], two[name])

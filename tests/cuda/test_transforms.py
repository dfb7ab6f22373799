"""Transforms on a card, without an optimizer behind them."""

import numpy as np
import pytest

import optdsl
from optdsl.runtime import GradientError, StepError
from tests.cuda.fake_driver import CardArray
from tests.cuda.test_steps import SHAPES, numbers


def both(rule, **hyperparameters):
    return [optdsl.load(rule, target)(**hyperparameters) for target in ("cuda", "numba-cpu")]


def update(on_card, on_cpu, seed, without=(), parameters=None):
    ours = [each.astype(np.float32) for each in numbers(SHAPES, seed)]
    theirs = [None if i in without else CardArray(each) for i, each in enumerate(ours)]
    ours = [None if i in without else each for i, each in enumerate(ours)]
    held = None if parameters is None else [CardArray(each) for each in parameters]
    made = on_card.update(theirs, held)
    for one, other in zip(made, on_cpu.update(ours, parameters), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            np.testing.assert_allclose(one.copy_to_host(), other, rtol=1e-5, atol=1e-6)
    return made


@pytest.mark.parametrize("rule", [
    "ClipByGlobalNorm(c=5)",
    *(pytest.param(rule, marks=pytest.mark.slow) for rule in
      ("Grokfast", "Accumulate(k=2)", "GradientNoise", "Sign | ClipByNorm(c=1)", "Centralize")),
])  # fmt: skip
def test_updates_are_those_of_the_cpu(card, rule):
    on_card, on_cpu = both(rule)
    for seed in range(1, 5):
        update(on_card, on_cpu, seed, without=(1,) if seed == 3 else ())


def test_a_transform_may_read_the_parameters(card):
    on_card, on_cpu = both("WeightDecay")
    for seed in (1, 2):
        parameters = [each.astype(np.float32) for each in numbers(SHAPES, 10 + seed)]
        update(on_card, on_cpu, seed, parameters=parameters)
    with pytest.raises(StepError, match="reads the parameters"):
        on_card.update([CardArray(each) for each in numbers(SHAPES, 1)])
    with pytest.raises(GradientError, match="does not fit"):
        on_card.update([CardArray(np.ones(s)) for s in SHAPES], [CardArray(np.ones(1))] * 6)


def test_an_update_that_is_refused_within_another_leaves_its_stream(card):
    clip = optdsl.load("ClipByGlobalNorm", "cuda")(c=1)
    gradients = {"w": CardArray(np.ones(3))}

    class Intruding(dict):
        def __getitem__(self, name):
            with pytest.raises(StepError, match="from within its own step"):
                clip.update(gradients, stream=99)
            return super().__getitem__(name)

    clip.update(gradients, stream=7)
    clip.update(Intruding(gradients), stream=7)
    assert {launch.stream for launch in card.launches} == {7}


def test_after_the_first_update_nothing_is_allocated_or_waited_for(card):
    card.late = False  # it keeps up with the host
    clip = optdsl.load("ClipByGlobalNorm", "cuda")(c=1)
    for seed in (1, 2):
        clip.update([CardArray(each) for each in numbers(SHAPES, seed)], stream=7)
    card.calls.clear()
    for seed in (3, 4):
        clip.update([CardArray(each) for each in numbers(SHAPES, seed)], stream=7)
    called = {name for name, *_ in card.calls}
    assert "cuLaunchKernel" in called
    assert called <= {"cuMemcpyHtoDAsync", "cuEventRecord", "cuLaunchKernel"}
    assert {call[-1] for call in card.calls} == {7}
    assert not card.contexts


def test_what_a_transform_gives_an_optimizer_takes(card):
    array = CardArray(np.ones(2))
    clip = optdsl.load("ClipByGlobalNorm", "cuda")(c=5)
    sgd = optdsl.load("SGD", "cuda")([array], lr=1.0)
    sgd.step(clip.update([CardArray([6.0, 8.0])]))
    np.testing.assert_allclose(array.values, [-2, -3])


def test_what_a_transform_gives_stays_in_order(card):
    clip, sign = (optdsl.load(name, "cuda")() for name in ("ClipByGlobalNorm", "Sign"))
    made = clip.update([CardArray([6.0, 8.0])], stream=7)
    again = sign.update(made)
    assert {launch.stream for launch in card.launches} == {7}, "behind what makes its gradients"
    array = CardArray(np.ones(2))
    optdsl.load("SGD", "cuda")([array], lr=1.0).step(again, stream=9)
    waits = [call for call in card.calls if call[0] in ("cuStreamWaitEvent", "cuLaunchKernel")]
    assert waits[-2] == ("cuStreamWaitEvent", 9)
    np.testing.assert_array_equal(array.values, 0)


def test_an_update_cannot_be_recorded(card):
    clip, gradient = optdsl.load("ClipByGlobalNorm", "cuda")(c=5), CardArray([6.0, 8.0])
    clip.update([gradient])
    card.capturing = True
    with pytest.raises(StepError, match="put it before a rule"):
        clip.update([gradient])


def test_a_state_goes_from_one_target_to_the_other(card, tmp_path):
    on_card, on_cpu = both("Grokfast")
    for seed in (1, 2):
        update(on_card, on_cpu, seed)
    on_card.save(tmp_path / "state")
    other, plain = both("Grokfast")
    other.load(tmp_path / "state")
    clocks = [[c["clocks"] for c in each.state_dict()["cohorts"]] for each in (other, on_cpu)]
    assert clocks[0] == clocks[1] == [[2]]
    plain.load_state_dict(other.state_dict())
    update(other, plain, 3)
    on_card.load_state_dict(on_cpu.state_dict())
    update(on_card, on_cpu, 3)


def test_what_is_refused(card):
    with pytest.raises(StepError, match="known to the card alone"):
        optdsl.load("SkipNonfinite", "cuda")()
    clip = optdsl.load("ClipByNorm", "cuda")(c=1)
    with pytest.raises(GradientError, match="memory of the host"):
        clip.update([np.ones(3, np.float32)])
    with pytest.raises(GradientError, match="must show the shape"):
        clip.update([CardArray(np.ones(3)), None])
    with pytest.raises(GradientError, match="several dtypes"):
        clip.update([CardArray(np.ones(3)), CardArray(np.ones(3), "float64")])

"""Transforms used by themselves."""

import numpy as np
import pytest
import torch

from optdsl.runtime import CheckpointError, GradientError, GradientTypeError, StepError, from_layout
from tests.runtime import layouts, other_layouts

Momentum = from_layout(layouts.momentum())
Clip = from_layout(other_layouts.clip())
Accumulate = from_layout(other_layouts.accumulate())
WeightDecay = from_layout(other_layouts.decay())


def test_clipping_is_that_of_torch():
    clip = Clip(c=2.0)
    random = np.random.default_rng(0)
    for scale in (0.1, 1.0, 10.0):
        ours = {"a": scale * random.standard_normal((3, 4)), "b": np.array(scale)}
        zeros = [torch.zeros(array.shape, dtype=torch.float64) for array in ours.values()]
        theirs = [tensor.requires_grad_() for tensor in zeros]
        for tensor, array in zip(theirs, ours.values(), strict=True):
            tensor.grad = torch.from_numpy(array.copy())
        torch.nn.utils.clip_grad_norm_(theirs, 2.0)
        kept = {name: array.copy() for name, array in ours.items()}
        clipped = clip.update(ours)
        for array, tensor in zip(clipped.values(), theirs, strict=True):
            np.testing.assert_allclose(array, tensor.grad.numpy(), rtol=1e-5)
        np.testing.assert_equal(ours, kept)


def test_each_update_gives_new_arrays():
    clip = Clip(c=100.0)
    gradient = np.ones(3)
    first = clip.update([gradient])[0]
    second = clip.update([2 * gradient])[0]
    third = clip.update([gradient])[0]
    np.testing.assert_array_equal([first, second, third], [[1] * 3, [2] * 3, [1] * 3])
    assert not np.shares_memory(first, third)


def test_a_skip_hands_none_to_the_optimizer():
    w = np.zeros(2)
    accumulate, opt = Accumulate(k=3), Momentum([w], lr=1.0, momentum=0.0)
    moved = [opt.step(accumulate.update([np.full(2, g)])).taken for g in (1.0, 2.0, 6.0, 1.0)]
    assert moved == [(0,), (0,), (1,), (0,)]
    np.testing.assert_allclose(w, -3.0)


def test_none_stays_none():
    accumulate = Accumulate(k=2)
    a, b = np.ones(1), np.ones(2)
    assert accumulate.update({"a": a, "b": b}) == {"a": None, "b": None}
    second = accumulate.update({"a": None, "b": b})
    assert second["a"] is None
    np.testing.assert_array_equal(second["b"], b)
    third = accumulate.update({"a": a, "b": b})
    assert third["b"] is None
    np.testing.assert_array_equal(third["a"], a)


def test_a_penalty_reads_the_parameters():
    decay = WeightDecay(weight_decay=0.5)
    assert decay["lambda"] == 0.5
    w, g = np.array([2.0, 4.0]), np.array([1.0, 1.0])
    np.testing.assert_array_equal(decay.update([g], [w])[0], [2.0, 3.0])
    decay["weight_decay"] = 0.25
    np.testing.assert_array_equal(decay.update([g], [w])[0], [1.5, 2.0])
    np.testing.assert_array_equal(w, [2.0, 4.0])
    with pytest.raises(StepError, match="reads the parameters: give them too"):
        decay.update([g])
    with pytest.raises(GradientError, match="does not fit its gradient"):
        decay.update([g], [np.ones(3)])
    with pytest.raises(GradientError, match="does not fit its gradient"):
        decay.update([g], [[1.0, 2.0]])


def test_what_does_not_fit_is_refused():
    accumulate = Accumulate(k=2)
    with pytest.raises(GradientError, match="the first update has None"):
        accumulate.update([None])
    with pytest.raises(GradientTypeError, match="is int64"):
        accumulate.update([np.arange(3)])
    accumulate.update([np.ones(3)])
    state = accumulate.state_dict()
    for wrong in ([np.ones(2)], [np.ones(3, np.float32)], [], {"a": np.ones(3)}):
        with pytest.raises(GradientError):
            accumulate.update(wrong)
    np.testing.assert_equal(accumulate.state_dict(), state)


def test_a_transform_goes_on_from_its_state(tmp_path):
    unbroken, broken = Accumulate(k=3), Accumulate(k=3)
    for transform in (unbroken, broken):
        transform.update({"a": np.ones(2), "b": np.ones(1)})
        transform.update({"a": np.full(2, 5.0), "b": None})
    broken.save(tmp_path / "state")
    resumed = Accumulate(k=7)
    resumed.load(tmp_path / "state")
    assert resumed["k"] == 3
    for _ in range(4):
        gradients = {"a": np.full(2, 3.0), "b": np.full(1, 2.0)}
        np.testing.assert_equal(resumed.update(gradients), unbroken.update(gradients))
    with pytest.raises(CheckpointError, match="is one of Accumulate, but here it is Clip"):
        Clip().load(tmp_path / "state")

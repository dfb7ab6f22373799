"""Copies of optimizers go on by themselves, with arrays of their own."""

import copy
import pickle

import numpy as np
import pytest

import optdsl
from optdsl.runtime import StepError


def given(seed, shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


SHAPES = [(3, 2), (4,), ()]


@pytest.mark.parametrize(
    ("rule", "groups", "settings"),
    [
        ("Accumulate(k=2) | AdamW", False, {"lr": lambda t: 0.1 / t}),
        ("SGLD", False, {"lr": 0.1, "seed": 7}),
        ("SGD(eta=Cosine(T=5)) if ndim == 2 else Nesterov", True, {}),
    ],
)
def test_a_copy_takes_the_same_steps(rule, groups, settings):
    arrays = given(0, SHAPES)
    parameters = [{"params": arrays[:1]}, {"params": arrays[1:]}] if groups else arrays
    opt = optdsl.load(rule, "reference")(parameters, **settings)
    for step in range(3):
        opt.step(given(step + 1, SHAPES))
    again, others = copy.deepcopy((opt, arrays))
    if groups:
        again.groups[1]["gamma"] = opt.groups[1]["gamma"] = 0.5
    for step in range(3):
        opt.step(given(step + 9, SHAPES))
        if not step:
            assert not all(map(np.array_equal, arrays, others))
    for step in range(3):
        again.step(given(step + 9, SHAPES))
    assert all(map(np.array_equal, arrays, others))
    assert repr(again) == repr(opt)


def test_a_copy_has_what_must_be_given(tmp_path):
    spec = tmp_path / "needs.opt"
    spec.write_text("optimizer Needs\n  hyper rate\n  theta[t] = theta[t-1] - rate*g[t]\n")
    w = np.ones(2)
    again = copy.deepcopy(optdsl.load(spec, "reference")([{"params": [w], "rate": 0.5}]))
    again.step([np.ones(2)])
    assert again.groups[0]["params"][0].tolist() == [0.5, 0.5]
    assert w.tolist() == [1, 1]


def test_a_pickle_is_refused():
    opt = optdsl.load("SGD", "reference")([np.ones(2)])
    for refused in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match=r"`save` writes the state .* copy\.deepcopy"):
            refused(opt)


def test_no_copy_is_made_of_the_point_of_evaluation():
    opt = optdsl.load("EMA(SGD)", "reference")([np.ones(2)])
    opt.step([np.ones(2)])
    with opt.evaluating(), pytest.raises(StepError, match="leave the `with` block"):
        copy.deepcopy(opt)

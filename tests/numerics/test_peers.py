"""Trajectories of 200 steps equal those of PyTorch and Optax."""

import numpy as np
import pytest

from tests.numerics.subjects import FEW, MANY
from tests.numerics.subjects import QUICK as QUICK_RULES
from tests.numerics.walks import CASES, Case, Landscape, differences, with_torch
from tests.sampling import sampled

pytestmark = pytest.mark.usefixtures("one_thread")

#: What the trajectories may part by; `differences` says of what.
BOUNDS = {"float64": 1e-9, "float32": 1e-5}
#: One shape of a kind: peers are compiled for every tensor. The slow tests walk with all of them.
SAMPLE = {
    "SGD", "Adam", "Nesterov, asking", "Momentum, moving eta", "WeightDecay | Momentum", "RMSprop",
    "ClipByGlobalNorm | Adam", "ClipByGlobalNorm | Momentum", "Adam, Cosine", "Adagrad", "Adadelta",
}  # fmt: skip
QUICK = ((3, 0), (), (7,), (3, 5, 7), (257,))


def check(case, shapes, dtype, peers=None):
    found = differences(case, shapes, dtype, peers)
    assert found
    assert max(found.values()) <= BOUNDS[dtype], found


@pytest.mark.parametrize("case", sampled(CASES, SAMPLE))
def test_in_float64(case):
    check(case, QUICK, "float64")


@pytest.mark.parametrize(
    "case",
    [*CASES[:3], *(pytest.param(case, marks=pytest.mark.slow) for case in CASES[3:])],
    ids=str,
)
def test_in_float32(case):
    check(case, QUICK, "float32", [next(iter(case.peers))])


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if len(case.peers) > 1], ids=str)
def test_in_float32_beside_the_others(case):
    check(case, FEW, "float32", list(case.peers)[1:])


#: The first case of each rule.
LARGE = {case.rule: case for case in reversed(CASES) if case.rule in QUICK_RULES}.values()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", LARGE, ids=str)
def test_with_a_million_entries(case, dtype):
    check(case, MANY, dtype, [next(iter(case.peers))])


def test_every_quick_rule_walks_beside_another():
    assert {case.rule for case in CASES} >= set(QUICK_RULES)


def test_another_rule_is_seen():
    nesterov, momentum = (next(c for c in CASES if str(c) == n) for n in ("Nesterov", "Momentum"))
    crossed = Case("crossed", "Momentum", momentum.arguments, nesterov.peers)
    for dtype, bound in BOUNDS.items():
        assert min(differences(crossed, QUICK, dtype).values()) > bound


def test_the_landscape_moves_tensors_and_keeps_them_from_zero():
    land = Landscape(QUICK, np.float64)
    import torch

    *_, last = with_torch(lambda p: torch.optim.SGD(p, lr=0.05), land)
    for start, end in zip(land.start, last, strict=True):
        assert np.all(np.abs(end) > 0.5)
        assert np.all(start != end)

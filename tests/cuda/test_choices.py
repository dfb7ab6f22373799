"""Rules that choose, on a card that is simulated, beside the CPU target without contraction."""

import numpy as np
import pytest

import optdsl
from tests.cuda.fake_driver import CardArray
from tests.cuda.test_rows import normal, plain, rounding, same, steps  # noqa: F401

slow = pytest.mark.slow
SHAPES = [(7,), (3, 5), (0,), (), (33, 8), (70,)]
#: Of two dimensions and one, in turn: each case has every length.
EVERY = [shape for n in range(71) for shape in ((n,), (1, n))]


@pytest.mark.parametrize("rule", [
    "AdamW if ndim == 2 else SGD(eta=0.1)",
    *(pytest.param(rule, marks=slow) for rule in
      ("Momentum for 1 then Adam", "Lion if size > 30 else (AdamW if ndim == 1 else Rprop)",
       "SGLD if ndim == 2 else Nesterov")),
])  # fmt: skip
def test_every_length_and_alignment_gives_the_numbers_of_the_cpu(card, rounding, rule):  # noqa: F811
    for shift in range(4):
        long = [(1_000_003,), (997, 1003)] if shift == 1 else []
        same(*steps(rule, normal, shapes=[*EVERY, *long], offset=4 * shift))


@pytest.mark.parametrize("rule", [
    "ClipByGlobalNorm(c=1) | (AdamW if ndim == 2 else SGD(eta=0.1))",
    pytest.param("ClipByGlobalNorm(c=1) | (LAMB if ndim == 2 else Lion)", marks=slow),
    pytest.param("ClipByGlobalNorm(c=1) | (Momentum for 1 then Adam)", marks=slow),
])  # fmt: skip
def test_one_number_is_made_of_the_tensors_of_several_rules(card, rounding, rule):  # noqa: F811
    _, _, pairs = steps(rule, plain, shapes=SHAPES)
    for theirs, ours in pairs:
        np.testing.assert_allclose(theirs, ours, rtol=1e-6, atol=1e-6)


def test_tensors_of_one_case_may_sit_out(card):
    rule = "ClipByGlobalNorm(c=1) | (AdamW if ndim == 2 else SGD(eta=0.1))"
    theirs = [CardArray(each) for each in plain(0, SHAPES, "float32")]
    ours = [each.values.copy() for each in theirs]
    on_card, on_cpu = optdsl.load(rule, target="cuda")(theirs), optdsl.load(rule)(ours)
    for seed, without in ((1, ()), (2, (1, 4)), (3, (0, 2, 3, 5)), (4, ())):
        given = plain(seed, SHAPES, "float32")
        held = [None if i in without else each for i, each in enumerate(given)]
        on_card.step([None if each is None else CardArray(each) for each in held])
        on_cpu.step(held)
    for mine, other in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(mine.values, other, rtol=1e-5, atol=1e-6)

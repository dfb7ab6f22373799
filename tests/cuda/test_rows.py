"""Values a row and a column on a card that is simulated at the driver, beside the CPU target.

Where sums are exact, every order of terms gives the same bits: gradients of few digits show
that kernels compute what the CPU does, others what the order changes.
"""

import numpy as np
import pytest

import optdsl
from optdsl.codegen.support import kernels
from tests.cuda.fake_driver import CardArray

#: Vectors, one number, none; widths that 4 and 2 divide or not; several strips, several blocks.
SHAPES = [(7,), (), (0,), (3, 5), (33, 8), (70, 260), (130, 9, 3), (1, 300), (150, 1)]

SPREAD = """
transform Spread gives u
  "Every kind of reduction, numbers of what is left, and what waits for those."
  hyper w = 0.5 in (0, 1)
  r[0] = 0
  a = max(g[t], per row) - min(g[t], per row)
  m = rms(g[t], per column)
  s = mean(a)
  q = norm(a - s)
  n = dot(m, max(abs(g[t]), per column))
  r[t] = w*r[t-1] + a/(1 + q)
  wide = any(g[t] > 1, per column)
  u = g[t]*(a - s)/(1 + n) if wide else g[t]*r[t]*m + mean(g[t], per column)

optimizer Spreading = Spread | SGD(eta=0.25)
"""


@pytest.fixture
def rounding(monkeypatch, tmp_path):
    """Compile for the CPU without contraction: every product is rounded, as in the emulation."""
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path))
    monkeypatch.setitem(kernels.FLAGS, "fastmath", False)


@pytest.fixture
def spread(tmp_path):
    (tmp_path / "spread.opt").write_text(SPREAD, encoding="utf-8")
    return f"{tmp_path / 'spread.opt'}:Spreading"


def plain(seed, shapes, dtype):
    """Return arrays of numbers of few digits, none of them 0."""
    random = np.random.default_rng(seed)
    drawn = [random.integers(1, 64, shape) * random.choice([-1, 1], shape) for shape in shapes]
    return [np.asarray(each / 32, dtype) for each in drawn]


def normal(seed, shapes, dtype):
    random = np.random.default_rng(seed)
    return [np.asarray(random.standard_normal(shape), dtype) for shape in shapes]


def steps(rule, given, dtype="float32", shapes=SHAPES, offset=0):
    """Take steps on the card and on the CPU; return what each made of the parameters."""
    theirs = [CardArray(each, dtype, offset=offset) for each in plain(0, shapes, dtype)]
    ours = [each.values.copy() for each in theirs]
    on_card, on_cpu = optdsl.load(rule, target="cuda")(theirs), optdsl.load(rule)(ours)
    for seed in (1, 2):
        gradients = given(seed, shapes, dtype)
        on_card.step([CardArray(each, dtype, offset=offset) for each in gradients])
        on_cpu.step(gradients)
    return on_card, on_cpu, list(zip([each.values for each in theirs], ours, strict=True))


def same(on_card, on_cpu, pairs):
    """Compare parameters and states to the last bit."""
    for theirs, ours in pairs:
        np.testing.assert_array_equal(theirs, ours)
    there, here = (each.state_dict()["entries"] for each in (on_card, on_cpu))
    assert there.keys() == here.keys()
    for name, arrays in here.items():
        for index, array in arrays.items():
            np.testing.assert_array_equal(there[name][index], array, err_msg=name)


@pytest.mark.parametrize(
    "rule",
    [
        "AdaptiveClip | SGD(eta=0.25)",
        *(
            pytest.param(rule, marks=pytest.mark.slow)
            for rule in (
                "Adafactor",
                "Centralize | SGD(eta=0.25)",
                "CentralizeRows | SGD(eta=0.25)",
            )
        ),
    ],
)
def test_rules_give_the_numbers_of_the_cpu(card, rounding, rule):
    same(*steps(rule, plain))


@pytest.mark.slow
def test_every_reduction_gives_the_numbers_of_the_cpu(card, rounding, spread):
    same(*steps(spread, plain))

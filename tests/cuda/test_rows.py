"""Values a row and a column on a card that is simulated at the driver, beside the CPU target.

Where sums are exact, every order of terms gives the same bits: gradients of few digits show
that kernels compute what the CPU does, others what the order changes.
"""

import numpy as np
import pytest

import optdsl
from optdsl.codegen.support import kernels
from optdsl.codegen.support.cuda.emulation import Emulated
from tests.cuda import fake_driver
from tests.cuda.fake_driver import CardArray, card_array

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


def test_a_rule_gives_the_numbers_of_the_cpu(card):
    same(*steps("CentralizeRows | SGD(eta=0.25)", plain, shapes=SHAPES[:6]))


@pytest.mark.slow
def test_every_reduction_gives_the_numbers_of_the_cpu(card, rounding, spread):
    same(*steps(spread, plain))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "dtype"),
    [
        ("Adafactor", "float32"),
        ("AdaptiveClip | SGD(eta=0.25)", "float32"),
        ("Centralize | SGD(eta=0.25)", "float64"),
    ],
)
def test_every_length_and_alignment_gives_the_numbers_of_the_cpu(card, rounding, rule, dtype):
    shapes = [shape for n in range(71) for shape in ((n,), (3, n), (n, 2))]
    width = np.dtype(dtype).itemsize
    for shift in range(16 // width):
        long = [(1_000_003,), (997, 1003)] if shift == 1 else []
        same(*steps(rule, plain, dtype, [*shapes, *long], offset=shift * width))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "dtype"),
    [
        ("Adafactor", "float32"),
        ("Adafactor", "float64"),
    ],
)
def test_another_order_of_sums_changes_little(card, rounding, rule, dtype):
    """A sum of n numbers is within n*2^-53 of the sum of their sizes, in whatever order.

    So is a sum of squares of its own size: as float32, it is the same or the number beside it.
    """
    on_card, on_cpu, pairs = steps(rule, normal, dtype)
    unit = 1 if dtype == "float32" else 2 * max(map(np.prod, SHAPES))
    for name, arrays in on_cpu.state_dict()["entries"].items():
        for index, array in arrays.items():
            other = on_card.state_dict()["entries"][name][index]
            assert np.all(abs(other - array) <= unit * np.spacing(abs(array))), name
    tolerance = 3e-7 if dtype == "float32" else 1e-13
    for theirs, ours in pairs:
        np.testing.assert_allclose(theirs, ours, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
def test_parameters_of_16_bits(card):
    shapes = [(33, 130), (5,)]
    theirs = [card_array(each, "bfloat16") for each in plain(0, shapes, "float32")]
    ours = [each.values.copy() for each in theirs]
    on_card, on_cpu = (
        optdsl.load("Adafactor", target="cuda")(theirs),
        optdsl.load("Adafactor")(ours),
    )
    for seed in (1, 2):
        gradients = [card_array(each, "bfloat16") for each in plain(seed, shapes, "float32")]
        on_card.step(gradients)
        on_cpu.step([each.values for each in gradients])
    for there, here in zip(theirs, ours, strict=True):
        np.testing.assert_array_equal(there.values, here)
    assert on_card.state_dict()["entries"]["R"]["0"].dtype == np.float32


@pytest.fixture
def idle(card, monkeypatch):
    """Return a card whose kernels do nothing: what is asked of it is looked at alone."""
    monkeypatch.setattr(fake_driver, "_emulated", lambda kernel, formats: lambda *given: None)
    card.late = False  # it keeps up with the host
    return card


def test_a_step_of_rows_and_columns(idle):
    arrays = [CardArray(each) for each in plain(0, SHAPES, "float32")]
    on_card = optdsl.load("Adafactor", target="cuda")(arrays)
    on_card.step(arrays)
    assert not idle.called("cuMemcpyDtoH"), "no parameter is looked at for states to begin"
    idle.calls.clear()
    idle.launches.clear()
    on_card.step(arrays)
    assert {name for name, *_ in idle.calls} <= {
        "cuMemcpyHtoDAsync",
        "cuEventRecord",
        "cuLaunchKernel",
    }
    assert [(each.entry.split("_float")[0], each.blocks) for each in idle.launches] == [
        ("kernel_1", 8), ("finish_1", 9), ("lines_1", 65), ("finish_2", 9), ("kernel_2", 23),
        ("finish_3", 9), ("kernel_3", 23),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["AdaptiveClip | AdamW(eta=0.3)", "Centralize | SGD(eta=0.3)"])
def test_contraction_changes_two_units_in_the_last_place_at_most(card, rule, monkeypatch):
    """Units are those of the largest of what the last equation adds up."""
    found = []
    for how in ("plain", "contracted"):
        monkeypatch.setattr(
            fake_driver,
            "_emulated",
            lambda kernel, formats, how=how: getattr(Emulated(kernel, formats), how),
        )
        arrays = [CardArray(each) for each in normal(0, SHAPES, "float32")]
        optimizer = optdsl.load(rule, target="cuda")(arrays)
        optimizer.step([CardArray(each) for each in normal(1, SHAPES, "float32")])
        found.append([each.values for each in arrays])
    changed = 0
    for plain_, fused, start in zip(*found, normal(0, SHAPES, "float32"), strict=True):
        largest = np.maximum(abs(plain_), abs(start))
        assert np.all(abs(fused - plain_) <= 2 * np.spacing(largest))
        changed += np.count_nonzero(fused != plain_)
    assert changed

"""Steps that a card skips by what it finds in the gradients, without telling the host."""

import numpy as np
import pytest

import optdsl
from optdsl.runtime import StepError
from tests.cuda.fake_driver import CardArray
from tests.cuda.test_steps import SHAPES, assert_close, numbers, pair

slow = pytest.mark.slow
CALM = """
transform Calm gives u
  u = g[t]
  skip when norm(g[t]) > 1

optimizer Rule = Calm | SGD
"""


def gradients(seed, poison=None):
    """Return gradients, and the same on the card; one entry of the third is `poison`."""
    ours = [each.astype(np.float32) for each in numbers(SHAPES, seed)]
    if poison is not None:
        ours[2][17] = poison
    return ours, [CardArray(each) for each in ours]


def take(on_card, on_cpu, seed, poison=None, without=(), **keywords):
    ours, theirs = gradients(seed, poison)
    for given, opt in ((theirs, on_card), (ours, on_cpu)):
        opt.step([None if i in without else x for i, x in enumerate(given)], **keywords)


def clocks(optimizer):
    return [each["clocks"] for each in optimizer.state_dict()["cohorts"]]


POISONED = {2: np.nan, 3: np.inf, 5: np.nan}


@pytest.mark.parametrize("rule", [
    "SkipNonfinite | Adam",
    *(pytest.param(rule, marks=slow) for rule in (
        "Unscale(s=8) | LAMB", "SkipNonfinite | ClipByGlobalNorm | NAdam",
        "SkipNonfinite | EMA(Momentum)", "SkipNonfinite | Accumulate(k=2) | AdamW",
        "Accumulate(k=2) | SkipNonfinite | AdamW", "SkipNonfinite | Prodigy",
        "SkipNonfinite | AdaptiveClip | SGD", "SkipNonfinite | SGLD",
        "(SkipNonfinite | Adam) if ndim == 2 else Momentum",
        "SkipNonfinite | (Adam if ndim == 1 else Lion)",
    )),
])  # fmt: skip
def test_a_poisoned_step_leaves_everything_as_it_is(card, rule):
    on_card, theirs, on_cpu, ours = pair(rule)
    for seed in range(1, 8):
        before = [array.values.copy() for array in theirs]
        take(on_card, on_cpu, seed, POISONED.get(seed))
        assert_close(theirs, ours, 1e-5)
        if seed in POISONED and "Accumulate" not in rule and "(Skip" not in rule:
            for array, values in zip(theirs, before, strict=True):
                np.testing.assert_array_equal(array.values, values)
    assert clocks(on_card) == clocks(on_cpu)
    for mine, other in zip(on_card.theta(), on_cpu.theta(), strict=True):
        np.testing.assert_allclose(mine.copy_to_host(), other, rtol=1e-5, atol=1e-5)


def test_nothing_is_waited_for_or_copied_to_the_host(card):
    card.late = False  # it keeps up with the host
    on_card, *_ = pair("SkipNonfinite | Adam")
    for seed in (1, 2):
        on_card.step(gradients(seed)[1], stream=7)
    card.calls.clear()
    taken = [on_card.step(gradients(seed, np.nan)[1], stream=7) for seed in (3, 4)]
    called = {name for name, *_ in card.calls}
    assert called <= {"cuMemcpyHtoDAsync", "cuEventRecord", "cuLaunchKernel"}
    assert [(each.skipped, each.taken) for each in taken] == [(None, (6, 6))] * 2


def test_tensors_may_sit_out_and_groups_differ(card):
    starts = numbers(SHAPES, 0)
    theirs, ours = ([kind(s) for s in starts] for kind in (CardArray, lambda s: s.astype("f4")))
    on_card, on_cpu = (
        optdsl.load("SkipNonfinite | Adam", target)(
            [{"params": arrays[:3], "lr": 0.1}, {"params": arrays[3:]}]
        )
        for target, arrays in (("cuda", theirs), ("numba-cpu", ours))
    )
    for seed in range(1, 7):
        without = {2: (1,), 4: (1, 4)}.get(seed, ())
        take(on_card, on_cpu, seed, POISONED.get(seed), without)
    assert_close(theirs, ours, 1e-5)
    assert clocks(on_card) == clocks(on_cpu)


def test_schedules_count_the_steps_that_are_taken(card):
    ours, theirs = gradients(0)
    on_card, on_cpu = (
        optdsl.load("SkipNonfinite | Adam", target)(
            arrays, lr=optdsl.load("Cosine", target)(eta_max=0.1, T=4)
        )
        for target, arrays in (("cuda", theirs), ("numba-cpu", ours))
    )
    for seed in range(1, 7):
        take(on_card, on_cpu, seed, POISONED.get(seed))
    assert_close(theirs, ours, 1e-5)


def test_a_state_goes_from_one_target_to_the_other(card):
    on_card, theirs, on_cpu, _ = pair("SkipNonfinite | Adam")
    for seed in (1, 2, 3):
        take(on_card, on_cpu, seed, POISONED.get(seed))
    other, there, plain, here = pair("SkipNonfinite | Adam")
    for new, old in zip((*there, *here), (*theirs, *theirs), strict=True):
        getattr(new, "values", new)[...] = old.values
    other.load_state_dict(on_cpu.state_dict())
    plain.load_state_dict(on_card.state_dict())
    for seed in (4, 5, 6):
        take(other, plain, seed, POISONED.get(seed))
    assert_close(there, here, 1e-5)


@pytest.mark.parametrize(
    "rule", ["SkipNonfinite | Adam", pytest.param("Accumulate(k=2) | Adam", marks=slow)]
)
def test_a_step_that_is_replayed_is_skipped_too(card, rule):
    _, theirs, on_cpu, ours = pair(rule)
    on_card = optdsl.load(rule, "cuda")(theirs, capturable=True)
    held = gradients(1)[1]
    on_card.step(held)
    on_cpu.step(gradients(1)[0])
    card.capturing = True
    on_card.step(held)
    card.capturing = False
    for seed in (2, 3, 4, 5):
        poison = POISONED.get(seed) if "Skip" in rule else None
        for array, values in zip(held, gradients(seed, poison)[0], strict=True):
            array.values[...] = values
        card.replay()
        on_cpu.step(gradients(seed, poison)[0])
    assert_close(theirs, ours, 1e-5)


def test_steps_with_a_function_are_skipped_too(card):
    on_card, theirs, on_cpu, ours = pair("SkipNonfinite | Adam")
    for seed in range(1, 5):
        here, there = gradients(seed, POISONED.get(seed))
        on_card.step(lambda points, given=there: given)
        on_cpu.step(lambda points, given=here: given)
    assert_close(theirs, ours, 1e-5)
    assert clocks(on_card) == clocks(on_cpu)


@pytest.mark.parametrize(("hyperparameter", "message"), [
    (lambda t: 0.1 / t, "function of the step"),
    (optdsl.load("Cosine")(eta_max=0.1, T=4), "load it for the card"),
    (optdsl.load("WarmRestarts", "cuda")(eta_max=0.1, T_0=2, T_mult=2), "remembers earlier"),
], ids=["function", "host", "states"])  # fmt: skip
def test_what_the_host_cannot_know_is_refused(card, hyperparameter, message):
    on_card = optdsl.load("SkipNonfinite | Adam", "cuda")(
        [CardArray(np.ones(3))], lr=hyperparameter
    )
    with pytest.raises(StepError, match=message):
        on_card.step([CardArray(np.ones(3))])


def test_skipping_tensor_by_tensor_is_refused(card, tmp_path):
    (tmp_path / "calm.opt").write_text(CALM, encoding="utf-8")
    with pytest.raises(StepError, match="skips some tensors of a step and not others"):
        optdsl.load(f"{tmp_path / 'calm.opt'}:Rule", "cuda")([CardArray(np.ones(3))])

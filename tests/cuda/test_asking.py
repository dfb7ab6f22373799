"""Steps on a card with a function of gradients, as the CPU runtime takes them."""

import numpy as np
import pytest

import optdsl
from optdsl.runtime import GradientError, StepError
from tests.cuda.fake_driver import CardArray
from tests.cuda.test_steps import SHAPES, assert_close, numbers, pair

#: A rule that writes a state before its second gradient.
ANTICIPATING = """
optimizer Anticipating
  hyper eta = 0.1 in [0, inf)
  m[0] = 0
  m[t] = 0.9*m[t-1] + g[t]
  s = grad(theta[t-1] - eta*m[t]/(1 + norm(m[t], all)))
  theta[t] = theta[t-1] - eta*s
"""


def wavy(points):
    values = [np.asarray(getattr(x, "values", x)) for x in points]
    return [np.asarray(np.cos(3 * x) + 0.1 * x, x.dtype) for x in values]


def here(points):
    return 0.5, wavy(points)


def there(points):
    """Return what `here` does, of arrays on the card."""
    return 0.5, [CardArray(each) for each in wavy([point.copy_to_host() for point in points])]


@pytest.fixture
def anticipating(tmp_path):
    (tmp_path / "rule.opt").write_text(ANTICIPATING, encoding="utf-8")
    return f"{tmp_path / 'rule.opt'}:Anticipating"


@pytest.mark.parametrize("rule", [
    "SharpnessAwareSGD",
    *(pytest.param(rule, marks=pytest.mark.slow) for rule in
      ("SAM(Momentum)", "Lookahead(SAM(SGD))", "Nesterov", "Adam")),
])  # fmt: skip
def test_steps_are_those_of_the_cpu(card, rule):
    on_card, theirs, on_cpu, ours = pair(rule)
    for _ in range(4):
        assert on_card.step(there) == on_cpu.step(here)
    assert_close(theirs, ours, 1e-5)
    for mine, other in zip(on_card.theta(), on_cpu.theta(), strict=True):
        np.testing.assert_allclose(mine.copy_to_host(), other, rtol=1e-5, atol=1e-5)


def test_a_gradient_may_be_missing_from_the_first_on(card):
    on_card, theirs, on_cpu, ours = pair("SharpnessAwareSGD")

    def without(gradients):
        loss, found = gradients
        return loss, [None if i == 2 else each for i, each in enumerate(found)]

    for _ in range(2):
        taken = on_card.step(lambda points: without(there(points)))
        assert taken == on_cpu.step(lambda points: without(here(points)))
        assert taken.taken == (len(SHAPES) - 1,)
    assert_close(theirs, ours, 1e-5)


def test_a_function_may_return_the_point_itself(card):
    on_card, theirs, on_cpu, ours = pair("SharpnessAwareSGD")
    for _ in range(2):
        on_card.step(lambda points: points)
        on_cpu.step(lambda points: points)
    assert_close(theirs, ours, 1e-5)


@pytest.mark.parametrize("before", [0, 2])
def test_a_step_that_breaks_off_leaves_everything_as_it_was(card, anticipating, before):
    on_card, theirs, on_cpu, ours = pair(anticipating)
    for _ in range(before):
        on_card.step(there)
        on_cpu.step(here)
    held = [array.values.copy() for array in theirs]
    asked = []

    def breaks(points):
        asked.append(points)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return there(points)

    with pytest.raises(KeyboardInterrupt):
        on_card.step(breaks)
    for array, values in zip(theirs, held, strict=True):
        np.testing.assert_array_equal(array.values, values)
    for _ in range(2):
        on_card.step(there)
        on_cpu.step(here)
    assert_close(theirs, ours, 1e-5)


def test_what_is_given_at_one_point_is_given_at_all(card):
    on_card, *_ = pair("SharpnessAwareSGD")
    given = iter([lambda found: found, lambda found: [None, *found[1:]]])
    with pytest.raises(GradientError, match="give both or neither"):
        on_card.step(lambda points: next(given)(there(points)[1]))


def test_after_the_first_step_nothing_is_allocated_or_waited_for(card, anticipating):
    on_card, *_ = pair(anticipating)
    found = [[CardArray(each) for each in numbers(SHAPES, seed)] for seed in (1, 2)]
    asked = iter(range(100))
    for _ in range(2):
        on_card.step(lambda points: found[next(asked) % 2], stream=7)
    card.calls.clear()
    for _ in range(2):
        on_card.step(lambda points: found[next(asked) % 2], stream=7)
    called = {name for name, *_ in card.calls if name != "cuCtxPushCurrent"}
    assert "cuLaunchKernel" in called
    assert called <= {"cuMemcpyHtoDAsync", "cuMemcpyDtoDAsync", "cuEventRecord", "cuLaunchKernel"}
    assert {call[-1] for call in card.calls} == {7}


def test_what_is_refused_within_a_step_leaves_its_stream(card):
    on_card, *_ = pair("SharpnessAwareSGD")

    def intruding(points):
        with pytest.raises(StepError, match="from within its own step"):
            on_card.step(there, stream=99)
        with pytest.raises(StepError, match="from within its own step"):
            on_card.work_on(99)
        return there(points)

    on_card.step(intruding, stream=7)
    assert {launch.stream for launch in card.launches} == {7}


def test_a_function_cannot_be_recorded(card):
    optimizer = optdsl.load("Adam", "cuda")([CardArray(np.ones(3))], capturable=True)
    with pytest.raises(StepError, match="leave capturable=True out"):
        optimizer.step(there)

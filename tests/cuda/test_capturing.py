"""Steps that are recorded in a graph and replayed, on a card that is simulated at the driver.

What is put on a stream while it is captured is kept, and done when the graph is replayed.
"""

import gc
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import optdsl
from optdsl.runtime import StepError
from optdsl.runtime.errors import DeviceError
from tests.cuda.fake_driver import CardArray
from tests.cuda.test_steps import assert_close, numbers

SHAPES = [(7,), (3, 5), (2500,)]


class Recorded:
    """An optimizer whose steps are replayed, and one on the CPU that takes the same."""

    def __init__(self, card, rule, **hyperparameters):
        self.card = card
        starts = numbers(SHAPES, 0)
        self.theirs = [CardArray(start) for start in starts]
        self.ours = [array.values.copy() for array in self.theirs]
        self.gradients = [CardArray(start) for start in starts]
        given = {
            name: value("cuda") if callable(value) else value
            for name, value in hyperparameters.items()
        }
        self.on_card = optdsl.load(rule, "cuda")(self.theirs, capturable=True, **given)
        plain = {
            name: value("numba-cpu") if callable(value) else value
            for name, value in hyperparameters.items()
        }
        self.on_cpu = optdsl.load(rule)(self.ours, **plain)

    def fill(self, seed):
        for array, values in zip(self.gradients, numbers(SHAPES, seed), strict=True):
            array.values[...] = values
        self.on_cpu.step([array.values.copy() for array in self.gradients])

    def step(self, seed):
        self.fill(seed)
        self.on_card.step(self.gradients)

    def record(self, gradients=None):
        self.card.capturing = True
        self.on_card.step(gradients or self.gradients)
        self.card.capturing = False

    def replay(self, seed):
        self.fill(seed)
        self.card.calls.clear()
        self.card.replay()
        assert not self.card.calls, "a replay calls nothing"


def cosine(target):
    return optdsl.load("Cosine", target)(eta_max=0.1, T=5)


def restarts(target):
    """Return a schedule that keeps states."""
    return optdsl.load("WarmRestarts", target)(eta_max=0.1, T_0=2, T_mult=2)


@pytest.mark.parametrize(
    ("rule", "hyperparameters"),
    [
        ("Adam", {"lr": 0.01}),
        ("LAMB", {}),
        pytest.param("ClipByGlobalNorm | AdamW", {"eta": cosine}, marks=pytest.mark.slow),
        pytest.param("NAdam", {}, marks=pytest.mark.slow),
        pytest.param("Adafactor", {}, marks=pytest.mark.slow),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_replayed_steps_are_those_of_the_cpu(card, rule, hyperparameters):
    both = Recorded(card, rule, **hyperparameters)
    both.step(1)
    both.record()
    for seed in range(2, 7):
        both.replay(seed)
    assert_close(both.theirs, both.ours, 1e-5)
    clocks = [each["clocks"] for each in both.on_card.state_dict()["cohorts"]]
    assert clocks == [each["clocks"] for each in both.on_cpu.state_dict()["cohorts"]]


def test_steps_may_be_taken_one_by_one_too(card):
    both = Recorded(card, "Adam", lr=cosine)
    for seed in range(1, 5):
        both.step(seed)
    card.calls.clear()
    both.step(5)
    assert set(card.called("cu")) <= {"cuLaunchKernel", "cuMemcpyDtoDAsync"}
    assert_close(both.theirs, both.ours, 1e-5)


def test_gradients_may_lie_elsewhere_in_the_graph(card):
    """As with PyTorch, which gives what is captured memory of its own."""
    both = Recorded(card, "Adam")
    both.step(1)
    both.gradients = [CardArray(np.zeros(shape)) for shape in SHAPES]
    both.record()
    for seed in (2, 3):
        both.replay(seed)
    assert_close(both.theirs, both.ours)


def test_steps_between_replays_have_gradients_of_their_own(card):
    both = Recorded(card, "Adam")
    own, of_graph = both.gradients, [CardArray(np.zeros(shape)) for shape in SHAPES]
    both.step(1)
    both.gradients = of_graph
    both.record()
    for seed in (2, 4, 6):
        both.gradients = of_graph
        both.replay(seed)
        both.gradients = own
        both.step(seed + 1)
    assert_close(both.theirs, both.ours)


def test_a_graph_keeps_to_its_gradients(card):
    both = Recorded(card, "Adam")
    both.step(1)
    both.record()  # with gradients that lie where those of the step before lay
    of_graph, both.gradients = both.gradients, [CardArray(np.zeros(shape)) for shape in SHAPES]
    both.step(2)
    both.gradients = of_graph
    both.replay(3)
    assert_close(both.theirs, both.ours)


def test_what_is_read_back_comes_behind_replays(card, monkeypatch):
    """A graph is replayed on the caller's stream, not on the one that it was recorded from."""
    current = SimpleNamespace(cuda_stream=5)
    torch = SimpleNamespace(cuda=SimpleNamespace(current_stream=lambda device: current))
    monkeypatch.setitem(sys.modules, "torch", torch)
    place = SimpleNamespace(type="cuda")
    kind = type("Tensor", (CardArray,), {"__module__": "torch", "device": place})
    optimizer = optdsl.load("Adam", "cuda")([kind(np.ones(3))], capturable=True)
    gradient = CardArray(np.ones(3))
    optimizer.step([gradient])
    current.cuda_stream, card.capturing = 6, True
    optimizer.step([gradient])
    current.cuda_stream, card.capturing = 5, False
    card.calls.clear()
    optimizer.state_dict()
    assert {call[-1] for call in card.calls if call[0].startswith("cuMemcpy")} == {5}
    optimizer.step([gradient], stream=7)
    card.calls.clear()
    optimizer.theta()
    assert {call[-1] for call in card.calls if call[0].startswith("cuMemcpy")} == {7}, "as said"
    card.calls.clear()
    optimizer.step([gradient])
    assert {call[-1] for call in card.calls} == {5}


@pytest.mark.parametrize("change", ["load_state_dict", "rebind", "add_group"])
def test_graphs_that_go_on_with_what_was_replaced_are_told_of(card, change):
    both = Recorded(card, "SGD")
    both.step(1)
    state = both.on_card.state_dict()
    given = {"load_state_dict": state, "rebind": [CardArray(each.values) for each in both.theirs],
             "add_group": {"params": [CardArray(np.ones(2))]}}  # fmt: skip
    both.record()
    with pytest.warns(RuntimeWarning, match="graphs that were recorded"):
        getattr(both.on_card, change)(given[change])


def test_several_graphs_may_be_recorded(card):
    both = Recorded(card, "Adam")
    both.step(1)
    both.record()
    card.recorded = []
    both.record()
    both.replay(2)
    assert_close(both.theirs, both.ours)


def test_memory_for_records_is_given_back(card):
    """Addresses come again: what was reserved for one table must not be found by another."""
    for width in (3, 300):
        arrays = [CardArray(np.ones(2)) for _ in range(width)]
        gradients = [CardArray(np.ones(2)) for _ in range(width)]
        optimizer = optdsl.load("SGD", "cuda")(arrays, capturable=True)
        optimizer.step(gradients)
        card.capturing = True
        optimizer.step(gradients[::-1])
        card.capturing = False
        del optimizer
        gc.collect()
    assert len(card.called("cuMemFreeHost")) >= 2
    assert not card.without_context


def test_a_number_may_be_changed_between_replays(card):
    both = Recorded(card, "Adam", lr=0.01)
    both.step(1)
    both.record()
    both.replay(2)
    both.on_card.groups[0]["lr"] = both.on_cpu.groups[0]["lr"] = 0.5
    both.step(3)  # takes the number to the card
    both.replay(4)
    assert_close(both.theirs, both.ours, 1e-5)


def test_a_replayed_run_goes_on_from_a_state(card):
    both = Recorded(card, "Adam", lr=restarts)
    both.step(1)
    both.record()
    both.replay(2)
    both.replay(3)
    other = Recorded(card, "Adam", lr=restarts)
    for new, old in zip((*other.theirs, *other.ours), (*both.theirs, *both.theirs), strict=True):
        getattr(new, "values", new)[...] = old.values
    other.on_card.load_state_dict(both.on_card.state_dict())
    other.on_cpu.load_state_dict(both.on_cpu.state_dict())
    for seed in (4, 5, 6):
        other.step(seed)
    assert_close(other.theirs, other.ours, 1e-5)


def test_what_cannot_be_recorded_is_refused(card):
    array, gradient = CardArray(np.ones(3)), CardArray(np.ones(3))
    plain = optdsl.load("Adam", "cuda")([array])
    plain.step([gradient])
    card.capturing = True
    with pytest.raises(StepError, match="capturable=True"):
        plain.step([gradient])
    fresh = optdsl.load("Adam", "cuda")([array], capturable=True)
    with pytest.raises(StepError, match="take a step before"):
        fresh.step([gradient])
    with pytest.raises(DeviceError, match="read back while a graph is recorded"):
        plain.theta()[0].copy_to_host()
    card.capturing = False
    changed = optdsl.load("Adam", "cuda")([array], capturable=True)
    changed.step([gradient])
    changed.groups[0]["lr"], card.capturing = 0.5, True
    with pytest.raises(DeviceError, match=r"a plain step before .* after whatever was changed"):
        changed.step([gradient])
    card.capturing = False
    by_hand = optdsl.load("Adam", "cuda")([array], lr=lambda t: 0.1, capturable=True)
    with pytest.raises(StepError, match="function of the step"):
        by_hand.step([gradient])
    on_host = optdsl.load("Adam", "cuda")([array], lr=cosine("numba-cpu"), capturable=True)
    with pytest.raises(StepError, match=r'target="cuda"'):
        on_host.step([gradient])
    with pytest.raises(StepError, match="asks for gradients itself"):
        optdsl.load("SharpnessAwareSGD", "cuda")([array], capturable=True)


def test_the_same_parameters_take_part_in_every_step(card):
    arrays = [CardArray(np.ones(3)), CardArray(np.ones(4))]
    gradients = [CardArray(np.ones(3)), CardArray(np.ones(4))]
    optimizer = optdsl.load("Adam", "cuda")(arrays, capturable=True)
    optimizer.step(gradients)
    with pytest.raises(StepError, match="the same take part"):
        optimizer.step([gradients[0], None])

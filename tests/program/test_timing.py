"""The model of the time of a step: launches, bytes, and bytes under way."""

import pytest

from optdsl.codegen.toolkit.architectures import ARCHITECTURES
from optdsl.codegen.toolkit.cards import CARDS
from optdsl.library import load_system
from optdsl.program import bytes_per_parameter, lower
from optdsl.program.timing import Launch, Machine, launches, predicted_seconds

CARD = Machine("a card", bandwidth=2e12, launch=4e-6, latency=1e-6, processors=100)


def test_many_parameters_take_the_time_of_their_bytes():
    adam = Launch(read=16, written=12, resident=8192)
    plain = Machine("no limits", bandwidth=2e12, launch=0)
    assert predicted_seconds([adam], 10**8, plain) == pytest.approx(28e8 / 2e12)
    assert predicted_seconds([adam], 10**8, CARD) == pytest.approx(4e-6 + 28e8 / 2e12)


def test_each_launch_costs_its_own():
    nothing, some = Launch(0, 0), Launch(8, 4)
    assert predicted_seconds([nothing], 0, CARD) == 4e-6
    one = predicted_seconds([some], 10**7, CARD)
    assert predicted_seconds([some, nothing, some], 10**7, CARD) == pytest.approx(2 * one + 4e-6)


def test_few_bytes_under_way_make_memory_slow():
    # 100 multiprocessors with 100 parameters each, of which 8 bytes are asked for: 80 kB a
    # microsecond are a 25th of the bandwidth.
    slow = predicted_seconds([Launch(8, 8, resident=100)], 10**8, CARD)
    fast = predicted_seconds([Launch(8, 8, resident=10**6)], 10**8, CARD)
    assert (slow - 4e-6) / (fast - 4e-6) == pytest.approx(25)


def test_a_few_parameters_take_the_latency_of_one_load():
    few = predicted_seconds([Launch(8, 8, resident=8192)], 4, CARD)
    in_turn = predicted_seconds([Launch(8, 8, resident=8192, turns=8)], 32, CARD)
    assert few == pytest.approx(4e-6 + 2e-6)
    assert in_turn == pytest.approx(4e-6 + 8 * 2e-6)


def test_every_architecture_has_a_card():
    assert set(CARDS) == set(ARCHITECTURES)
    for card in CARDS.values():
        assert 0.8 * card.printed < card.machine.bandwidth < card.printed


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("Adam", [(16, 12)]),
        ("LAMB", [(16, 8), (0, 0), (12, 4)]),  # sums of each tensor are finished in between
        ("ClipByGlobalNorm | SGD", [(4, 0), (0, 0), (8, 4)]),
        ("CentralizeRows | SGD", [(4, 1 / 16), (1 / 16, 0), (8, 4)]),  # a sum a row and 128 columns
    ],
)
def test_launches_of_a_step(rule, expected):
    program = lower(load_system(rule), "ready")
    found = launches(program)
    assert [(each.read, each.written) for each in found] == expected
    left = 1 / 8 if "Rows" in rule else 0
    assert sum(each.read + each.written for each in found) == bytes_per_parameter(program) + left


def test_matrices_have_no_prediction():
    assert launches(lower(load_system("Shampoo"), "ready")) is None

"""Optimizers on a card that is simulated at the driver: what they compute, and what they ask of it.

Kernels run on the CPU, thread by thread, and the CPU target stands beside them.
"""

import gc
import threading
from collections import Counter

import numpy as np
import pytest

import optdsl
from tests.cuda.fake_driver import CardArray, card_array

SHAPES = [(7,), (3, 5), (2500,), (), (0,), (33, 8)]


def numbers(shapes, seed):
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape) for shape in shapes]


def pair(rule, dtype="float32", shapes=SHAPES, **hyperparameters):
    """Return an optimizer on the card and its arrays, then one on the CPU and its arrays."""
    starts = numbers(shapes, 0)
    theirs = [card_array(start, dtype) for start in starts]
    ours = [array.values.copy() for array in theirs]
    on_card = optdsl.load(rule, target="cuda")(theirs, **hyperparameters)
    return on_card, theirs, optdsl.load(rule)(ours, **hyperparameters), ours


def step_both(on_card, on_cpu, seed, dtype="float32", shapes=SHAPES, without=(), **keywords):
    gradients = [card_array(each, dtype) for each in numbers(shapes, seed)]
    given = [None if i in without else each for i, each in enumerate(gradients)]
    taken = on_card.step(given, **keywords)
    values = [None if each is None else each.values.copy() for each in given]
    assert taken == on_cpu.step(values, **keywords)


def assert_close(theirs, ours, tolerance=2e-6):
    for card, host in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(
            card.values.astype(float), host.astype(float), rtol=tolerance, atol=tolerance
        )


@pytest.mark.parametrize(
    "rule",
    [
        "LAMB",
        "Nesterov",
        *(
            pytest.param(rule, marks=pytest.mark.slow)
            for rule in ("Adam", "ClipByGlobalNorm(c=1) | AdamW", "SGLD", "EMA(Momentum)")
        ),
    ],
)
def test_steps_are_those_of_the_cpu(card, rule):
    on_card, theirs, on_cpu, ours = pair(rule)
    for seed in range(1, 5):
        step_both(on_card, on_cpu, seed, without=(1,) if seed == 2 else ())
    assert_close(theirs, ours)
    for mine, other in zip(on_card.theta(), on_cpu.theta(), strict=True):
        np.testing.assert_allclose(mine.copy_to_host(), other, rtol=2e-6, atol=2e-6)
    for mine, other in zip(on_card.evaluation(), on_cpu.evaluation(), strict=True):
        np.testing.assert_allclose(mine.copy_to_host(), other, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [pytest.param("float64", 1e-13, marks=pytest.mark.slow), ("bfloat16", 1e-2)],
)
def test_other_dtypes(card, dtype, tolerance):
    on_card, theirs, on_cpu, ours = pair("Adam", dtype)
    for seed in range(1, 4):
        step_both(on_card, on_cpu, seed, dtype)
    assert_close(theirs, ours, tolerance)
    kept = on_card.state_dict()["entries"]["m"]["0"].dtype
    assert kept == (np.float64 if dtype == "float64" else np.float32)


def test_groups_and_schedules(card):
    shapes = [(5,), (6,)]
    starts = numbers(shapes, 0)
    theirs = [CardArray(each) for each in starts]
    ours = [each.values.copy() for each in theirs]
    schedule = optdsl.load("Cosine")(eta_max=0.1, T=10)
    on_card, on_cpu = (
        optdsl.load("Adam", target)([{"params": [a], "lr": schedule}, {"params": [b]}], lr=0.01)
        for target, (a, b) in (("cuda", theirs), ("numba-cpu", ours))
    )
    for seed in range(1, 4):
        given = numbers(shapes, seed)
        on_card.step([CardArray(each) for each in given])
        on_cpu.step([each.astype(np.float32) for each in given])
        on_card.groups[1]["lr"] = on_cpu.groups[1]["lr"] = 0.02
    assert_close(theirs, ours)


def test_arrays_that_lie_askew(card):
    start, gradient = numbers([(2000,)], 0)[0], numbers([(2000,)], 1)[0]
    even, askew = CardArray(start), CardArray(start, offset=4)
    Adam = optdsl.load("Adam", "cuda")
    Adam([even]).step([CardArray(gradient)])
    Adam([askew]).step([CardArray(gradient, offset=8)])
    np.testing.assert_array_equal(even.values, askew.values)


# --------------------------------------------------------- what a step asks of the driver


@pytest.mark.parametrize("rule", ["Adam", "LAMB"])
def test_after_the_first_step_nothing_is_allocated_or_waited_for(card, rule):
    card.late = False  # it keeps up with the host
    on_card, *_ = pair(rule)
    for seed in (1, 2):
        on_card.step([CardArray(each) for each in numbers(SHAPES, seed)], stream=77)
    card.calls.clear()
    card.launches.clear()
    for seed in (3, 4, 5):
        on_card.step([CardArray(each) for each in numbers(SHAPES, seed)], stream=77)
    called = {name for name, *_ in card.calls}
    assert "cuLaunchKernel" in called
    assert called <= {"cuMemcpyHtoDAsync", "cuEventRecord", "cuLaunchKernel"}
    assert {call[-1] for call in card.calls} == {77}, "all goes to the caller's stream"
    assert {each.threads for each in card.launches} == {256}
    assert not card.contexts, "the caller's context is as it was"


def test_what_stays_is_not_sent_again(card):
    (array,), gradient = [CardArray(np.ones(5))], CardArray(np.ones(5))
    on_card = optdsl.load("Momentum", "cuda")([array], gamma=0.9)
    on_card.step([gradient])
    card.calls.clear()
    on_card.step([gradient])
    assert [name for name, *_ in card.calls] == ["cuLaunchKernel"]


def test_launches_of_a_rule_with_reductions(card):
    on_card, *_ = pair("LAMB", shapes=[(20_000,), (5,)])
    on_card.step([CardArray(each) for each in numbers([(20_000,), (5,)], 1)])
    assert [(each.entry, each.blocks) for each in card.launches] == [
        ("kernel_1_float32_float32_float32_float32", 4),  # of 8,192 entries each
        ("finish_1", 2),  # a block for each tensor
        ("kernel_2_float32_float32_float32", 21),  # of 1,024 entries each
    ]


def test_a_step_of_nobody_launches_nothing(card):
    on_card, *_ = pair("Adam", shapes=[(3,)])
    assert on_card.step([None]).taken == (0,)
    assert not card.launches


def test_a_gradient_on_another_stream_is_waited_for_by_the_card_alone(card):
    on_card = optdsl.load("SGD", "cuda")([CardArray(np.ones(3))])
    on_card.step([CardArray(np.ones(3), stream=5)], stream=9)
    waits = [call for call in card.calls if call[0] == "cuStreamWaitEvent"]
    assert waits == [("cuStreamWaitEvent", 9)]
    assert not card.called("cuEventSynchronize", "cuStreamSynchronize")


def test_who_is_far_ahead_of_the_card_waits_in_the_end(card, monkeypatch):
    monkeypatch.setattr("optdsl.cuda.driver._STAGES", 3)
    on_card = optdsl.load("Adam", "cuda")([CardArray(np.ones(3))])
    gradient = CardArray(np.ones(3))
    on_card.step([gradient])
    card.unfinished = 10**6
    card.calls.clear()
    for _ in range(6):
        on_card.step([gradient])
    assert len(card.called("cuMemAllocHost")) < 3
    assert card.called("cuEventSynchronize")


@pytest.mark.parametrize("rule", ["LAMB", "Nesterov"])
def test_a_card_that_is_far_behind_takes_the_same_steps(card, monkeypatch, rule):
    monkeypatch.setattr("optdsl.cuda.driver._STAGES", 2)
    on_card, theirs, on_cpu, ours = pair(rule)
    kept = []
    for seed in range(1, 5):
        gradients = [CardArray(each) for each in numbers(SHAPES, seed)]
        kept.append(gradients)  # as whoever makes them must
        on_card.groups[0]["lr"] = on_cpu.groups[0]["lr"] = 0.1 / seed
        on_card.step(gradients)
        on_cpu.step([each.values.copy() for each in gradients])
        on_card.theta()  # and its copies are given back at once
    card.finish()
    assert_close(theirs, ours)


def test_optimizers_of_two_threads_share_a_card(card):
    gradient, plain = CardArray(np.ones(3)), [np.ones(3, np.float32) for _ in range(2)]
    arrays = [CardArray(each) for each in plain]
    adam, on_cpu = optdsl.load("Adam", "cuda"), optdsl.load("Adam")
    here, there = (adam([a], lr=lr) for a, lr in zip(arrays, (0.1, 0.2), strict=True))
    for optimizer in (here, there):
        optimizer.step([gradient])
    helper, answer = threading.Thread(target=lambda: there.step([gradient])), card.cuEventQuery

    def query(event):
        answered = answer(event)
        if helper.ident is None:
            helper.start()
            helper.join(0.1)  # long enough for a step, if nothing keeps it from being taken
        return answered

    card.finish()
    card.cuEventQuery = query
    here.step([gradient])
    helper.join()
    card.finish()
    for values, lr in zip(plain, (0.1, 0.2), strict=True):
        optimizer = on_cpu([values], lr=lr)
        for _ in range(2):
            optimizer.step([gradient.values])
    assert_close(arrays, plain)


def test_memory_is_given_back(card):
    on_card, *_ = pair("LAMB")
    on_card.step([CardArray(each) for each in numbers(SHAPES, 1)])
    del on_card, _
    gc.collect()
    counted = Counter(name for name, *_ in card.calls)
    assert counted["cuMemFree"] == counted["cuMemAlloc"]
    assert not card.without_context


# ------------------------------------------------------------------------- states


def test_states_go_from_one_target_to_the_other(card):
    on_card, theirs, on_cpu, _ = pair("LAMB")
    for seed in (1, 2):
        step_both(on_card, on_cpu, seed)
    other_card, their_copies, other_cpu, our_copies = pair("LAMB")
    for new, old in zip((*their_copies, *our_copies), (*theirs, *theirs), strict=True):
        getattr(new, "values", new)[...] = old.values
    other_card.load_state_dict(on_card.state_dict())
    other_cpu.load_state_dict(on_card.state_dict())
    for seed in (3, 4):
        step_both(on_card, other_cpu, seed)
        other_card.step([CardArray(each) for each in numbers(SHAPES, seed)])
    for same, old in zip(their_copies, theirs, strict=True):
        np.testing.assert_array_equal(same.values, old.values)
    assert_close(theirs, our_copies)


def test_a_state_is_saved_and_loaded(card, tmp_path):
    on_card, theirs, *_ = pair("LAMB")
    gradients = [CardArray(each) for each in numbers(SHAPES, 1)]
    on_card.step(gradients)
    on_card.save(tmp_path / "state")
    held = [each.values.copy() for each in theirs]
    on_card.step(gradients)
    after = [each.values.copy() for each in theirs]
    for array, values in zip(theirs, held, strict=True):
        array.values[...] = values
    on_card.load(tmp_path / "state")
    on_card.step(gradients)
    for array, values in zip(theirs, after, strict=True):
        np.testing.assert_array_equal(array.values, values)


def test_arrays_hold_the_point_of_evaluation_for_a_while(card):
    on_card, theirs, *_ = pair("EMA(SGD)", shapes=[(4,)], decay=0.5)
    on_card.step([CardArray(np.ones(4))])
    before = theirs[0].values.copy()
    with on_card.evaluating():
        assert not np.array_equal(theirs[0].values, before)
    np.testing.assert_array_equal(theirs[0].values, before)
    on_card.theta()[0].copy()
    assert not card.without_context


def test_other_arrays_may_take_the_place_of_the_parameters(card):
    on_card, theirs, on_cpu, ours = pair("Adam", shapes=[(5,)])
    step_both(on_card, on_cpu, 1, shapes=[(5,)])
    moved = CardArray(theirs[0].values)
    on_card.rebind([moved])
    theirs[0].values[...] = 0
    step_both(on_card, on_cpu, 2, shapes=[(5,)])
    assert_close([moved], ours)
    np.testing.assert_array_equal(theirs[0].values, 0)

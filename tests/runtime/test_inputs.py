"""Numbers handed in at some steps: to schedules, to rules, and through state files."""

import numpy as np
import pytest

import optdsl
from optdsl.runtime import CheckpointError, HyperparameterError, StepError

SPECS = """
schedule Last gives eta
  input metric
  eta = metric

schedule Sum gives eta
  input metric
  s[0] = 0
  s[t] = s[t-1] + metric if given(metric)
  eta = s[t]

optimizer Scaled
  input scale
  theta[t] = theta[t-1] - (scale if given(scale) else 1)*g[t]

optimizer Ahead
  hyper eta as lr = 0.1
  theta[t] = theta[t-1] - eta[t+1]*g[t]
"""


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    path = tmp_path_factory.mktemp("specs") / "inputs.opt"
    path.write_text(SPECS)
    return lambda name: optdsl.load(f"{path}:{name}")


ONES = np.ones(2)


def moved(make, metrics):
    w = np.zeros(2)
    opt = make(w)
    for metric in metrics:
        opt.step([ONES], metric=metric)
    return -w[0]


def test_an_input_keeps_its_value(load):
    SGD = optdsl.load("SGD")
    assert moved(lambda w: SGD([w], lr=load("Last")()), [2, None, 5, None, None]) == 19
    assert load("Last")().values(4, metric=[1, None, 3, None]).tolist() == [1, 1, 3, 3]
    assert moved(lambda w: SGD([w], lr=load("Sum")()), [2, None, 5]) == 2 + 2 + 7


def test_a_cursor_takes_inputs(load):
    cursor = load("Sum")().start()
    assert [cursor.next(), cursor.next(metric=3), cursor.next(), cursor.next(metric=0.5)] == [
        0, 3, 3, 3.5,
    ]  # fmt: skip


def test_what_never_came_is_refused_where_it_is_read(load):
    opt = optdsl.load("SGD")([w := np.ones(2)], lr=load("Last")())
    with pytest.raises(StepError, match="`metric`, which has not come yet"):
        opt.step([ONES])
    assert (w == 1).all()
    with pytest.raises(StepError, match="one entry a step"):
        load("Last")().values(3)
    with pytest.raises(StepError, match="2 entries for 3 steps"):
        load("Last")().values(3, metric=[1, 2])


def test_unknown_inputs_are_refused(load):
    opt = optdsl.load("SGD")([np.ones(2)], lr=load("Last")())
    with pytest.raises(StepError, match="did you mean `metric`"):
        opt.step([ONES], metrc=1)
    with pytest.raises(StepError, match="give a number"):
        opt.step([ONES], metric="low")
    with pytest.raises(StepError, match="neither it nor a schedule in it has inputs"):
        optdsl.load("SGD")([np.ones(2)]).step([ONES], metric=1)


def test_a_refused_step_has_seen_nothing(load):
    w = np.zeros(2)
    opt = optdsl.load("SGD")([w], lr=load("Sum")())
    with pytest.raises(ValueError, match="shape"):
        opt.step([np.ones(3)], metric=100)
    opt.step([ONES])
    opt.step([ONES], metric=1)
    assert w.tolist() == [-1, -1]


def test_what_comes_in_a_skipped_step_waits(load):
    w, other = np.zeros(2), np.zeros(2)
    opt = optdsl.load("SkipNonfinite | SGD")([w, other], lr=load("Sum")())
    assert opt.step([ONES * np.nan, ONES], metric=1).skipped
    opt.step([ONES, None])
    assert w.tolist() == [-1, -1]
    opt.step([None, ONES], metric=2)
    assert other.tolist() == [-2, -2]  # the last to come in between
    opt.step([ONES, ONES])
    assert w.tolist() == [-4, -4]


def test_rules_may_have_inputs(load):
    w = np.zeros(2)
    opt = load("Scaled")([w])
    opt.step([ONES])
    opt.step([ONES], scale=10)
    opt.step([ONES])
    assert w.tolist() == [-12, -12]


def test_a_rule_that_looks_ahead_refuses_what_waits(load):
    with pytest.raises(HyperparameterError, match="read one step ahead"):
        load("Ahead")([np.ones(2)], lr=load("Last")())


@pytest.mark.parametrize("text", ["SGD", "SGD(eta=Plateau(patience=1, factor=0.5))"])
@pytest.mark.parametrize("pause", [1, 4, 5])
def test_resuming_is_bit_equal(text, pause, tmp_path):
    metrics = [3.0, None, 3.0, 3.0, None, 3.0, 1.0, None, 2.0, 2.0]
    plateau = {"lr": optdsl.load("Plateau")(patience=1, factor=0.5)} if text == "SGD" else {}
    Rule = optdsl.load(text)
    whole, half = np.ones(3), np.ones(3)
    unbroken, begun = Rule([whole], **plateau), Rule([half], **plateau)
    for metric in metrics:
        unbroken.step([np.sin(whole)], metric=metric)
    for metric in metrics[:pause]:
        begun.step([np.sin(half)], metric=metric)
    begun.save(tmp_path / "state")
    resumed = Rule([half], **plateau)
    resumed.load(tmp_path / "state")
    for metric in metrics[pause:]:
        resumed.step([np.sin(half)], metric=metric)
    assert half.tobytes() == whole.tobytes()


def test_epochs_see_what_came_when_the_next_begins(load):
    schedule = load("Sum")(per_epoch=3)
    assert schedule.values(7, metric=[1, 2, None, None, 5, None, None]).tolist() == [
        1, 1, 1, 3, 3, 3, 8,
    ]  # fmt: skip


def test_a_state_notes_how_a_schedule_was_attached():
    SGD, growth = optdsl.load("SGD"), optdsl.load("BatchGrowth")()
    state = SGD([np.ones(2)], lr=growth.output("m")).state_dict()
    with pytest.raises(CheckpointError, match=r"BatchGrowth with output .m."):
        SGD([np.ones(2)], lr=growth).load_state_dict(state)
    SGD([np.ones(2)], lr=growth.output("m")).load_state_dict(state)
    with pytest.raises(HyperparameterError, match="it gives `B`, `m`"):
        growth.output("velocity")
    with pytest.raises(HyperparameterError, match="1 or more"):
        optdsl.load("Cosine")(T=3, per_epoch=0)

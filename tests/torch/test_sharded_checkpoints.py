"""State dicts of `torch.distributed.checkpoint`, which make room for states before they load."""

import copy

import pytest
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)

import optdsl.torch
from optdsl.runtime import CheckpointError
from tests.torch.models import apart, batches, train, train_with_closure, twins

FLAT = StateDictOptions(flatten_optimizer_state_dict=True)


def reference(rule):
    return optdsl.torch.optimizer(rule, "reference")


@pytest.mark.parametrize("rule", ["Rprop", "DAdaptSGD", "ScheduleFreeAdamW", "SAM(Momentum)"])
def test_to_make_room_for_states_moves_nothing(rule):
    (model, beside), given = twins(), batches(3)
    opt = reference(rule)(model.parameters(), lr=0.5)
    stored = get_optimizer_state_dict(model, opt)["state"]
    assert {each["step"] for each in stored.values()} == {0}
    assert apart(model, beside) == 0
    opt.param_groups[0]["lr"] = 0.01  # states begin with the rate of the first step
    other = reference(rule)(beside.parameters(), lr=0.01)
    walk = train_with_closure if rule.startswith("SAM") else train
    for each, stepping in ((model, opt), (beside, other)):
        walk(each, stepping, given)
    assert apart(model, beside) == 0


@pytest.mark.parametrize("options", [None, FLAT])
def test_training_goes_on_from_what_was_stored(options):
    (model, _), given = twins(), batches(6)
    rule = reference("ClipByGlobalNorm(c=1) | AdamW")
    opt = rule(model.parameters(), lr=0.1)
    train(model, opt, given[:3])
    opt.zero_grad()
    again = copy.deepcopy(model)
    restored = rule(again.parameters(), lr=0.7)
    set_optimizer_state_dict(
        again, restored, get_optimizer_state_dict(model, opt, options=options), options=options
    )
    train(model, opt, given[3:])
    train(again, restored, given[3:])
    assert apart(model, again) == 0


def test_what_a_flattened_state_has_lost_is_said():
    (model, _), given = twins(), batches(1)
    opt = reference("Nesterov")(model.parameters(), lr=0.1)
    train(model, opt, given)
    stored = get_optimizer_state_dict(model, opt, options=FLAT)
    with pytest.raises(CheckpointError, match="flattened, and where its gradients were taken"):
        set_optimizer_state_dict(model, opt, stored, options=FLAT)

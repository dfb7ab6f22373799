"""Checkpoints of torch.optim go on in ours, and ours in theirs, mid-training."""

import copy

import pytest
import torch

from optdsl.runtime import CheckpointError
from tests.torch.models import apart, batches, made, net, train

PAIRS = {
    "SGD": ("SGD", torch.optim.SGD, {"lr": 0.05}),
    "momentum": ("MomentumOutside", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "momentum inside": ("Momentum", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "nesterov": ("Nesterov", torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "penalty": ("WeightDecay | Adam", torch.optim.Adam, {"lr": 0.02, "weight_decay": 0.1}),
    "Adam": ("Adam", torch.optim.Adam, {"lr": 0.02, "betas": (0.8, 0.95)}),
    "amsgrad": ("AMSGradMaxThenCorrect", torch.optim.Adam, {"lr": 0.02}),
    "AdamW": ("AdamW", torch.optim.AdamW, {"lr": 0.02, "weight_decay": 0.1}),
    "NAdam": ("NAdam", torch.optim.NAdam, {"lr": 0.02}),
    "RAdam": ("RAdamTorch", torch.optim.RAdam, {"lr": 0.02, "betas": (0.9, 0.95)}),
    "Adamax": ("AdaMaxEpsilon", torch.optim.Adamax, {"lr": 0.02}),
    "RMSprop": ("RMSpropOutside", torch.optim.RMSprop, {"lr": 0.02, "alpha": 0.9}),
    "RMSprop gathering": ("RMSpropMomentum", torch.optim.RMSprop, {"lr": 0.02, "momentum": 0.9}),
    "Adagrad": ("AdagradOutside", torch.optim.Adagrad, {"lr": 0.05}),
    "Adadelta": ("Adadelta", torch.optim.Adadelta, {"rho": 0.8}),
    "Rprop": ("Rprop", torch.optim.Rprop, {"lr": 0.01}),
}
REST = [name for name in PAIRS if name not in ("Adam", "nesterov", "Rprop")]
THEIRS = {"nesterov": {"nesterov": True}, "amsgrad": {"amsgrad": True}}


@pytest.fixture
def wide():
    """Let torch.optim keep numbers beside tensors in float64, too."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def check(name, dtype, bound):
    ours, theirs, settings = PAIRS[name]
    given = batches(30, dtype)
    stayed = net(dtype)
    opt = theirs(stayed.parameters(), **settings, **THEIRS.get(name, {}))
    train(stayed, opt, given[:10])
    moved = copy.deepcopy(stayed)
    door = (
        made(ours)(moved.parameters(), lr=0.7)
        if "lr" in settings
        else made(ours)(moved.parameters())
    )
    door.load_state_dict(copy.deepcopy(opt.state_dict()))
    train(stayed, opt, given[10:20])
    train(moved, door, given[10:20])
    assert apart(stayed, moved) < bound
    back = theirs(moved.parameters(), lr=0.7)
    back.load_state_dict(door.torch_state_dict())
    train(stayed, opt, given[20:])
    train(moved, back, given[20:])
    assert apart(stayed, moved) < bound
    for key in ("lr", "momentum", "betas", "weight_decay", "nesterov", "amsgrad", "alpha"):
        assert back.param_groups[0].get(key) == opt.param_groups[0].get(key)


@pytest.mark.parametrize("name", PAIRS)
def test_training_goes_on_in_float64(name, wide):
    check(name, torch.float64, 1e-9)


@pytest.mark.parametrize(
    "name",
    ["Adam", "nesterov", "Rprop", *(pytest.param(each, marks=pytest.mark.slow) for each in REST)],
)
def test_training_goes_on_in_float32(name):
    check(name, torch.float32, 1e-5)


def test_parameters_that_took_no_step_and_groups_move_too(wide):
    given = batches(12)
    stayed = net()
    groups = [{"params": stayed[0].parameters(), "lr": 0.1}, {"params": stayed[2].parameters()}]
    opt = torch.optim.AdamW(groups, lr=0.02)
    stayed[2].requires_grad_(False)
    train(stayed, opt, given[:4])
    moved = copy.deepcopy(stayed)
    groups = [{"params": moved[0].parameters()}, {"params": moved[2].parameters()}]
    door = made("ClipByGlobalNorm(c=1e9) | AdamW")(groups)
    scheduler = torch.optim.lr_scheduler.StepLR(opt, 100)
    door.load_state_dict(opt.state_dict())
    assert [group["lr"] for group in door.param_groups] == [0.1, 0.02]
    assert door.param_groups[0]["initial_lr"] == scheduler.base_lrs[0]
    for each in (stayed, moved):
        each[2].requires_grad_(True)
    train(stayed, opt, given[4:])
    train(moved, door, given[4:])
    assert apart(stayed, moved) < 1e-9


@pytest.mark.parametrize(
    ("theirs", "settings", "ours", "match"),
    [
        (torch.optim.Adam, {"weight_decay": 0.1}, "Adam", "use `WeightDecay"),
        (torch.optim.Adam, {}, "AdamW", "`decoupled_weight_decay` is False there"),
        (torch.optim.AdamW, {}, "WeightDecay | Adam", "decoupled"),
        (torch.optim.Adam, {"amsgrad": True}, "Adam", "`amsgrad` is True there"),
        (torch.optim.Adam, {}, "RAdamTorch", "torch.optim.RAdam has no `amsgrad`"),
        (torch.optim.RAdam, {}, "Adam", "it has no `amsgrad`"),
        (torch.optim.NAdam, {}, "Adam", "has no `momentum_decay`"),
        (torch.optim.SGD, {"momentum": 0.9}, "SGD", "`momentum` is 0.9 there"),
        (torch.optim.SGD, {"momentum": 0.9, "dampening": 0.5}, "MomentumOutside", "dampening"),
        (torch.optim.Adam, {}, "Lion", "one of something else, but here it is Lion"),
    ],
)
def test_what_takes_other_steps_is_refused(theirs, settings, ours, match):
    model = net()
    opt = theirs(model.parameters(), **settings)
    train(model, opt, batches(1))
    with pytest.raises(CheckpointError, match=match):
        made(ours)(model.parameters()).load_state_dict(opt.state_dict())


def test_what_torch_has_not_is_refused_on_the_way_back():
    model = net()
    with pytest.raises(CheckpointError, match="no optimizer that takes the steps of Lion"):
        made("Lion")(model.parameters()).torch_state_dict()
    opt = made("Adam")(model.parameters(), lr=lambda t: 1 / t)
    with pytest.raises(CheckpointError, match="`lr` is a schedule or a function here"):
        opt.torch_state_dict()

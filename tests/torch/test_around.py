"""What PyTorch puts around an optimizer: schedulers, hooks, gradient scalers, profilers."""

import copy
import pickle

import pytest
import torch
from torch.optim import lr_scheduler

import optdsl
from optdsl.runtime import CheckpointError
from tests.torch.models import apart, batches, loss_of, made, net, train, twins

SCHEDULERS = {
    "StepLR": lambda opt: lr_scheduler.StepLR(opt, 5, gamma=0.5),
    "LambdaLR": lambda opt: lr_scheduler.LambdaLR(opt, lambda epoch: 0.9**epoch),
    "Cosine": lambda opt: lr_scheduler.CosineAnnealingLR(opt, T_max=20),
    "WarmRestarts": lambda opt: lr_scheduler.CosineAnnealingWarmRestarts(opt, T_0=7),
    "OneCycleLR": lambda opt: lr_scheduler.OneCycleLR(opt, max_lr=0.1, total_steps=40),
    "CyclicLR": lambda opt: lr_scheduler.CyclicLR(opt, 1e-3, 0.1, step_size_up=4),
    "Sequential": lambda opt: lr_scheduler.SequentialLR(
        opt,
        [lr_scheduler.LinearLR(opt, 0.1, total_iters=5), lr_scheduler.ExponentialLR(opt, 0.9)],
        milestones=[5],
    ),
}


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("rule", ["AdamW", "MomentumOutside"])
def test_schedulers_of_pytorch_set_what_a_step_reads(name, rule):
    model, beside = twins()
    settings = {"lr": 0.02} if rule == "AdamW" else {"lr": 0.02, "momentum": 0.9}
    theirs = torch.optim.AdamW if rule == "AdamW" else torch.optim.SGD
    opt, other = made(rule)(model.parameters(), **settings), theirs(beside.parameters(), **settings)
    given = batches(20)
    train(model, opt, given, SCHEDULERS[name](opt).step)
    train(beside, other, given, SCHEDULERS[name](other).step)
    assert apart(model, beside) < 1e-12
    group, beside_group = opt.param_groups[0], other.param_groups[0]
    for key in {"lr", "momentum", "betas"} & set(group):
        assert group[key] == beside_group[key]


def test_a_scheduler_that_waits_for_a_plateau():
    model, beside = twins()
    opt, other = made("AdamW")(model.parameters(), lr=0.5), torch.optim.AdamW(beside.parameters())
    other.param_groups[0]["lr"] = 0.5
    plateaus = [lr_scheduler.ReduceLROnPlateau(o, patience=1) for o in (opt, other)]
    for batch in batches(30):
        for each, stepped, plateau in zip((model, beside), (opt, other), plateaus, strict=True):
            plateau.step(train(each, stepped, [batch])[0])
    assert opt.param_groups[0]["lr"] == other.param_groups[0]["lr"] < 0.5
    assert apart(model, beside) < 1e-12


def test_the_place_of_a_scheduler_comes_back_with_a_checkpoint():
    model = net()
    opt = made("AdamW")(model.parameters(), lr=0.02)
    scheduler = lr_scheduler.OneCycleLR(opt, max_lr=0.1, total_steps=40)
    train(model, opt, batches(10), scheduler.step)
    again = made("AdamW")(model.parameters(), lr=1.0)
    again.load_state_dict(opt.state_dict())
    new = lr_scheduler.OneCycleLR(again, max_lr=0.1, total_steps=40, last_epoch=10)
    new.load_state_dict(scheduler.state_dict())
    scheduler.step()
    new.step()
    assert again.param_groups[0]["lr"] == opt.param_groups[0]["lr"]
    assert again.param_groups[0]["betas"] == opt.param_groups[0]["betas"]


def test_our_own_schedules_and_functions_stand_in_groups():
    def begin():
        model = net()
        schedule = optdsl.load("Cosine")(eta_max=0.1, T=30)
        betas = (lambda t: 1 - 1 / (t + 1), 0.99)
        return model, made("Adam")(model.parameters(), lr=schedule, betas=betas)

    (model, opt), (unbroken, beside) = begin(), begin()
    given = batches(20)
    train(unbroken, beside, given)
    train(model, opt, given[:10])
    stored = opt.state_dict()
    assert stored["param_groups"][0]["lr"]["schedule"] == "Cosine"
    opt.load_state_dict(stored)
    train(model, opt, given[10:])
    assert apart(model, unbroken) == 0
    plain = made("Adam")(model.parameters())
    with pytest.raises(CheckpointError, match="was the schedule Cosine: give it again"):
        plain.load_state_dict(stored)


def test_a_tensor_may_be_the_step_size():
    w = torch.zeros(1, requires_grad=True)
    opt = made("SGD")([w], lr=torch.tensor(1.0))
    for expected in (-1.0, -1.5):
        w.grad = torch.ones(1)
        opt.step()
        assert w.item() == expected
        opt.param_groups[0]["lr"].fill_(0.5)


def test_hooks_run_around_steps_and_state_dicts():
    model = net()
    opt = made("SGD")(model.parameters(), lr=0.1)
    seen = []
    handles = [
        opt.register_step_pre_hook(lambda *_: seen.append("before")),
        opt.register_step_post_hook(lambda *_: seen.append("after")),
        opt.register_state_dict_pre_hook(lambda _: seen.append("dump")),
        opt.register_state_dict_post_hook(lambda _, state: {**state, "mine": 1}),
        opt.register_load_state_dict_pre_hook(lambda _, state: seen.append(state["mine"])),
        opt.register_load_state_dict_post_hook(lambda _: seen.append("loaded")),
    ]
    train(model, opt, batches(1))
    stored = opt.state_dict()
    opt.load_state_dict(stored)
    assert seen == ["before", "after", "dump", 1, "loaded"]
    for handle in handles:
        handle.remove()
    train(model, opt, batches(1))
    assert "mine" not in opt.state_dict()
    assert len(seen) == 5


def test_a_hook_may_change_what_is_loaded():
    model = net()
    opt = made("Momentum")(model.parameters(), lr=0.1)
    train(model, opt, batches(3))

    def halved(_, state):
        states = {k: {**s, "v": s["v"] / 2} for k, s in state["state"].items()}
        return {**state, "state": states}

    before = opt.state[model[0].weight]["v"].clone()
    opt.register_load_state_dict_pre_hook(halved)
    opt.load_state_dict(opt.state_dict())
    assert torch.equal(opt.state[model[0].weight]["v"], before / 2)


def test_a_gradient_scaler_skips_steps_with_infinities():
    model, beside = twins(torch.float32)
    optimizers = (
        made("Adam")(model.parameters(), lr=0.01),
        torch.optim.Adam(beside.parameters(), lr=0.01),
    )
    scalers = [torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2) for _ in range(2)]
    for index, batch in enumerate(batches(8, torch.float32)):
        for each, opt, scaler in zip((model, beside), optimizers, scalers, strict=True):
            opt.zero_grad()
            scaler.scale(loss_of(each, batch)).backward()
            if index in (2, 5):
                next(each.parameters()).grad[0] = float("inf")
            if index == 4:
                scaler.unscale_(opt)
                torch.nn.utils.clip_grad_norm_(each.parameters(), 0.1)
            scaler.step(opt)
            scaler.update()
    assert scalers[0].get_scale() == scalers[1].get_scale()
    assert optimizers[0].state[model[0].weight]["step"] == 6
    assert apart(model, beside) < 1e-5


def test_a_state_of_edited_equations_is_taken_with_a_warning(tmp_path):
    text = (
        "optimizer Ball\n  hyper eta as lr = 0.1 in [0, inf)\n  v[0] = 0\n"
        "  v[t] = v[t-1]/2 + g[t]\n  theta[t] = theta[t-1] - eta*v[t]\n"
    )
    rules = []
    for name, spec in {"one": text, "other": text.replace("/2 + ", "/2 + 3*")}.items():
        (tmp_path / f"{name}.opt").write_text(spec)
        rules.append(optdsl.torch.optimizer(tmp_path / f"{name}.opt", target="reference"))
    model = net()
    opt, same, edited = (rule(model.parameters()) for rule in (rules[0], *rules))
    train(model, opt, batches(1))
    same.load_state_dict(opt.state_dict())
    with pytest.warns(UserWarning, match="other equations of Ball"):
        edited.load_state_dict(opt.state_dict())


def test_a_state_that_belongs_elsewhere_is_refused():
    model = net()
    opt = made("AdamW")(model.parameters(), lr=0.25)
    train(model, opt, batches(2))
    before = opt.state_dict()["state"][0]["m"].clone()
    other = made("Momentum")(net().parameters())
    train(net(), other, batches(1))
    wider = made("AdamW")(torch.nn.Linear(9, 9).double().parameters())
    for stored, match in [
        (other.state_dict(), "is one of Momentum, but here it is AdamW"),
        ({"param_groups": []}, "this is not a state"),
        (wider.state_dict(), "size of optimizer's group|parameters"),
    ]:
        with pytest.raises((CheckpointError, ValueError), match=match):
            opt.load_state_dict(stored)
    damaged = opt.state_dict()
    damaged["state"] = {k: {**s, "m": s["m"][:1]} for k, s in damaged["state"].items()}
    with pytest.raises(CheckpointError, match="`m` of parameter"):
        opt.load_state_dict(damaged)
    lost = opt.state_dict()
    lost["state"] = {k: {"step": 2, "m": s["m"]} for k, s in lost["state"].items()}
    with pytest.raises(CheckpointError, match="arrays of `v` are missing"):
        opt.load_state_dict(lost)
    assert opt.param_groups[0]["lr"] == 0.25
    assert torch.equal(opt.state_dict()["state"][0]["m"], before)
    train(model, opt, batches(1))


def test_results_of_steps_and_inputs():
    w = torch.zeros(1, requires_grad=True)
    opt = made("SkipNonfinite | SGD")([w], lr=1.0)
    w.grad = torch.tensor([float("nan")])
    opt.step()
    assert opt.result.skipped
    assert w.item() == 0
    polyak = made("Polyak")([w])
    w.grad = torch.ones(1)
    polyak.step(loss=torch.tensor(2.0, requires_grad=True))
    assert w.item() == pytest.approx(-2.0)


def test_states_can_be_assigned_and_cleared():
    (model, twin), given = twins(), batches(10)
    opt, other = (made("Adam")(each.parameters(), lr=0.1) for each in (model, twin))
    train(model, opt, given[:5])
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        other.state[q] = {k: v.clone() if k != "step" else v for k, v in opt.state[p].items()}
        with torch.no_grad():
            q.copy_(p)
    train(model, opt, given[5:])
    train(twin, other, given[5:])
    assert apart(model, twin) == 0
    with pytest.raises(TypeError, match="does not support item assignment"):
        opt.state[model[0].weight]["step"] = 3
    opt.state.clear()
    assert len(opt.state) == 0
    weight = model[0].weight
    assert opt.state.get(weight) is opt.state.pop(weight, None) is None
    with pytest.raises(KeyError):
        opt.state.pop(weight)
    train(model, opt, given[:1])
    assert opt.state[model[0].weight]["step"] == 1
    opt.state[model[0].weight] = {"step": 1, "m": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"`v` are missing|`m` of parameter"):
        opt.step()


class Mine(made("SGD")):
    """A class of a user, upon one of ours."""


def test_a_class_upon_ours_is_copied_as_it_is():
    opt = Mine(net().parameters(), lr=0.5)
    for again in (copy.deepcopy(opt), pickle.loads(pickle.dumps(opt))):
        assert type(again) is Mine
        assert again.param_groups[0]["lr"] == 0.5

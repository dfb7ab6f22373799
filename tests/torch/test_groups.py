"""Groups that users and their tools change between steps, and checkpoints of named parameters."""

import pytest
import torch

from optdsl.runtime import HyperparameterError, ParameterError
from tests.torch.models import apart, batches, made, net, train, twins


def one(*shape):
    """Return a parameter of ones with a gradient of ones."""
    parameter = torch.ones(shape, requires_grad=True)
    parameter.grad = torch.ones(shape)
    return parameter


def test_groups_that_are_changed_by_hand_are_followed():
    model, beside = twins()
    optimizers = []
    for each, kind in ((model, made("AdamW")), (beside, torch.optim.AdamW)):
        opt = kind([{"params": [p]} for p in each.parameters()], lr=0.1, weight_decay=0.01)
        optimizers.append(opt)
        given = batches(8)
        train(each, opt, given[:2])
        held = opt.param_groups[0]["params"].pop()
        train(each, opt, given[2:4])
        opt.param_groups[1]["params"].insert(0, held)
        train(each, opt, given[4:5])
        opt.param_groups = [dict(group, lr=0.05) for group in opt.param_groups[1:]]
        train(each, opt, given[5:6])
        opt.param_groups[0] = {**opt.param_groups[0], "lr": 0.02}
        train(each, opt, given[6:])
    assert apart(model, beside) < 1e-12
    steps = [[opt.state[p]["step"] for p in (g["params"][0] for g in opt.param_groups)]
             for opt in optimizers]  # fmt: skip
    assert steps[0] == steps[1]


def test_groups_that_cannot_be_stepped_are_refused_until_they_can():
    first, second = one(4), one(4)
    opt = made("SGD")([first], lr=0.5)
    opt.param_groups[0]["params"].append(first.detach()[:2].requires_grad_())
    for _ in range(2):
        with pytest.raises(ParameterError, match="share memory"):
            opt.step()
    opt.param_groups[0]["params"][1] = second
    opt.step()
    assert first.tolist() == second.tolist() == [0.5] * 4


def test_names_that_come_late_or_go_are_told():
    w = one(2)
    opt = made("SGD")([w], lr=0.5)
    group = opt.param_groups[0]
    group["eta"] = 0.25
    with pytest.raises(HyperparameterError, match=r"`eta` has come .* stands there as `lr`"):
        opt.step()
    del group["eta"], group["lr"]
    with pytest.raises(HyperparameterError, match="`lr` is gone"):
        opt.step()
    group["lr"] = 0.5
    opt.step()
    assert w.tolist() == [0.5] * 2
    both = made("SGD if ndim == 2 else Momentum")([w])
    both.param_groups[0]["lr"] = 0.1
    with pytest.raises(HyperparameterError, match=r"stands there as `SGD\.lr`, `Momentum\.lr`"):
        both.step()


def test_a_group_that_is_appended_gets_what_it_lacks():
    first, second = one(2), one(2)
    opt = made("AdamW")([first], lr=0.5, weight_decay=0.0)
    opt.param_groups.append({"params": [second], "lr": 0.25})
    opt.step()
    assert first[0].item() == pytest.approx(0.5)
    assert second[0].item() == pytest.approx(0.75)


def test_states_go_to_parameters_by_their_names():
    (model, twin), given = twins(), batches(6)
    opt = made("AdamW")(model.named_parameters(), lr=0.1)
    train(model, opt, given[:3])
    twin.load_state_dict(model.state_dict())
    other = made("AdamW")(list(twin.named_parameters())[::-1])
    other.load_state_dict(opt.state_dict())
    train(model, opt, given[3:])
    train(twin, other, given[3:])
    assert apart(model, twin) == 0
    assert other.param_groups[0]["param_names"][-1] == "0.weight"


def test_names_are_those_of_the_model_whatever_is_loaded():
    rule = made('SGD(eta=0) if named("0.*") else SGD(eta=1)')
    model = net()
    wrapped = rule((f"module.{name}", p) for name, p in net().named_parameters())
    opt = rule(model.named_parameters())
    opt.load_state_dict(wrapped.state_dict())
    before = model[0].bias.clone()
    train(model, opt, batches(1))
    assert torch.equal(model[0].bias, before)


@pytest.mark.parametrize("rule", ["AdamW", "ClipByGlobalNorm(c=1) | NAdam", "LAMB"])
def test_training_goes_on_with_numbers_and_nothing(rule):
    shapes = [(), (0,), (2, 0, 3), (1,), (3,)]
    parameters = [one(*shape) for shape in shapes]
    opt = made(rule)(parameters, lr=0.1)
    opt.step()
    others = [p.detach().clone().requires_grad_() for p in parameters]
    other = made(rule)(others)
    other.load_state_dict(opt.state_dict())
    for p, q in zip(parameters, others, strict=True):
        p.grad = q.grad = torch.full_like(p, 3.0)
    opt.step()
    other.step()
    assert all(map(torch.equal, parameters, others))
    assert [p.shape for p in others] == [torch.Size(shape) for shape in shapes]


def test_what_stands_in_a_group_is_read_with_care():
    SGD, w = made("SGD"), one(2)
    with pytest.raises(HyperparameterError, match="leave `fused` out"):
        SGD([w], fused=True)
    with pytest.raises(HyperparameterError, match="a tensor of 2 entries"):
        SGD([w], lr=torch.ones(2))
    with pytest.raises(ParameterError, match='no "params"'):
        SGD([{"lr": 0.1}])
    opt = SGD([{"params": [w], "lr_scale": 0.5}], lr=0.5)
    opt.param_groups[0]["tag"] = "mine"
    opt.load_state_dict(opt.state_dict())
    opt.step()
    assert opt.param_groups[0]["tag"] == "mine"
    assert opt.param_groups[0]["lr_scale"] == w[0] == 0.5

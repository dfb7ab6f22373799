"""What PyTorch's documentation promises of an optimizer, and ours beside torch.optim's."""

import copy
import inspect
import io
import pickle

import numpy as np
import pytest
import torch

import optdsl.torch
from optdsl.diagnostics import DiagnosticError
from optdsl.runtime import HyperparameterError, ParameterError, StepError
from tests.torch.models import apart, batches, loss_of, made, net, train, twins


def pair(ours, theirs, dtype=torch.float64, **settings):
    """Return two equal models, ours stepped by the first optimizer, theirs by the second."""
    model, beside = twins(dtype)
    return (
        (model, made(ours)(model.parameters(), **settings)),
        (beside, theirs(beside.parameters(), **settings)),
    )


def test_it_is_an_optimizer_whose_signature_lists_the_hyperparameters():
    Adam = made("Adam")
    assert issubclass(Adam, torch.optim.Optimizer)
    assert Adam.__name__ == "Adam"
    parameters = inspect.signature(Adam).parameters
    defaults = {name: parameters[name].default for name in ("lr", "betas", "eps", "maximize")}
    assert defaults == {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "maximize": False}
    assert "beta2, betas[2]: decay of the second moment" in Adam.__doc__
    assert Adam(net().parameters()).defaults == defaults


def test_a_path_and_a_composition_are_rules_too(tmp_path):
    path = tmp_path / "mine.opt"
    path.write_text(
        "optimizer Mine\n  hyper eta as lr = 0.5 in [0, inf)\n"
        "  theta[t] = theta[t-1] - eta*sign(g[t])\n"
    )
    w = torch.zeros(2, requires_grad=True)
    opt = optdsl.torch.optimizer(path)([w])
    w.grad = torch.tensor([3.0, -2.0])
    opt.step()
    assert w.tolist() == [-0.5, 0.5]
    clipped = made("ClipByGlobalNorm(c=1) | AdamW")
    assert {"max_norm", "lr", "betas"} <= set(inspect.signature(clipped).parameters)


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(DiagnosticError, match="Cosine is a schedule"):
        optdsl.torch.optimizer("Cosine")
    with pytest.raises(DiagnosticError, match="Sign is a transform"):
        optdsl.torch.optimizer("Sign")
    with pytest.raises(DiagnosticError, match="the target jax steps no tensors of PyTorch"):
        optdsl.torch.optimizer("Adam", "jax")


@pytest.mark.parametrize(
    ("ours", "theirs", "settings"),
    [
        ("Adam", torch.optim.Adam, {"lr": 1e-2, "betas": (0.8, 0.95)}),
        ("AdamW", torch.optim.AdamW, {"lr": 1e-2, "weight_decay": 0.1}),
        ("MomentumOutside", torch.optim.SGD, {"lr": 1e-2, "momentum": 0.9}),
    ],
)
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_it_trains_as_torchs_own_does(ours, theirs, settings, dtype, bound):
    (model, opt), (beside, other) = pair(ours, theirs, dtype, **settings)
    given = batches(30, dtype)
    assert np.allclose(train(model, opt, given), train(beside, other, given), rtol=1e-5)
    assert apart(model, beside) < bound


def test_kernels_run_on_the_tensors_own_memory():
    w = torch.ones(3, requires_grad=True)
    seen = w.detach().numpy()
    opt = made("Adam")([w], lr=0.5)
    w.grad = torch.ones(3)
    opt.step()
    assert seen.tolist() == w.tolist() != [1, 1, 1]
    before = w.data_ptr(), opt.state[w]["m"].data_ptr()
    opt.step()
    assert (w.data_ptr(), opt.state[w]["m"].data_ptr()) == before


def test_groups_have_their_own_hyperparameters():
    (model, _), (beside, _) = pair("Adam", torch.optim.Adam)

    def groups(of):
        return [{"params": of[0].parameters(), "lr": 0.05}, {"params": [of[2].weight]}]

    opt = made("Adam")(groups(model), lr=1e-3, betas=(0.5, 0.9))
    other = torch.optim.Adam(groups(beside), lr=1e-3, betas=(0.5, 0.9))
    given = batches(20)
    train(model, opt, given[:10])
    train(beside, other, given[:10])
    opt.add_param_group({"params": [model[2].bias], "lr": 0.1})
    other.add_param_group({"params": [beside[2].bias], "lr": 0.1})
    assert [group["lr"] for group in opt.param_groups] == [0.05, 1e-3, 0.1]
    assert opt.param_groups[2]["betas"] == (0.5, 0.9)
    train(model, opt, given[10:])
    train(beside, other, given[10:])
    assert apart(model, beside) < 1e-12


def test_a_group_that_is_refused_leaves_nothing_behind():
    model = net()
    opt = made("Adam")([model[0].weight], lr=0.01)
    with pytest.raises(HyperparameterError, match="outside its domain"):
        opt.add_param_group({"params": [model[0].bias], "lr": -1.0})
    with pytest.raises(HyperparameterError, match="did you mean `betas`"):
        opt.add_param_group({"params": [model[0].bias], "beta": 0.1})
    with pytest.raises(ParameterError, match="share memory"):
        opt.add_param_group({"params": [model[0].weight.detach()[:1].requires_grad_()]})
    assert len(opt.param_groups) == 1
    opt.add_param_group({"params": [model[0].bias], "lr": 1.0})
    train(model, opt, batches(2))
    assert [group["lr"] for group in opt.param_groups] == [0.01, 1.0]


def test_names_of_parameters_reach_rules_that_ask_for_them():
    model = net()
    rule = made('SGD(eta=0) if named("*.bias") else SGD(eta=1)')
    opt = rule(model.named_parameters())
    before = copy.deepcopy(model)
    train(model, opt, batches(1))
    assert torch.equal(model[0].bias, before[0].bias)
    assert not torch.equal(model[0].weight, before[0].weight)


def test_a_name_that_parts_share_may_be_given_once():
    rule = made("Momentum if ndim == 2 else AdamW")
    model = net()
    apart_ = rule(model.parameters())
    assert {"Momentum.lr", "AdamW.lr"} <= set(apart_.param_groups[0])
    opt = rule(model.parameters(), lr=0.1)
    assert opt.param_groups[0]["lr"] == 0.1
    assert not {"Momentum.lr", "AdamW.lr"} & set(opt.param_groups[0])
    scheduler = torch.optim.lr_scheduler.StepLR(opt, 1, 0.5)
    train(model, opt, batches(2), scheduler.step)
    assert next(iter(opt.running.portions.values())).optimizer.groups[0]["lr"] == 0.05


def test_a_closure_gives_the_loss_and_the_gradients():
    (model, opt), (beside, other) = pair("AdamW", torch.optim.AdamW, lr=0.02)
    for batch in batches(10):
        losses = []
        for one, stepped in ((model, opt), (beside, other)):

            def closure(one=one, stepped=stepped, batch=batch):
                stepped.zero_grad()
                loss = loss_of(one, batch)
                loss.backward()
                return loss

            losses.append(stepped.step(closure).item())
        assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert apart(model, beside) < 1e-12


@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad_empties_gradients(set_to_none):
    model = net()
    opt = made("SGD")(model.parameters(), lr=0.1)
    train(model, opt, batches(1))
    opt.zero_grad(set_to_none=set_to_none)
    kept = copy.deepcopy(model)
    assert all((p.grad is None) == set_to_none for p in model.parameters())
    opt.step()
    assert apart(model, kept) == 0


def test_a_tensor_without_a_gradient_counts_its_own_steps():
    (model, opt), (beside, other) = pair("Adam", torch.optim.Adam, lr=0.02)
    given = batches(12)
    for one, stepped in ((model, opt), (beside, other)):
        for index, batch in enumerate(given):
            one[0].requires_grad_(index % 3 == 0)
            train(one, stepped, [batch])
    assert opt.state[model[0].weight]["step"] == 4
    assert opt.state[model[2].weight]["step"] == 12
    assert apart(model, beside) < 1e-12


def test_maximize_steps_uphill():
    (model, opt), (beside, other) = pair(
        "AdamW", torch.optim.AdamW, lr=0.02, weight_decay=0.1, maximize=True
    )
    given = batches(10)
    train(model, opt, given)
    train(beside, other, given)
    assert apart(model, beside) < 1e-12
    w = torch.zeros(2, requires_grad=True)
    one = made("SGD")([{"params": [w], "maximize": True, "lr": 1.0}])
    w.grad = torch.ones(2)
    one.step()
    assert w.tolist() == w.grad.tolist() == [1, 1]


def test_parameters_that_are_not_contiguous_are_stepped_where_they_are():
    start = torch.randn(3, 4, 2, 2, dtype=torch.float64)
    w = start.clone().to(memory_format=torch.channels_last).requires_grad_()
    v = start.clone().requires_grad_()
    wide = torch.ones(4, 6, dtype=torch.float64)
    part = torch.nn.Parameter(wide[:, ::2])
    opt = made("LARS")([w, part], lr=0.1)
    beside = made("LARS")([v], lr=0.1)
    for _ in range(3):
        for p in (w, v):
            p.grad = None
            (p * start.exp()).sum().backward()
        part.grad = torch.ones(4, 3, dtype=torch.float64)
        opt.step()
        beside.step()
    assert w.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(w, v)
    assert (wide[:, ::2] != 1).all()
    assert (wide[:, 1::2] == 1).all()


def test_signs_that_pytorch_has_put_off_are_taken():
    entry = torch.ones(1, requires_grad=True)
    (torch.complex(torch.ones(1), entry).conj() * (2 + 3j)).imag.sum().backward()
    assert entry.grad.is_neg()
    made("SGD")([entry], lr=0.5).step()
    assert entry.item() == 2
    turned = torch.complex(torch.ones(1), torch.ones(1)).conj().imag.requires_grad_()
    turned.grad = torch.ones(1)
    made("SGD")([turned], lr=0.5).step()
    assert turned.item() == -1.5


def test_tied_parameters_are_one():
    model = net()
    model[0].bias = model[2].bias = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    beside = copy.deepcopy(model)
    opt = made("Adam")(model.parameters(), lr=0.01)
    other = torch.optim.Adam(beside.parameters(), lr=0.01)
    for x, _ in batches(5):
        for each, stepped in ((model, opt), (beside, other)):
            stepped.zero_grad()
            each(x).square().mean().backward()
            stepped.step()
    assert apart(model, beside) < 1e-12


def test_parameters_that_move_are_followed():
    (model, opt), (beside, other) = pair("Adam", torch.optim.Adam, lr=0.02)
    given = batches(6)
    for batch in given:
        for each in (model, beside):
            for p in each.parameters():
                p.data = p.data.clone()
        train(model, opt, [batch])
        train(beside, other, [batch])
    assert apart(model, beside) < 1e-12
    model.float()
    with pytest.raises(ParameterError, match=r"was torch\.float64"):
        train(model, opt, batches(1, torch.float32))


def test_autograd_knows_that_parameters_have_changed():
    w = torch.ones(2, requires_grad=True)
    opt = made("SGD")([w], lr=0.1)
    loss = (w**3).sum()
    w.grad = torch.ones(2)
    opt.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_what_cannot_be_stepped_is_refused():
    SGD = made("SGD")
    with pytest.raises(ParameterError, match=r"torch\.complex64"):
        SGD([torch.ones(2, dtype=torch.complex64, requires_grad=True)])
    with pytest.raises(ParameterError, match="is on meta: this door steps tensors on the CPU"):
        SGD([torch.ones(2, device="meta", requires_grad=True)])
    with pytest.raises(ParameterError, match="expanded"):
        SGD([torch.ones(1).expand(3).clone().detach().new_ones(1).expand(3).requires_grad_()])
    with pytest.raises(HyperparameterError, match="no hyperparameter `momentum`"):
        SGD(net().parameters(), momentum=0.9)
    with pytest.raises(HyperparameterError, match=r"by name: give lr=0\.1"):
        SGD(net().parameters(), 0.1)
    opt = SGD(params=net().parameters())
    opt.param_groups[0]["lr"] = -1.0
    with pytest.raises(HyperparameterError, match="outside its domain"):
        opt.step()
    with pytest.raises(StepError, match="a closure returns the loss"):
        opt.step(lambda: None, loss=1.0)


def test_a_name_that_groups_of_pytorch_take_is_refused(tmp_path):
    for name in ("params", "initial_lr", "capturable"):
        path = tmp_path / f"{name}.opt"
        path.write_text(
            f"optimizer Own\n  hyper {name} = 1\n  theta[t] = theta[t-1] - {name}*g[t]\n"
        )
        with pytest.raises(DiagnosticError, match=f"`{name}` of Own means something else"):
            optdsl.torch.optimizer(path)


def test_a_name_of_others_tools_may_be_a_hyperparameter():
    weight = torch.ones(1, requires_grad=True)
    opt = made("SGD(eta=Triangular(n=1))")([weight], max_lr=0.5, base_lr=0.25)
    for expected in (0.75, 0.25):
        weight.grad = torch.ones(1)
        opt.step()
        assert weight.item() == expected


@pytest.mark.parametrize("how", ["state_dict", "deepcopy", "pickle"])
@pytest.mark.parametrize("what", ["Adam", "NAdam", "Nesterov", "Accumulate(k=3) | AdamW", "SGLD"])
def test_training_goes_on_from_a_stored_state(what, how):
    settings = {"lr": 0.01, **({"seed": 7} if what == "SGLD" else {})}
    model = net()
    opt = made(what)(model.parameters(), **settings)
    given = batches(12)
    train(model, opt, given[:5])
    if how == "deepcopy":
        again, restored = copy.deepcopy((model, opt))
    elif how == "pickle":
        again, restored = pickle.loads(pickle.dumps((model, opt)))
    else:
        again = copy.deepcopy(model)
        restored = made(what)(again.parameters())
        file = io.BytesIO()
        torch.save(opt.state_dict(), file)
        file.seek(0)
        restored.load_state_dict(torch.load(file, weights_only=True))
    assert restored.param_groups[0]["lr"] == 0.01
    train(model, opt, given[5:])
    train(again, restored, given[5:])
    assert apart(model, again) == 0
    assert all(map(torch.equal, opt.theta(), restored.theta()))


@pytest.mark.parametrize(("dtype", "bound"), [(torch.bfloat16, 0.02), (torch.float16, 2e-3)])
def test_half_precision_parameters_are_rounded_once_a_step(dtype, bound):
    model = net(dtype)
    beside = copy.deepcopy(model).float()
    opt = made("AdamW")(model.parameters(), lr=0.02)
    other = torch.optim.AdamW(beside.parameters(), lr=0.02)
    for x, y in batches(20, dtype):
        loss_of(model, (x, y)).backward()
        for p, q in zip(model.parameters(), beside.parameters(), strict=True):
            q.grad = p.grad.float()
        opt.step()
        other.step()
        opt.zero_grad()
        with torch.no_grad():
            for q in beside.parameters():  # rounded once a step, as ours are
                q.copy_(q.to(dtype).float())
    assert {p.dtype for p in model.parameters()} == {dtype}
    assert opt.state[model[0].weight]["m"].dtype == torch.float32
    assert all(map(torch.equal, opt.theta(), model.parameters()))
    assert apart(model, beside) < bound


def test_dtypes_stand_side_by_side_under_one_norm():
    """As in a model of mixed precision: matrices of bfloat16, vectors of float32."""
    model, beside = net(torch.float32), net(torch.float32)
    for m in (model, beside):
        for p in m.parameters():
            start = p.data.bfloat16()
            p.data = start if m is model and p.ndim == 2 else start.float()
    Clipped = optdsl.torch.optimizer("ClipByGlobalNorm(c=0.1) | MomentumOutside", "reference")
    opt = Clipped(model.parameters(), lr=1.0, momentum=0.5)
    other = torch.optim.SGD(beside.parameters(), lr=1.0, momentum=0.5)
    for batch in batches(5, torch.float32):
        other.zero_grad()
        loss_of(beside, batch).backward()
        for p, q in zip(model.parameters(), beside.parameters(), strict=True):
            p.grad = q.grad.to(p.dtype)
            q.grad = p.grad.float().clone()
        torch.nn.utils.clip_grad_norm_(beside.parameters(), 0.1)
        opt.step()
        other.step()
        with torch.no_grad():
            for p, q in zip(model.parameters(), beside.parameters(), strict=True):
                q.copy_(q.to(p.dtype).float())
    assert apart(model, beside) < 0.01
    assert [s["v"].dtype for s in opt.state.values()] == [torch.float32] * 4
    again, restored = copy.deepcopy((model, opt))
    for m, each in ((model, opt), (again, restored)):
        for p in m.parameters():
            p.grad = torch.ones_like(p)
        each.step()
    assert apart(model, again) == 0


def test_states_are_kept_as_the_caller_says():
    model, beside = twins(torch.float32)
    Small = optdsl.torch.optimizer("Adam", storage={"m": "bfloat16", "v": "int8 blockwise(32)"})
    opt = Small(model.parameters(), lr=0.01)
    other = torch.optim.Adam(beside.parameters(), lr=0.01)
    given = batches(10, torch.float32)
    train(model, opt, given[:5])
    kept = opt.state[model[0].weight]
    assert (kept["m"].dtype, kept["v"].dtype) == (torch.bfloat16, torch.uint8)
    again, restored = pickle.loads(pickle.dumps((model, opt)))
    restored.load_state_dict(opt.state_dict())
    train(model, opt, given[5:])
    train(again, restored, given[5:])
    train(beside, other, given)
    assert apart(model, again) == 0
    assert 0 < apart(model, beside) < 0.05

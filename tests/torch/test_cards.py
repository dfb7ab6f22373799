"""Tensors on cards that are simulated at the driver, beside the same tensors on the CPU.

Kernels run on the CPU thread by thread; see `fake_cards.py` for what passes for what.
"""

import copy
import io
import pickle

import pytest
import torch

import optdsl.torch
from optdsl.codegen.support import kernels
from optdsl.diagnostics import DiagnosticError
from optdsl.runtime import GradientError, HyperparameterError, ParameterError, StepError
from optdsl.runtime.errors import DeviceError
from optdsl.torch import cards
from tests.torch.fake_cards import FakeCuda, on_host
from tests.torch.models import apart, batches, loss_of, made, train, twins

FLOAT = torch.float32
#: Host and card may round a product and a sum once or twice.
BOUND = 2e-6


def both(fake, rule, groups=lambda model: model.parameters(), dtype=FLOAT, **settings):
    """Return a model on a card and one on the host, each with an optimizer of the same rule."""
    model, beside = twins(dtype)
    opt = made(rule)(groups(model), **settings)
    with on_host(fake.cuda):
        other = made(rule)(groups(beside), **settings)
    return (model, opt), (beside, other)


def train_both(pairs, given, fake, each=lambda model, opt: None):
    for batch in given:
        for place, (model, opt) in enumerate(pairs):
            with on_host(fake.cuda, place == 1):
                each(model, opt)
                train(model, opt, [batch])


def test_steps_are_those_of_the_cpu_and_nothing_waits_for_the_card(fake):
    def groups(model):
        turned = [{"params": [model[2].bias], "maximize": True, "lr": 1e-3}]
        return [{"params": model[0].parameters()}, {"params": [model[2].weight]}, *turned]

    pairs = both(fake, "AdamW", groups, lr=0.02)
    schedules = [torch.optim.lr_scheduler.StepLR(opt, 3, 0.5) for _, opt in pairs]
    given = batches(10, FLOAT)
    train_both(pairs, given[:3], fake, lambda model, opt: model[0].bias.requires_grad_())
    fake.driver.calls.clear()
    train_both(pairs, given[3:7], fake, lambda model, opt: model[0].bias.requires_grad_(False))
    called = {name for name, *_ in fake.driver.calls}
    assert "cuLaunchKernel" in called
    assert not {"cuStreamSynchronize", "cuEventSynchronize", "cuMemcpyDtoH"} & called
    assert {launch.stream for launch in fake.driver.launches} == {fake.cuda.handle}
    for schedule in schedules:
        schedule.step()
    train_both(pairs, given[7:], fake, lambda model, opt: model[0].bias.requires_grad_())
    assert apart(pairs[0][0], pairs[1][0]) < BOUND
    assert [opt.state[m[0].bias]["step"] for m, opt in pairs[:1]] == [6]


def test_memory_is_the_tensors_own_and_stays(fake):
    (model, opt), _ = both(fake, "AdamW")
    train(model, opt, batches(2, FLOAT))
    weight = model[0].weight
    state = opt.state[weight]["m"]
    before = [model[0].weight.data_ptr(), state.data_ptr(), opt.state[weight]["m"].data_ptr()]
    kept = state.clone()
    allocated = fake.driver.called("cuMemAlloc")
    train(model, opt, batches(1, FLOAT))
    assert [weight.data_ptr(), *[opt.state[weight]["m"].data_ptr()] * 2] == before
    assert not torch.equal(state, kept)
    assert fake.driver.called("cuMemAlloc") == allocated
    del opt, model  # a state outlives its optimizer
    assert torch.isfinite(state).all()


def test_parameters_that_are_not_contiguous_or_move_are_stepped_where_they_are(fake):
    wide = torch.ones(4, 6)
    part = torch.nn.Parameter(wide[:, ::2])
    plain = torch.nn.Parameter(torch.ones(4, 3))
    opt, beside = made("AdamW")([part], lr=0.1), made("AdamW")([plain], lr=0.1)
    for seed in range(3):
        torch.manual_seed(seed)
        part.grad = torch.randn(3, 4).T
        plain.grad = part.grad.contiguous()
        opt.step()
        beside.step()
        plain.data = plain.data.clone()
    assert torch.equal(part, plain)
    assert (wide[:, 1::2] == 1).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "dtype"),
    [
        ("AdamW", torch.float32),
        ("AdamW", torch.float64),
        ("ClipByGlobalNorm(c=0.1) | LAMB", torch.float32),
    ],
)
def test_bits_are_those_of_a_cpu_that_rounds_every_product(
    fake, rule, dtype, monkeypatch, tmp_path
):
    monkeypatch.setenv("OPTDSL_CACHE_DIR", str(tmp_path))
    monkeypatch.setitem(kernels.FLAGS, "fastmath", False)
    model, beside = twins(dtype)
    pairs = [(model, optdsl.torch.optimizer(rule)(model.parameters(), lr=0.02))]
    with on_host(fake.cuda):
        pairs.append((beside, optdsl.torch.optimizer(rule)(beside.parameters(), lr=0.02)))
    train_both(pairs, batches(10, dtype), fake)
    assert apart(model, beside) == 0
    assert all(map(torch.equal, pairs[0][1].theta(), pairs[1][1].theta()))


@pytest.mark.parametrize("how", ["state_dict", "deepcopy", "pickle"])
def test_training_goes_on_from_a_stored_state(fake, how):
    (model, opt), (beside, other) = both(fake, "AdamW", lr=0.02)
    given = batches(6, FLOAT)
    train_both([(model, opt), (beside, other)], given[:3], fake)
    if how == "deepcopy":
        again, restored = copy.deepcopy((model, opt))
    elif how == "pickle":
        again, restored = pickle.loads(pickle.dumps((model, opt)))
    else:
        again, restored = copy.deepcopy(model), None
        file = io.BytesIO()
        torch.save(opt.state_dict(), file)
        file.seek(0)
        stored = torch.load(file, weights_only=True)
        restored = made("AdamW")(again.parameters())
        restored.load_state_dict(stored)
        with on_host(fake.cuda):  # what a card has stored goes on elsewhere
            other.load_state_dict(stored)
    train_both([(model, opt), (beside, other)], given[3:], fake)
    train(again, restored, given[3:])
    assert apart(model, again) == 0
    assert apart(model, beside) < BOUND
    places = [
        opt.state[m[0].weight]["m"].data_ptr() for m, opt in ((model, opt), (again, restored))
    ]
    assert len(set(places)) == 2


def test_checkpoints_of_torch_optim_go_on_and_back(fake):
    model, beside = twins(FLOAT)
    theirs = torch.optim.AdamW(beside.parameters(), lr=0.02)
    given = batches(9, FLOAT)
    train(beside, theirs, given[:3])
    model.load_state_dict(beside.state_dict())
    opt = made("AdamW")(model.parameters())
    opt.load_state_dict(theirs.state_dict())
    train(model, opt, given[3:6])
    train(beside, theirs, given[3:6])
    assert apart(model, beside) < 1e-5
    theirs.load_state_dict(opt.torch_state_dict())
    train(beside, theirs, given[6:])
    train(model, opt, given[6:])
    assert apart(model, beside) < 1e-5


@pytest.mark.parametrize(
    "rule", ["AdamW", pytest.param("SkipNonfinite | AdamW", marks=pytest.mark.slow)]
)
def test_a_gradient_scaler_skips_what_is_infinite(fake, rule):
    pairs = both(fake, rule, lr=0.02)
    given = batches(4, FLOAT)
    given[1] = (given[1][0] * torch.inf, given[1][1])
    for place, (model, opt) in enumerate(pairs):
        with on_host(fake.cuda, place == 1):
            scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
            for batch in given:
                opt.zero_grad()
                scaler.scale(loss_of(model, batch)).backward()
                assert scaler.step(opt) is None
                scaler.update()
            assert place or "cuMemcpyDtoH" not in fake.driver.called("cu")
            assert opt.state[model[0].weight]["step"] == 3
    assert apart(pairs[0][0], pairs[1][0]) < BOUND


def test_a_scaler_does_not_ask_the_card_where_the_rule_skips_by_itself(fake, monkeypatch):
    w = torch.nn.Parameter(torch.ones(3))
    opt = made("SkipNonfinite | AdamW")([w])
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    monkeypatch.setattr(torch.amp.GradScaler, "_maybe_opt_step", None)  # which asks
    seen = []
    monkeypatch.setattr(opt.running, "step", lambda *_: seen.append(w.grad.clone()))
    for value in (2.0, torch.inf):
        w.grad = torch.full((3,), value)
        scaler.scale(torch.ones(()))
        scaler.step(opt)
        scaler.update()
    assert seen[0].tolist() == [0.25] * 3
    assert seen[1].isnan().all()
    w.grad = torch.full((3,), 2.0)
    scaler.scale(torch.ones(()))
    scaler.unscale_(opt)
    scaler.step(opt)
    assert seen[2].tolist() == [0.5] * 3, "it was unscaled already, by the new scale"
    assert not hasattr(opt, "found_inf")


def test_steps_are_recorded_and_replayed(fake):
    (model, opt), (beside, other) = both(fake, "AdamW", lr=0.02, capturable=False)
    opt = made("AdamW")(model.parameters(), lr=0.02, capturable=True)
    weights = list(model.parameters())
    given = batches(5, FLOAT)
    train(model, opt, given[:1])
    fake.driver.capturing = True
    opt.step()
    fake.driver.capturing = False
    for batch in given[1:]:
        opt.zero_grad(set_to_none=False)  # gradients stay where they were recorded
        loss_of(model, batch).backward()
        fake.driver.replay()
    with on_host(fake.cuda):
        train(beside, other, given)
    assert apart(model, beside) < BOUND
    assert opt.state[weights[0]]["step"] == 5
    again, restored = copy.deepcopy((model, opt))
    train(model, opt, given[:1])
    train(again, restored, given[:1])
    assert apart(model, again) == 0


@pytest.mark.slow
def test_a_closure_is_asked_at_points_of_the_rule(fake):
    pairs = both(fake, "SAM(AdamW)", lr=0.02, rho=0.1)
    losses = []
    for batch in batches(4, FLOAT):
        for place, (model, opt) in enumerate(pairs):

            def closure(model=model, opt=opt, batch=batch):
                opt.zero_grad()
                loss = loss_of(model, batch)
                loss.backward()
                return loss

            with on_host(fake.cuda, place == 1):
                losses.append(opt.step(closure).item())
    assert losses[::2] == pytest.approx(losses[1::2], rel=1e-5)
    assert apart(pairs[0][0], pairs[1][0]) < BOUND


# ------------------------------------------------------------------- several memories


def test_each_card_has_launches_of_its_own_and_the_host_steps_the_rest(fake):
    fake.cuda.where = lambda tensor: {(4, 5): 0, (4,): 1, (2,): 1}.get(tuple(tensor.shape))
    pairs = both(fake, "AdamW", lambda m: m.named_parameters(), lr=0.02)
    model, opt = pairs[0]
    given = batches(6, FLOAT)
    train_both(pairs, given[:3], fake)
    assert {launch.stream for launch in fake.driver.launches} == {77, 177}
    again, restored = copy.deepcopy((model, opt))
    opt.load_state_dict(restored.state_dict())
    train_both(pairs, given[3:], fake)
    train(again, restored, given[3:])
    assert apart(model, again) == 0
    assert apart(model, pairs[1][0]) < BOUND
    assert all(map(torch.equal, opt.theta(), model.parameters()))
    with opt.evaluating():
        assert apart(model, again) == 0


def test_dtypes_have_launches_of_their_own(fake):
    ones = [
        torch.ones(shape, dtype=dtype) for shape, dtype in (((4, 5), torch.bfloat16), (9, FLOAT))
    ]
    parameters = [torch.nn.Parameter(each) for each in ones]
    opt = made("AdamW")(parameters, lr=0.25, weight_decay=0.0)
    for p in parameters:
        p.grad = torch.ones_like(p)
    opt.step()
    assert {launch.entry.split("_", 2)[2] for launch in fake.driver.launches} == {
        "bfloat16_bfloat16_float32_float32", "float32_float32_float32_float32",
    }  # fmt: skip
    assert all((p == 0.75).all() for p in parameters)


def test_a_group_may_be_added_on_another_card(fake):
    fake.cuda.where = lambda tensor: tensor.ndim - 1

    def groups(model):
        return [p for p in model.parameters() if p.ndim == 2]

    pairs = both(fake, "AdamW", groups, lr=0.02)
    given = batches(4, FLOAT)
    train_both(pairs, given[:2], fake)
    for place, (model, opt) in enumerate(pairs):
        with on_host(fake.cuda, place == 1):
            opt.add_param_group({"params": [p for p in model.parameters() if p.ndim == 1]})
    train_both(pairs, given[2:], fake)
    assert apart(pairs[0][0], pairs[1][0]) < BOUND
    assert pairs[0][1].running.result.taken == (4,)


def test_all_memories_take_a_step_or_none(fake):
    fake.cuda.where = lambda tensor: tensor.ndim - 1
    weight, bias = (torch.nn.Parameter(torch.ones(shape)) for shape in ((2, 2), (2,)))
    groups = [{"params": [weight]}, {"params": [bias], "lr": lambda t: 0.1 if t < 2 else -1.0}]
    opt = made("AdamW")(groups)
    for each in (weight, bias):
        each.grad = torch.ones_like(each)
    opt.step()
    kept = weight.clone(), bias.clone()
    with pytest.raises(HyperparameterError, match="outside its domain"):
        opt.step()
    with pytest.raises(StepError, match="nothing here has an input `metric`"):
        opt.step(metric=1.0)
    assert torch.equal(weight, kept[0])
    assert torch.equal(bias, kept[1])
    assert opt.state[weight]["step"] == opt.state[bias]["step"] == 1


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("ClipByGlobalNorm(c=1) | AdamW", "makes one number of all tensors"),
        ("SGLD", "draws random numbers by the place of an entry"),
    ],
)
def test_several_memories_are_refused_where_all_tensors_must_be_seen(fake, rule, reason):
    fake.cuda.where = lambda tensor: None if tensor.ndim == 2 else 1
    model, _ = twins(FLOAT)
    with pytest.raises(ParameterError, match="on the CPU and others .* on cuda:1, and .*" + reason):
        made(rule)(model.parameters(), lr=0.1)


# ------------------------------------------------------------------------- refusals


def test_what_a_card_cannot_do_is_refused_with_the_reason(fake):
    w = torch.ones(2, 2, requires_grad=True)
    with pytest.raises(DiagnosticError, match="matri"):
        made("Shampoo")([w])
    with pytest.raises(DiagnosticError, match="matri"):
        optdsl.torch.optimizer("Shampoo", "cuda")
    with on_host(fake.cuda):
        with pytest.raises(ParameterError, match="was made for the target numba-cuda"):
            optdsl.torch.optimizer("AdamW", "cuda")([w])
        with pytest.raises(ParameterError, match="`capturable` is for tensors on a card"):
            made("AdamW")([w], capturable=True)
    opt = made("AdamW")([w])
    w.grad = torch.eye(2).to_sparse(1)
    with pytest.raises(GradientError, match="on a card all entries are stepped"):
        opt.step()
    w.grad = torch.ones(2, 2)
    fake.driver.capturing = True
    with pytest.raises(StepError, match="give capturable=True"):
        opt.step()
    fake.driver.capturing = False
    opt.step()
    fake.cuda.where = lambda tensor: 1
    w.data = w.data.clone()
    with pytest.raises(ParameterError, match=r"on cuda:0 when .* and is now .* on cuda:1"):
        opt.step()


def test_without_a_driver_the_error_says_so(monkeypatch):
    monkeypatch.setattr(cards, "CUDA", FakeCuda())
    with pytest.raises(DeviceError, match=r"no driver of CUDA|cuda-bindings is missing"):
        made("AdamW")([torch.ones(2, requires_grad=True)])


def test_pytorchs_own_cards_are_asked_for_what_lies_on_one(monkeypatch):
    """As far as that goes without one."""
    w = torch.ones(2)
    assert cards.CUDA.ordinal(w) is None
    away = torch.device("cuda:3")
    assert cards.CUDA.ordinal(_Elsewhere(away)) == 3
    monkeypatch.setattr(torch.version, "hip", "6.0")
    with pytest.raises(DeviceError, match="AMD"):
        cards.CUDA.ordinal(_Elsewhere(away))


class _Elsewhere:
    def __init__(self, device):
        self.device = device

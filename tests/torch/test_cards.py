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
from tests.torch.fake_cards import BOUND, FLOAT, both, on_host, train_both
from tests.torch.models import apart, batches, loss_of, made, train, twins


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
    opt = made("SkipNonfinite | SGD")([w], lr=0.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    monkeypatch.setattr(torch.amp.GradScaler, "_maybe_opt_step", None)  # which asks
    seen = []
    for value in (2.0, torch.inf):
        w.grad = torch.full((3,), value)
        scaler.scale(torch.ones(()))
        scaler.step(opt)
        scaler.update()
        seen.append(w.grad)
    assert seen[0].tolist() == [0.25] * 3
    assert seen[1].isnan().all()
    w.grad = torch.full((3,), 2.0)
    scaler.scale(torch.ones(()))
    scaler.unscale_(opt)
    scaler.step(opt)
    assert w.grad.tolist() == [0.5] * 3, "it was unscaled already, by the new scale"
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

"""Parameters on several simulated cards and on the host at once, and what is refused there."""

import copy
from types import SimpleNamespace

import pytest
import torch

import optdsl.torch
from optdsl.diagnostics import DiagnosticError
from optdsl.runtime import GradientError, HyperparameterError, ParameterError, StepError
from optdsl.runtime.errors import DeviceError
from optdsl.torch import cards
from optdsl.torch.memory import HOST
from optdsl.torch.shards import check_shards
from tests.torch.fake_cards import BOUND, FLOAT, FakeCuda, both, on_host, train_both
from tests.torch.models import apart, batches, made, train, twins


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


def test_a_memory_without_gradients_sits_the_step_out(fake):
    fake.cuda.where = lambda tensor: None if tensor.ndim == 1 else 0
    pairs = both(fake, "AdamW", lr=0.02)
    given = batches(4, FLOAT)
    for place, batch in enumerate(given):

        def freeze(model, opt, away=place % 2):
            opt.zero_grad()
            for p in model.parameters():
                p.requires_grad_(p.ndim != away + 1)

        train_both(pairs, [batch], fake, freeze)
    assert apart(pairs[0][0], pairs[1][0]) < BOUND
    opt = pairs[0][1]
    assert [each["step"] for each in opt.state.values()] == [2] * 4
    assert opt.running.result.taken == (2,)


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
    with pytest.raises(GradientError, match="AdamW moves entries whose gradient is 0"):
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


def test_sparse_gradients_are_made_dense_where_that_comes_to_the_same(fake):
    w = torch.nn.Parameter(torch.ones(3, 2))
    w.grad = torch.tensor([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]]).to_sparse(1)
    made("SGD")([w], lr=0.5).step()
    assert w.tolist() == [[1.0, 1.0], [0.5, 0.0], [1.0, 1.0]]


def test_numbers_of_several_processes_meet_on_the_host():
    mesh = SimpleNamespace(size=lambda number: 2)
    cut = [SimpleNamespace(is_replicate=lambda: False)]
    tensor = SimpleNamespace(device_mesh=mesh, placements=cut)
    on_card = SimpleNamespace(tensor=tensor, label="`w`", memory=cards.card(0))
    here = SimpleNamespace(tensor=tensor, label="`w`", memory=HOST)
    check_shards("Adam", frozenset(), on_card)
    check_shards("Clip", frozenset({"all"}), here)
    with pytest.raises(ParameterError, match="and Clip makes one number of all tensors"):
        check_shards("Clip", frozenset({"all"}), on_card)


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

"""What is refused changes nothing, and is refused the next time too."""

import pytest
import torch

import optdsl.torch
from optdsl.runtime import GradientError, HyperparameterError, ParameterError
from tests.torch.models import made


def ones(*shape):
    """Return a parameter of ones with a gradient of ones."""
    parameter = torch.ones(shape, requires_grad=True)
    parameter.grad = torch.ones(shape)
    return parameter


def test_parameters_that_moved_onto_each_other_are_refused_each_time():
    first, second = ones(4), ones(4)
    opt = made("SGD")([first, second], lr=0.5)
    opt.step()
    own, memory = second.data, torch.ones(6)
    first.data, second.data = memory[:4], memory[2:]
    for _ in range(2):
        with pytest.raises(ParameterError, match="share memory"):
            opt.step()
    second.data = own
    opt.step()
    assert first.tolist() == [0.5] * 4
    assert own.tolist() == [0.0] * 4


def test_a_refused_group_does_not_count_in_means_across_processes(tmp_path):
    spec = tmp_path / "mean.opt"
    spec.write_text("optimizer Level\n  theta[t] = theta[t-1] - mean(g[t])\n")
    distributed = torch.distributed
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        first, second = ones(4), ones(8)
        opt = optdsl.torch.optimizer(spec)([first])
        with pytest.raises(ParameterError, match="share memory"):
            opt.add_param_group({"params": [first.detach()[:2].requires_grad_()]})
        opt.add_param_group({"params": [second]})
        opt.step()
    finally:
        distributed.destroy_process_group()
    assert not first.any()
    assert not second.any()


def test_a_group_is_taken_in_by_all_memories_or_none(fake):
    fake.cuda.where = lambda tensor: 0 if tensor.ndim == 2 else None
    card, host, other = ones(2, 2), ones(4), ones(3, 3)
    opt = made("SGD")([card, host], lr=0.5)
    for first in (other, card.detach()[:1].requires_grad_()):
        with pytest.raises(ParameterError, match="share memory"):
            opt.add_param_group({"params": [first, host.detach()[:2].requires_grad_()]})
    opt.step()
    assert card.tolist() == [[0.5] * 2] * 2
    assert host.tolist() == [0.5] * 4
    assert (other == 1).all()
    assert set(opt.state_dict()["state"]) == {0, 1}
    opt.add_param_group({"params": [other]})
    opt.step()
    assert (other == 0.5).all()


def test_a_gradient_that_one_memory_refuses_keeps_all_from_their_step(fake):
    fake.cuda.where = lambda tensor: 0 if tensor.ndim == 2 else None
    card, host = ones(2, 2), ones(4)
    opt = made("Rprop")([card, host], lr=0.5)
    host.grad = host.detach()
    with pytest.raises(GradientError, match="shares memory"):
        opt.step()
    assert (card == 1).all()
    assert not opt.state_dict()["state"], "a state had begun with the rate of then"
    host.grad = torch.ones(4)
    opt.param_groups[0]["lr"] = 0.25
    opt.step()
    assert card.tolist() == [[0.75] * 2] * 2
    assert host.tolist() == [0.75] * 4


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_scaled_gradients_of_a_refused_step_are_divided_once(fake, layout):
    parameter = torch.ones(1, 2, 2, 2, requires_grad=True)
    opt = made("SkipNonfinite | SGD")([parameter], lr=0.5)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(torch.ones(()))
    parameter.grad = torch.full((1, 2, 2, 2), 8.0).to(memory_format=layout)
    opt.param_groups[0]["lr"] = -1
    with pytest.raises(HyperparameterError):
        scaler.step(opt)
    assert (parameter.grad == 8).all()
    opt.param_groups[0]["lr"] = 0.5
    scaler.step(opt)
    assert (parameter == 0.5).all()
    parameter.grad = torch.ones(1, 2, 2, 2)
    opt.step()
    assert not parameter.any(), "a step without a scaler"


def test_a_step_that_a_scaler_was_refused_leaves_no_scale_behind(fake):
    parameter = ones(2)
    opt = made("SkipNonfinite | SGD")([parameter], lr=-0.0)
    opt.param_groups[0]["lr"] = -1
    opt.grad_scale, opt.found_inf = torch.tensor(8.0), torch.tensor(0.0)
    with pytest.raises(HyperparameterError):
        opt.step()
    opt.param_groups[0]["lr"] = 0.5
    opt.step()
    assert parameter.tolist() == [0.5] * 2


def test_another_shape_at_the_same_address_is_noticed():
    parameter = ones(4, 4)
    opt = made("SGD")([parameter], lr=1.0)
    opt.step()
    parameter.grad = None
    parameter.data = parameter.data.view(2, 8)
    parameter.grad = torch.ones(2, 8)
    for _ in range(2):
        with pytest.raises(ParameterError, match=r"shape \(4, 4\).*now.*shape \(2, 8\)"):
            opt.step()


def test_other_strides_at_the_same_address_are_followed():
    parameter = torch.arange(4.0).reshape(2, 2).requires_grad_()
    opt = made("SGD")([parameter], lr=1.0)
    parameter.grad = torch.zeros(2, 2)
    opt.step()
    parameter.data = parameter.data.t()
    parameter.grad = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    opt.step()
    assert parameter.tolist() == [[0, 1], [1, 3]]

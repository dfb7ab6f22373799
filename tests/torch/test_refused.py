"""What is refused changes nothing, and is refused the next time too."""

import pytest
import torch

import optdsl.torch
from optdsl.runtime import ParameterError
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

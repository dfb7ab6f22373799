"""What is refused changes nothing, and is refused the next time too."""

import pytest
import torch

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

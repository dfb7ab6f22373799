"""Two processes under PyTorch's wrappers end with the weights of one."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.torch.models import batches, made, scaled_net, train, train_with_closure
from tests.torch.worker import AT_POINTS, CLIPPED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Run both processes; return what each saved of a task."""
    folder = tmp_path_factory.mktemp("processes")
    worker = Path(__file__).with_name("worker.py")
    processes = [
        subprocess.Popen(
            [sys.executable, worker, str(rank), folder], stderr=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=240)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(errors)
    return lambda name: [torch.load(folder / f"{name} {rank}.pt") for rank in range(2)]


def alone(rule, train=train):
    model = scaled_net()
    train(model, made(rule)(model.parameters(), lr=0.02), batches(20))
    return model


def same(saved, model):
    for each in saved:
        for name, weight in model.state_dict().items():
            assert torch.allclose(each[name], weight, rtol=1e-10, atol=1e-12), name


def test_data_in_parallel(found):
    same(found("parallel"), alone(CLIPPED))


def test_each_process_steps_some_of_the_tensors(found):
    saved = found("zero")
    model = scaled_net()
    opt = made("AdamW")(model.parameters(), lr=0.02)
    train(model, opt, batches(20), torch.optim.lr_scheduler.StepLR(opt, 5, 0.5).step)
    same(saved, model)
    assert sum(each["held"] for each in saved) == 5
    assert all("makes one number of all tensors: use `fully_shard`" in e["why"] for e in saved)


def test_each_process_holds_a_part_of_every_tensor(found):
    saved = found("sharded")
    same(saved, alone("AdamW"))
    assert [each["shape"] for each in saved] == [(2, 5), (2, 5)]
    for each in saved:
        assert "is sharded over several processes, and Muon works on rows" in each["why"]


def test_reductions_are_folded_across_processes(found):
    same(found("sharded reductions"), alone(CLIPPED))


def test_gradients_at_points_of_the_rule_are_those_of_all_parts(found):
    same(found("sharded points"), alone(AT_POINTS, train_with_closure))


@pytest.mark.parametrize("mesh", ["replicated shards", "shards in a mesh"])
def test_parts_may_be_held_several_times(found, mesh):
    """Of a mesh of two dimensions, one is of copies and one of parts."""
    same(found(mesh), alone(CLIPPED))
    whole = mesh == "replicated shards"  # its second dimension is of one process
    assert all((each["why"] == "nothing was refused") == whole for each in found(mesh))

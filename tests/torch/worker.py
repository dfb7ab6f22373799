"""One of two processes of the distributed tests: `python worker.py RANK FOLDER`.

Each task trains on half of every batch and saves its weights; the tests train on whole ones.
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.nn.parallel import DistributedDataParallel

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from optdsl.runtime import ParameterError
from tests.torch.models import batches, made, scaled_net, train, train_with_closure

CLIPPED = "ClipByGlobalNorm(c=0.1) | LAMB"
AT_POINTS = "SAM(AdamW)"
WHOLE = StateDictOptions(full_state_dict=True)


def halves(rank, given):
    return [(x[4 * rank : 4 * rank + 4], y[4 * rank : 4 * rank + 4]) for x, y in given]


def refused(make):
    try:
        make()
    except ParameterError as error:
        return str(error)
    return "nothing was refused"


def parallel(rank, given):
    model = DistributedDataParallel(scaled_net())
    train(model, made(CLIPPED)(model.parameters(), lr=0.02), halves(rank, given))
    return model.module.state_dict()


def zero(rank, given):
    model = DistributedDataParallel(scaled_net())
    opt = ZeroRedundancyOptimizer(model.parameters(), made("AdamW"), lr=0.02)
    scheduler = torch.optim.lr_scheduler.StepLR(opt, 5, 0.5)
    train(model, opt, halves(rank, given[:10]), scheduler.step)
    held = len(opt.optim.state)
    opt.consolidate_state_dict(to=0)
    box = [opt.state_dict() if rank == 0 else None]
    dist.broadcast_object_list(box)
    again = ZeroRedundancyOptimizer(model.parameters(), made("AdamW"), lr=0.7)
    again.load_state_dict(box[0])
    scheduler.optimizer = again
    train(model, again, halves(rank, given[10:]), scheduler.step)
    why = refused(lambda: ZeroRedundancyOptimizer(model.parameters(), made(CLIPPED)))
    return {**model.module.state_dict(), "held": held, "why": why}


def sharded(rule, shape=(2,), train=train):
    def task(rank, given):
        model = scaled_net()
        names = ("replicate", "shard")[-len(shape) :]
        fully_shard(model, mesh=init_device_mesh("cpu", shape, mesh_dim_names=names))
        opt = made(rule)(model.parameters(), lr=0.02)
        train(model, opt, halves(rank, given[:10]))
        stored = get_optimizer_state_dict(model, opt, options=WHOLE)
        box = [stored if rank == 0 else None]
        dist.broadcast_object_list(box)
        again = made(rule)(model.parameters(), lr=0.02)
        again.zero_grad()  # PyTorch makes room for states only where there are no gradients
        set_optimizer_state_dict(model, again, box[0], options=WHOLE)
        train(model, again, halves(rank, given[10:]))
        why = refused(lambda: made("Muon")(model.parameters()))
        weights = {name: p.full_tensor() for name, p in model.state_dict().items()}
        return {**weights, "why": why, "shape": tuple(model[0].weight.to_local().shape)}

    return task


TASKS = {
    "parallel": parallel,
    "zero": zero,
    "sharded": sharded("AdamW"),
    "sharded reductions": sharded(CLIPPED),
    "sharded points": sharded(AT_POINTS, train=train_with_closure),
    "replicated shards": sharded(CLIPPED, (2, 1)),
    "shards in a mesh": sharded(CLIPPED, (1, 2)),
}

if __name__ == "__main__":
    rank, folder = int(sys.argv[1]), Path(sys.argv[2])
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    for name, task in TASKS.items():
        torch.save(task(rank, batches(20)), folder / f"{name} {rank}.pt")
    dist.destroy_process_group()

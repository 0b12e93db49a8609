"""Two processes on one machine, over gloo: a swapped model trains there as the original does in one process."""

import copy
from contextlib import nullcontext

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from models import batch, build
from torch.testing import assert_close

from manualgrad import audit, by_hand, nn, swap, swap_report
from manualgrad.training.data import Examples
from manualgrad.training.loop import Training, make_network
from manualgrad.training.processes import ALONE, Processes
from manualgrad.training.steps import AutogradStep

pytestmark = [
    pytest.mark.skipif(not dist.is_available() or not dist.is_gloo_available(), reason="needs torch.distributed with gloo"),
]

WORLD = 2


def in_two_processes(work, tmp_path):
    """Run work(rank) in each; the first one that raises ends the test with its traceback."""
    mp.spawn(_worker, args=(work, (tmp_path / "store").as_uri()), nprocs=WORLD)


def _worker(rank, work, store):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=WORLD)
    try:
        work(rank)
        dist.barrier()  # gloo aborts a process that leaves while the other is still at work (as in pytorch pull request 179291)
    finally:
        dist.destroy_process_group()


def train(model, x, y, steps=5):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad()
        model(x, y)[1].backward()
        optimizer.step()


def expected_parameters():
    """Those of torch.nn's layers after five steps on the whole batch, in one process."""
    model = build("mlp", dtype=torch.float64)
    train(model, *batch("mlp", 8, dtype=torch.float64))
    return dict(model.named_parameters())


def shard(rank):
    return (t.chunk(WORLD)[rank] for t in batch("mlp", 8, dtype=torch.float64))


def ddp(rank):
    model = swap(build("mlp", dtype=torch.float64))
    train(torch.nn.parallel.DistributedDataParallel(model), *shard(rank))
    assert_close(dict(model.named_parameters()), expected_parameters())


def swap_inside_ddp(rank):
    model = torch.nn.parallel.DistributedDataParallel(build("mlp", dtype=torch.float64))
    train(swap(model), *shard(rank))
    assert swap_report(model).swapped
    assert_close(dict(model.module.named_parameters()), expected_parameters())


def compiled_ddp(rank):
    model = swap(build("mlp", dtype=torch.float64))
    run = torch.compile(torch.nn.parallel.DistributedDataParallel(model), backend="aot_eager")
    train(run, *shard(rank))
    assert_close(dict(model.named_parameters()), expected_parameters())


def ddp_inside_by_hand(rank):
    """Of torch.nn's layers, and with a batch norm and a residual; the statistics are those of each process, as ever."""

    def network():
        torch.manual_seed(0)
        first = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3, padding=1), torch.nn.BatchNorm2d(3), torch.nn.ReLU(inplace=True))
        return torch.nn.ModuleList([first, torch.nn.Conv2d(3, 3, 3, padding=1), torch.nn.Linear(48, 4)]).double()

    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = network()

        def forward(self, x):
            first, second, last = self.parts
            x = first(x)
            return last((x + second(x)).flatten(1))

    torch.manual_seed(rank)
    x, y = torch.rand(5, 1, 4, 4, dtype=torch.float64), torch.randint(4, (5,))
    results = []
    for block in (by_hand, nullcontext):
        model = torch.nn.parallel.DistributedDataParallel(Residual())
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        for _ in range(5):
            with block():
                loss = torch.nn.functional.cross_entropy(model(x), y)
                assert block is nullcontext or not audit(loss).native
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        results.append(dict(model.named_parameters()))
    assert_close(*results)


def dtensor_layers(rank):
    """What torch's layers do on DTensors, those of manualgrad do: the batch is sharded, the parameters are replicated."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Shard, distribute_module, distribute_tensor

    mesh = init_device_mesh("cpu", (WORLD,))
    sizes = {"image": (4, 3, 8, 8), "sequence": (4, 5, 8)}
    made = {
        "LayerNorm": (lambda n: n.LayerNorm(8), "sequence"),
        "RMSNorm": (lambda n: n.RMSNorm(8), "sequence"),
        "GELU": (lambda n: n.GELU(), "sequence"),
        "SiLU": (lambda n: n.SiLU(), "sequence"),
        "Tanh": (lambda n: n.Tanh(), "sequence"),
        "Softmax": (lambda n: n.Softmax(-1), "sequence"),
        "Conv2d": (lambda n: n.Conv2d(3, 4, 3), "image"),
        "MaxPool2d": (lambda n: n.MaxPool2d(2), "image"),
        "AvgPool2d": (lambda n: n.AvgPool2d(2), "image"),
        "GroupNorm": (lambda n: n.GroupNorm(3, 3), "image"),
        "BatchNorm2d": (lambda n: n.BatchNorm2d(3).eval(), "image"),
    }
    failed = []
    for name, (make, kind) in made.items():
        torch.manual_seed(0)
        x = torch.rand(sizes[kind], dtype=torch.float64)
        results = []
        for module in (torch.nn, nn):
            torch.manual_seed(1)
            layer = distribute_module(make(module).double(), mesh)
            t = distribute_tensor(x, mesh, [Shard(0)]).requires_grad_()
            try:
                y = layer(t)
                gradients = torch.autograd.grad(y.sin().sum(), [t, *layer.parameters()])
                results.append([v.full_tensor() for v in (y, *gradients)])
            except Exception as error:
                results.append(error)
        if isinstance(results[0], Exception):
            continue  # torch's own has no such operator for DTensors
        if isinstance(results[1], Exception):
            failed.append((name, repr(results[1])[:300]))
        else:
            try:
                assert_close(*results)
            except AssertionError as error:
                failed.append((name, repr(error)[:300]))
    assert not failed, str(failed)


def fsdp(rank):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (WORLD,))
    model = swap(build("mlp", dtype=torch.float64))
    for layer in model.network:
        if isinstance(layer, nn.Linear):
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    before = [type(layer) for layer in model.modules()]
    swap(model)
    assert [type(layer) for layer in model.modules()] == before
    assert all("sharded by fully_shard" in reason for reason in swap_report(model).left_alone.values())
    train(model, *shard(rank))
    full = {name: p.full_tensor() for name, p in model.named_parameters()}
    assert_close(full, expected_parameters())


def tensor_parallel(rank):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    torch.manual_seed(0)
    original = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4)).double()
    model = swap(copy.deepcopy(original))
    mesh = init_device_mesh("cpu", (WORLD,))
    parallelize_module(model, mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})
    x = torch.rand(5, 6, dtype=torch.float64)
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.05) for m in (model, original)]
    for _ in range(5):
        outputs = []
        for m, optimizer in zip((model, original), optimizers, strict=True):
            optimizer.zero_grad()
            outputs.append(m(x))
            outputs[-1].square().mean().backward()
            optimizer.step()
        assert_close(*outputs)
    assert audit(model(x)).manual == {"LinearFunction": 2, "ReLUFunction": 1}
    full = {name: p.full_tensor() for name, p in model.named_parameters()}
    assert_close(full, dict(original.named_parameters()))


def dtensor_inputs(rank):
    """The four functions on DTensors: the batch is sharded, the parameters are replicated."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor

    torch.manual_seed(0)
    mesh = init_device_mesh("cpu", (WORLD,))
    x, y, W, b = (torch.rand(shape, dtype=torch.float64) for shape in ((4, 6), (4, 3), (3, 6), (3,)))
    results = []
    for F, placed in ((torch.nn.functional, False), (nn.functional, True)):
        tensors = [x, y, W, b]
        if placed:
            placements = [Shard(0), Shard(0), Replicate(), Replicate()]
            tensors = [distribute_tensor(t, mesh, [p]) for t, p in zip(tensors, placements, strict=True)]
        x_, y_, W_, b_ = (t.detach().requires_grad_() for t in tensors)
        output = F.sigmoid(F.relu(F.linear(x_, W_, b_) - 1))
        cost = F.mse_loss(output, y_) if torch.__version__ >= "2.13" else (output - y_).square().mean()
        gradients = torch.autograd.grad(cost, (x_, W_, b_))
        results.append([t.full_tensor() if placed else t for t in (cost, *gradients)])
    assert_close(*results)


HOW = {
    "defaults": {},
    "adamw": {"optimizer": "adamw", "clip_grad_norm": 0.5, "weight_decay": 0.1},
    "torch's layers": {"optimizer": "momentum"},
    "distorted": {},
}


def training(rank):
    """train.py's training in all its ways, on 32 examples in mini-batches of 31: of the last one, a process has none."""
    x, labels = torch.rand(32, 9, generator=torch.Generator().manual_seed(0)), torch.arange(32) % 3
    data = Examples(x, torch.nn.functional.one_hot(labels, 3).float(), labels)
    for how, options in HOW.items():
        outcomes = []
        for processes in (Processes(rank, WORLD), ALONE):
            torch.manual_seed(0)
            model = make_network([9, 4, 3], layers="torch" if how == "torch's layers" else "manualgrad")
            job = Training(
                model,
                data,
                data[:7],
                epochs=3,
                batch_size=31,
                lr=0.1,
                distort=float(how == "distorted"),
                generator=torch.Generator().manual_seed(0),
                take_step=AutogradStep(model, processes=processes, **options),
                processes=processes,
            )
            results = [(result.cost, result.accuracy) for result in job.run()]
            outcomes.append((results, dict(model.named_parameters())))
        assert_close(*outcomes)


WORK = [
    *(training, ddp, ddp_inside_by_hand, swap_inside_ddp, compiled_ddp),
    *(fsdp, tensor_parallel, dtensor_inputs, dtensor_layers),
]


@pytest.mark.few(1)
@pytest.mark.parametrize("work", WORK)
def test_two_processes_agree_with_one(work, tmp_path):
    in_two_processes(work, tmp_path)

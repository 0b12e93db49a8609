"""Time an epoch of the notes' network on a GPU (600 steps): kernel by kernel, compiled, and with each step as one CUDA graph.

    python benchmarks/cuda_graphs.py

Each contestant trains as train.py does, on examples that are already on the GPU, and tests on 500. With graphs, the final
parameters must be bit-identical to those without.
"""

from __future__ import annotations

import statistics
import sys

import torch
from measure import show, table
from torch import Tensor

from manualgrad.training.data import Examples, load
from manualgrad.training.loop import Training, make_network
from manualgrad.training.steps import AutogradStep, BackpropStep, Step

SIZES, BATCH, RATE, EPOCHS = [784, 16, 16, 10], 100, 5.0, 8
WARM = 2  # warm-up epochs, which compile

# By contestant: the layers, the kind of step, and whether the step is a CUDA graph.
CONTESTANTS = {
    "torch.nn": ("torch", "autograd", False),
    "torch.nn, reduce-overhead": ("torch", "reduce-overhead", False),
    "torch.nn, CUDA graph": ("torch", "autograd", True),
    "manualgrad.nn": ("manualgrad", "autograd", False),
    "manualgrad.nn, CUDA graph: train.py": ("manualgrad", "autograd", True),
    "sgd_step": ("manualgrad", "backprop", False),
    "sgd_step, CUDA graph: --engine backprop": ("manualgrad", "backprop", True),
}


def compiled_step(model: torch.nn.Module) -> Step:
    """Return AutogradStep's step with a compiled cost, whose forward and backward run as CUDA graphs."""
    optimizer = torch.optim.SGD(model.parameters(), fused=True)

    @torch.compile(mode="reduce-overhead")
    def cost_of(x: Tensor, y: Tensor, n: int) -> Tensor:
        return torch.nn.functional.mse_loss(model(x), y, reduction="sum") / n

    def step(x: Tensor, y: Tensor, rate: float, n: int) -> Tensor:
        torch.compiler.cudagraph_mark_step_begin()
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        C = cost_of(x, y, n)
        C.backward()
        optimizer.step()
        return C.detach()

    return step  # type: ignore[return-value]  # without a state to save


STEPS = {"autograd": AutogradStep, "backprop": BackpropStep, "reduce-overhead": compiled_step}


def training(layers: str, step: str, graphed: bool, examples: Examples, test: Examples) -> Training:
    torch.manual_seed(0)
    model = make_network(SIZES, layers=layers).to(examples.x.device)
    random = torch.Generator(examples.x.device).manual_seed(0)
    how = {"epochs": EPOCHS, "batch_size": BATCH, "lr": RATE, "generator": random, "take_step": STEPS[step](model)}
    return Training(model, examples, test, graphed=graphed, **how)


def main() -> int:
    if not torch.cuda.is_available():
        print("benchmarks/cuda_graphs.py: no CUDA device found", file=sys.stderr)
        return 2
    device = torch.device("cuda")
    examples, test = (data.to(device) for data in load())
    trainings = {name: training(*how, examples, test[:500]) for name, how in CONTESTANTS.items()}
    for _ in zip(*(job.run() for job in trainings.values()), strict=True):
        pass  # one epoch of each, interleaved
    for name, job in trainings.items():
        if job.graphed:
            parameters = zip(job.model.parameters(), trainings[name.partition(",")[0]].model.parameters(), strict=True)
            alike = all(torch.equal(a, b) for a, b in parameters)
            print(f"{name}: the parameters after {EPOCHS} epochs are {'' if alike else 'NOT '}bit-identical to eager ones")
    seconds = {name: statistics.median(result.seconds for result in job.results[WARM:]) for name, job in trainings.items()}
    made = table(f"An epoch of 784-16-16-10, batch {BATCH}", "", "ms", "ratio to torch.nn")
    for name, median in seconds.items():
        made.add_row(name, f"{median * 1e3:.1f}", f"{median / seconds['torch.nn']:.2f}")
    show(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())

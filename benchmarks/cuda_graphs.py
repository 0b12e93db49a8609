"""An epoch of the notes' network on a GPU, 600 steps: in a loop, compiled, and as one CUDA graph a step.

    python benchmarks/cuda_graphs.py

A step so small waits for Python, and for the launch of each kernel. A CUDA graph is a step that was recorded once, with its
backward and its optimizer, and is launched as one (docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs). What changes from
step to step is read from tensors: the examples, the learning rate. It has to end in the very parameters of the loop.
"""

from __future__ import annotations

import copy
import statistics
import sys
import time
from collections.abc import Callable, Sequence

import torch
from measure import machine, show, table
from torch import Tensor

from manualgrad import nn
from manualgrad.training.data import Examples, load
from manualgrad.training.loop import make_network

Step = Callable[[Tensor], Tensor]  # of a mini-batch's rows; returns the cost

SIZES, BATCH, RATE, ROUNDS = [784, 16, 16, 10], 100, 5.0, 5


def in_a_loop(network: torch.nn.Module, examples: Examples, compiled: bool = False) -> Step:
    """A step, kernel by kernel. The rate is a tensor, so that a graph can read another one."""
    functional = nn.functional if isinstance(network[0], nn.Linear) else torch.nn.functional
    rate = torch.tensor(RATE, device=examples.x.device)
    optimizer = torch.optim.SGD(network.parameters(), lr=rate, fused=True)

    def cost_of(x: Tensor, y: Tensor) -> Tensor:
        return functional.mse_loss(network(x), y, reduction="sum") / BATCH

    cost_of = torch.compile(cost_of, mode="reduce-overhead") if compiled else cost_of

    def step(rows: Tensor) -> Tensor:
        for parameter in network.parameters():
            parameter.grad = None
        C = cost_of(examples.x.index_select(0, rows), examples.y.index_select(0, rows))
        C.backward()
        optimizer.step()
        return C.detach()

    return step


def captured(network: torch.nn.Module, step: Step, first: Tensor) -> Step:
    """The step as one CUDA graph; the network is left as it was.

    Raises:
        RuntimeError: PyTorch's, where something in the step cannot be captured.
    """
    rows, before = first.clone(), copy.deepcopy(network.state_dict())
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):  # so that what is made once, by the libraries too, is not in the graph
        for _ in range(3):
            step(rows)
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        C = step(rows)
    network.load_state_dict(before)  # into the same memory

    def replay(next_rows: Tensor) -> Tensor:
        rows.copy_(next_rows)
        graph.replay()
        return C

    return replay


def epoch(step: Step, order: Sequence[Tensor]) -> float:
    """The seconds that the steps take, to the last kernel's end."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    for rows in order:
        step(rows)
    torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> int:
    if not torch.cuda.is_available():
        print("benchmarks/cuda_graphs.py: there is no CUDA device here", file=sys.stderr)
        return 2
    device = torch.device("cuda")
    examples = load()[0].to(device)
    order = torch.randperm(len(examples), device=device).split(BATCH)
    contestants: dict[str, tuple[torch.nn.Module, Step]] = {}
    for name, layers, how in (
        ("torch.nn", "torch", "loop"),
        ("torch.nn, reduce-overhead", "torch", "compiled"),
        ("torch.nn, one graph a step", "torch", "graph"),
        ("manualgrad.nn", "manualgrad", "loop"),
        ("manualgrad.nn, one graph a step", "manualgrad", "graph"),
    ):
        torch.manual_seed(0)
        network = make_network(SIZES, layers=layers).to(device)
        step = in_a_loop(network, examples, compiled=how == "compiled")
        contestants[name] = network, captured(network, step, order[0]) if how == "graph" else step
    for _, step in contestants.values():
        epoch(step, order)  # from the same parameters; compiles, too
    ends = {name: list(network.parameters()) for name, (network, _) in contestants.items()}
    for layers in ("torch.nn", "manualgrad.nn"):
        pairs = zip(ends[layers], ends[f"{layers}, one graph a step"], strict=True)
        print(f"{layers}: the graph ends in the loop's parameters, bit for bit: {all(torch.equal(a, b) for a, b in pairs)}")
    seconds = {name: [epoch(step, order) for _ in range(ROUNDS)] for name, (_, step) in contestants.items()}
    made = table("An epoch of 784-16-16-10, batch 100: ms", "", "median", "of torch.nn")
    of_torch = statistics.median(seconds["torch.nn"])
    for name, found in seconds.items():
        median = statistics.median(found)
        made.add_row(name, f"{median * 1e3:.1f}", f"{median / of_torch:.2f}")
    show(made)
    print(torch.cuda.get_device_name(), machine())
    return 0


if __name__ == "__main__":
    sys.exit(main())

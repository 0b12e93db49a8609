"""The most memory that a training step of 784-2048-2048-10 holds at once, parameters and kept arrays included.

    python benchmarks/memory.py

Added up from the allocations that torch's profiler records, from before the model is made to the end of the third step. The
examples, the same for all, lie in NumPy's memory, which it does not see.
"""

from __future__ import annotations

from collections.abc import Callable

import step_torch
from measure import show, table
from torch.profiler import ProfilerActivity, profile

SIZES, BATCH = [784, 2048, 2048, 10], 1024
WAYS = {
    "torch.nn": step_torch.torch_nn,
    "manualgrad.nn": step_torch.layers,
    "MLP": step_torch.mlp,
    "sgd_step": step_torch.sgd_step,
}
BOUNDS = {"MLP": 1.0, "sgd_step": 0.75}


def peak(make: Callable[[list[int], int], Callable[[], object]]) -> int:
    """Bytes."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step = make(SIZES, BATCH)
        for _ in range(3):
            step()
    live = most = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            most = max(most, live)
    return most


def main() -> None:
    most = {name: peak(make) for name, make in WAYS.items()}
    rows = table(f"Peak memory of a step, {'-'.join(map(str, SIZES))}, batch {BATCH}", "step", "MB", "ratio", "bound")
    for name, size in most.items():
        rows.add_row(
            name, f"{size / 1e6:.1f}", f"{size / most['torch.nn']:.2f}", f"{BOUNDS[name]:.2f}" if name in BOUNDS else ""
        )
    show(rows)


if __name__ == "__main__":
    main()

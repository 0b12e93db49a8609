"""Measure the peak memory of a training step of 784-2048-2048-10 and of whole models, including arrays kept between steps.

    python benchmarks/memory.py [names of models]

The peak is computed from the allocations that torch's profiler records, from the creation of the model to the end of the third
step. The examples of 784-2048-2048-10, the same for all, are in NumPy's memory, which the profiler does not record.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import model_steps
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


MODEL_BOUND = 1.05


def peak(make: Callable[[], Callable[[], object]]) -> int:
    """Return the peak memory in bytes."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step = make()
        for _ in range(3):
            step()
    live = most = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            most = max(most, live)
    return most


def main(names: list[str]) -> None:
    most = {name: peak(partial(make, SIZES, BATCH)) for name, make in WAYS.items()}
    rows = table(f"Peak memory of a step, {'-'.join(map(str, SIZES))}, batch {BATCH}", "step", "MB", "ratio", "bound")
    for name, size in most.items():
        rows.add_row(
            name, f"{size / 1e6:.1f}", f"{size / most['torch.nn']:.2f}", f"{BOUNDS[name]:.2f}" if name in BOUNDS else ""
        )
    of_models = table("Peak memory of a step of a model", "model", "torch.nn, MB", "by hand, MB", "ratio", "bound")
    for name in names or model_steps.MODELS:
        torchs, ours = (peak(partial(make, name)) for make in (model_steps.torchs, model_steps.ours))
        cells = f"{torchs / 1e6:.1f}", f"{ours / 1e6:.1f}", f"{ours / torchs:.2f}", f"{MODEL_BOUND:.2f}"
        of_models.add_row(name, *cells)
    show(rows, of_models)


if __name__ == "__main__":
    main(sys.argv[1:])

"""Descent on mini-batches, which depend on nothing but the seed and the number of steps before.

So a training that is done in many short stretches comes to the same network, bit for bit, as one done at once.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator

import torch
from torch import Tensor
from torch.nn import Sequential

from manualgrad.network.algorithm import sgd_step
from manualgrad.training.data import Examples

__all__ = ["train"]


def train(
    model: Sequential, examples: Examples, batch: int, rate: float, seed: int, steps: int, most: int
) -> Generator[float, None, None]:
    """Take up to `most` steps; the model, in float64, has the result once the iterator ends or is closed.

    Args:
        batch: the examples of a mini-batch; 0 for all.
        steps: how many were taken before.

    Yields:
        the cost of each mini-batch, as it was before its step.
    """
    working = copy.deepcopy(model).float()  # what sgd_step keeps for it goes when it goes
    try:
        for rows in _batches(len(examples), batch, seed, steps, most):
            yield sgd_step(working, examples.x[rows], examples.y[rows], rate).item()
    finally:
        model.load_state_dict(working.state_dict())


def _batches(n: int, batch: int, seed: int, steps: int, most: int) -> Iterator[Tensor | slice]:
    """The rows of each mini-batch: the examples shuffled in each epoch, and dealt out in turn."""
    if batch in (0, n):
        yield from (slice(None) for _ in range(most))
        return
    per_epoch = n // batch
    order, shuffled = torch.empty(0), -1
    for step in range(steps, steps + most):
        epoch, place = divmod(step, per_epoch)
        if epoch != shuffled:
            generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
            order, shuffled = torch.randperm(n, generator=generator), epoch
        yield order[place * batch : (place + 1) * batch]

"""Gradient descent on mini-batches that depend only on the seed and the number of previous steps.

Training in many short stretches therefore gives the same network, bit for bit, as training in one go.
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
    """Take up to `most` steps; update the model, in float64, when the iterator ends or is closed.

    Args:
        batch: examples per mini-batch; 0 for all.
        steps: number of steps taken before.

    Yields:
        the cost of each mini-batch before its step.
    """
    working = copy.deepcopy(model).float()  # sgd_step's buffers for it are freed with it
    try:
        for rows in _batches(len(examples), batch, seed, steps, most):
            yield sgd_step(working, examples.x[rows], examples.y[rows], rate).item()
    finally:
        model.load_state_dict(working.state_dict())


def _batches(n: int, batch: int, seed: int, steps: int, most: int) -> Iterator[Tensor | slice]:
    """Yield the rows of each mini-batch; the examples are shuffled in each epoch."""
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

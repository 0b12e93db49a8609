"""Gradient descent from one start in two ways: on mini-batches, and on all examples at every step.

The gradient of a mini-batch is a rough estimate of the gradient of the cost, which is the average over all examples, but costs
only a fraction of it. One path stumbles downhill in quick steps; the other chooses each step carefully.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import Sequential
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from manualgrad.network.algorithm import sgd_step
from manualgrad.training import costs

__all__ = ["RATES", "Path", "Plane", "average_cost", "boldest", "descend", "lowest", "plane"]

RATES = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01)  # each about a third of the previous one


@dataclass(frozen=True)
class Path:
    """Points recorded during descent: the start, the first step, every `record`-th step and the last.

    Attributes:
        batch_size: examples per step.
        examples: number of examples seen before each point.
        seconds: time spent on steps before each point.
        costs: cost of all examples at each point.
        points: [places, parameters], the parameters at each point.
    """

    batch_size: int
    examples: list[int]
    seconds: list[float]
    costs: list[float]
    points: Tensor

    @property
    def rises(self) -> int:
        """Count how often the cost is higher than at the previous point: how much the path stumbles."""
        return sum(after > before for before, after in pairwise(self.costs))


@dataclass(frozen=True)
class Plane:
    """The cost on the plane through the common start of two paths and their ends.

    The start is at (0, 0), the end of the second path at (u, 0) to the right, and the end of the first path above that line.
    Points in between lie outside the plane and are projected onto it.

    Attributes:
        paths: [places, 2] for each path, its coordinates on the plane.
        across, up: [grid], the coordinates at which the cost is evaluated.
        costs: [grid, grid], one row for each value of `up`.
    """

    paths: list[Tensor]
    across: Tensor
    up: Tensor
    costs: Tensor


def descend(
    model: Sequential,
    x: Tensor,
    y: Tensor,
    *,
    steps: int,
    batch_size: int,
    lr: float,
    record: int,
    seed: int = 0,
    cost: str = "quadratic",
    after_step: Callable[[], None] = lambda: None,
) -> Path:
    """Run gradient descent on a copy of the model, on random batches, or on all of x if batch_size is at least len(x).

    The same seed draws the same batches, whatever the rate. The cost is "quadratic" or "cross-entropy".
    """
    model, module = copy.deepcopy(model), costs.as_module(cost)
    generator = torch.Generator(x.device).manual_seed(seed)
    examples, seconds, found, points = [0], [0.0], [average_cost(model, x, y, cost)], [_point(model)]
    spent = 0.0
    for step in range(1, steps + 1):
        start = time.perf_counter()
        if batch_size < len(x):
            batch = torch.randint(len(x), (batch_size,), device=x.device, generator=generator)
            sgd_step(model, x[batch], y[batch], lr, module)
        else:
            sgd_step(model, x, y, lr, module)
        spent += time.perf_counter() - start
        if step == 1 or step % record == 0 or step == steps:
            examples.append(step * batch_size)
            seconds.append(spent)
            found.append(average_cost(model, x, y, cost))
            points.append(_point(model))
        after_step()
    return Path(batch_size, examples, seconds, found, torch.stack(points))


def lowest(ends: dict[float, float]) -> float:
    """Return the learning rate with the lowest final cost, given rate -> final cost."""
    return min(ends, key=lambda lr: ends[lr] if math.isfinite(ends[lr]) else math.inf)


def boldest(ends: dict[float, float]) -> float:
    """Return the highest learning rate whose final cost is within 5% of the lowest."""
    least = ends[lowest(ends)]
    return max((lr for lr, end in ends.items() if end <= 1.05 * least), default=min(ends))


def _point(model: Sequential) -> Tensor:
    return parameters_to_vector(model.parameters()).detach().clone()


def plane(
    model: Sequential,
    paths: list[Path],
    x: Tensor,
    y: Tensor,
    grid: int,
    after_row: Callable[[], None] = lambda: None,
    cost: str = "quadratic",
) -> Plane:
    """Compute the cost of these examples at grid × grid points of the plane through the start and the ends of two paths."""
    start, directions = _directions(paths)
    found = [(path.points - start) @ directions.T for path in paths]
    both = torch.cat(found)
    margin = (0.2 * (both.max(0).values - both.min(0).values)).clamp_min(1e-6)  # positive even if descent does not move
    low, high = both.min(0).values - margin, both.max(0).values + margin
    across, up = (torch.linspace(low[i].item(), high[i].item(), grid) for i in range(2))
    model, heights = copy.deepcopy(model), torch.empty(grid, grid)
    for row, v in enumerate(up.tolist()):
        for column, u in enumerate(across.tolist()):
            vector_to_parameters(start + u * directions[0] + v * directions[1], model.parameters())
            heights[row, column] = average_cost(model, x, y, cost)
        after_row()
    return Plane(found, across, up, heights)


def _directions(paths: list[Path]) -> tuple[Tensor, Tensor]:
    """Return the start and [2, parameters], unit vectors: towards the second end, and, orthogonal to it, towards the first."""
    start = paths[0].points[0]
    Q, R = torch.linalg.qr(torch.stack([path.points[-1] - start for path in reversed(paths)], dim=1))
    towards = torch.where(R.diagonal() < 0, -1.0, 1.0)
    return start, (Q * towards).T


@torch.no_grad()
def average_cost(model: Sequential, x: Tensor, y: Tensor, cost: str = "quadratic") -> float:
    """Compute the average cost of these examples."""
    return costs.total(cost, model(x), y).item() / len(x)

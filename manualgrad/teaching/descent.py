"""Two ways down the cost's surface from one start: mini-batches, and all examples at every step.

The gradient of a mini-batch is a rough guess at the gradient of the cost, which is the average over all examples; it is also
as many times cheaper as it has fewer examples. So the one way stumbles downhill in quick steps, the other chooses each step
with care.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Sequential
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from manualgrad.network.algorithm import sgd_step

__all__ = ["Path", "Plane", "descend", "plane"]


@dataclass(frozen=True)
class Path:
    """What descent passed, at every `record`th step from the start on.

    Attributes:
        examples: the examples seen by then. seconds: the time spent on steps by then. costs: the cost of all examples there.
        points: [places, parameters], the parameters there.
    """

    batch_size: int
    examples: list[int]
    seconds: list[float]
    costs: list[float]
    points: Tensor


@dataclass(frozen=True)
class Plane:
    """The cost on the plane that lies closest to some paths: through their mean, along their two principal directions.

    Attributes:
        paths: [places, 2] of each path, its coordinates on the plane.
        across, up: [grid], the coordinates at which the cost is known. costs: [grid, grid], row by row upwards.
        share: of the paths' squared distance from their mean, what lies in the plane, from 0 to 1.
    """

    paths: list[Tensor]
    across: Tensor
    up: Tensor
    costs: Tensor
    share: float


def descend(
    model: Sequential,
    x: Tensor,
    y: Tensor,
    *,
    steps: int,
    batch_size: int,
    lr: float,
    record: int,
    after_step: Callable[[], None] = lambda: None,
) -> Path:
    """Descent from the model's parameters, which stay as they are, on random batches; on all of x, if that many."""
    model = copy.deepcopy(model)
    examples, seconds, costs, points = [0], [0.0], [_cost(model, x, y)], [_point(model)]
    spent = 0.0
    for step in range(1, steps + 1):
        start = time.perf_counter()
        if batch_size < len(x):
            batch = torch.randint(len(x), (batch_size,), device=x.device)
            sgd_step(model, x[batch], y[batch], lr)
        else:
            sgd_step(model, x, y, lr)
        spent += time.perf_counter() - start
        if step % record == 0 or step == steps:
            examples.append(step * batch_size)
            seconds.append(spent)
            costs.append(_cost(model, x, y))
            points.append(_point(model))
        after_step()
    return Path(batch_size, examples, seconds, costs, torch.stack(points))


def _point(model: Sequential) -> Tensor:
    return parameters_to_vector(model.parameters()).detach().clone()


def plane(
    model: Sequential, paths: list[Path], x: Tensor, y: Tensor, grid: int, after_row: Callable[[], None] = lambda: None
) -> Plane:
    """The cost of these examples on the plane that lies closest to the paths, at grid × grid places."""
    points = torch.cat([path.points for path in paths])
    centre = points.mean(0)
    _, singular, directions = torch.linalg.svd(points - centre, full_matrices=False)
    directions = directions[:2]
    found = [(path.points - centre) @ directions.T for path in paths]
    both = torch.cat(found)
    margin = 0.15 * (both.max(0).values - both.min(0).values)
    low, high = both.min(0).values - margin, both.max(0).values + margin
    across, up = (torch.linspace(low[i].item(), high[i].item(), grid) for i in range(2))
    model, costs = copy.deepcopy(model), torch.empty(grid, grid)
    for row, v in enumerate(up.tolist()):
        for column, u in enumerate(across.tolist()):
            vector_to_parameters(centre + u * directions[0] + v * directions[1], model.parameters())
            costs[row, column] = _cost(model, x, y)
        after_row()
    share = singular[:2].square().sum() / singular.square().sum()
    return Plane(found, across, up, costs, share.item())


@torch.no_grad()
def _cost(model: Sequential, x: Tensor, y: Tensor) -> float:
    return (model(x) - y).square().sum().item() / len(x)

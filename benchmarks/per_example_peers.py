"""Contestants of per_example.py: each function returns a call that computes per-example gradients or their norms.

A call returns one norm, or one entry of one gradient, to check that all contestants compute the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import step_torch
import torch
from torch import Tensor

import manualgrad
from manualgrad import nn

Call = Callable[[], Tensor]


def norms(sizes: list[int], batch: int) -> Call:
    model, (x, y), cost = step_torch.mlp_model(sizes), step_torch.tensors(sizes, batch), nn.MSELoss(reduction="sum")
    return lambda: manualgrad.per_example_grad_norms(model, x, y, cost)[-1]


def norms_backpack(sizes: list[int], batch: int) -> Call:
    from backpack.extensions import BatchL2Grad

    def last(model: torch.nn.Module) -> Tensor:
        return torch.stack([p.batch_l2 for p in model.parameters()]).sum(0).sqrt()[-1]

    return _by_backpack(sizes, batch, BatchL2Grad(), last)


def gradients(sizes: list[int], batch: int) -> Call:
    model, (x, y), cost = step_torch.mlp_model(sizes), step_torch.tensors(sizes, batch), nn.MSELoss(reduction="sum")
    return lambda: manualgrad.per_example_grads(model, x, y, cost)["0.weight"][-1, 3, 5]


def gradients_backpack(sizes: list[int], batch: int) -> Call:
    from backpack.extensions import BatchGrad

    return _by_backpack(sizes, batch, BatchGrad(), lambda model: model[0].weight.grad_batch[-1, 3, 5])


def _by_backpack(sizes: list[int], batch: int, extension: Any, read: Callable[[Any], Tensor]) -> Call:
    from backpack import backpack, extend

    model, cost = extend(step_torch.sequential(torch.nn, sizes)), extend(torch.nn.MSELoss(reduction="sum"))
    x, y = step_torch.tensors(sizes, batch)

    def call() -> Tensor:
        model.zero_grad()
        with backpack(extension):
            cost(model(x), y).backward()
        return read(model)

    return call


def gradients_opacus(sizes: list[int], batch: int) -> Call:
    from opacus import GradSampleModule

    model = GradSampleModule(step_torch.sequential(torch.nn, sizes), loss_reduction="sum")
    cost, (x, y) = torch.nn.MSELoss(reduction="sum"), step_torch.tensors(sizes, batch)
    first = next(model.parameters())

    def call() -> Tensor:
        model.zero_grad()  # also clears grad_sample
        cost(model(x), y).backward()
        return first.grad_sample[-1, 3, 5]

    return call


def gradients_vmap(sizes: list[int], batch: int) -> Call:
    model, (x, y) = step_torch.sequential(torch.nn, sizes), step_torch.tensors(sizes, batch)
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def cost(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return torch.nn.functional.mse_loss(torch.func.functional_call(model, parameters, x), y, reduction="sum")

    of_each = torch.func.vmap(torch.func.grad(cost), in_dims=(None, 0, 0))
    return lambda: of_each(parameters, x, y)["0.weight"][-1, 3, 5]

"""The costs that a network can be trained for; the names are those of --cost and of a run's config.json.

================= ==================================== ============================ ==========================
cost              of one example                       the network ends in          activations of its outputs
================= ==================================== ============================ ==========================
quadratic         Σ_j (a_j − y_j)²                     a Linear layer and a sigmoid a = σ(z)
cross-entropy     −Σ_j y_j log a_j                     a Linear layer               a = softmax(z)
================= ==================================== ============================ ==========================

The cost of several examples is the average of their costs. network/costs.py derives the delta that backpropagation starts from.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad import nn

__all__ = ["COSTS", "activations", "as_module", "formula", "of_each", "total"]

COSTS = ("quadratic", "cross-entropy")


def activations(cost: str, output: Tensor) -> Tensor:
    """Return the activations of the outputs, [n, outputs]: a score for each class."""
    return output if cost == "quadratic" else output.softmax(-1)


def total(cost: str, output: Tensor, y: Tensor, functional: Any = torch.nn.functional) -> Tensor:
    """Return the sum of the examples' costs.

    Args:
        functional: the module whose functions compute it: torch.nn.functional or manualgrad.nn.functional.
    """
    loss: Tensor = (functional.mse_loss if cost == "quadratic" else functional.cross_entropy)(output, y, reduction="sum")
    return loss


def of_each(cost: str, output: Tensor, y: Tensor) -> Tensor:
    """Return the cost of each example, [n]."""
    if cost == "quadratic":
        return (output - y).square().sum(1)
    return torch.nn.functional.cross_entropy(output, y, reduction="none")


def as_module(cost: str) -> torch.nn.Module:
    """Return the average cost as a module, as `manualgrad.backprop` takes it."""
    return nn.MSELoss(reduction="batchmean") if cost == "quadratic" else nn.CrossEntropyLoss()


def formula(cost: str) -> str:
    """Return the formula of one example's cost, for display."""
    return "Σ (a − y)²" if cost == "quadratic" else "−Σ y log a"

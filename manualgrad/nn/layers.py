"""torch.nn's Linear, Sigmoid, ReLU and MSELoss, with `forward` alone overridden: the gradients are hand-written.

Parameters, initialisation, state_dict, repr, hooks and all the rest are torch.nn's, as each class is a subclass of
torch.nn's of the same name. torch.jit.script, which can compile no Function, is given torch's own functions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.jit import is_scripting  # type: ignore[attr-defined]

from manualgrad.nn import functional

__all__ = ["Linear", "MSELoss", "ReLU", "Sigmoid"]


class Linear(torch.nn.Linear):
    """z = a_prev Wᵀ + b, with W `weight` [out_features, in_features] and b `bias` [out_features]; see `torch.nn.Linear`.

    Shapes:
        [..., in_features] to [..., out_features].
    """

    def forward(self, input: Tensor) -> Tensor:
        if is_scripting():
            return F.linear(input, self.weight, self.bias)
        return functional.linear(input, self.weight, self.bias)


class Sigmoid(torch.nn.Sigmoid):
    """a = 1 / (1 + e⁻ᶻ) of each element; see `torch.nn.Sigmoid`."""

    def forward(self, input: Tensor) -> Tensor:
        if is_scripting():
            return torch.sigmoid(input)
        return functional.sigmoid(input)


class ReLU(torch.nn.ReLU):
    """a = max(z, 0) of each element, into the input itself with `inplace=True`; see `torch.nn.ReLU`."""

    def forward(self, input: Tensor) -> Tensor:
        if is_scripting():
            return F.relu(input, inplace=self.inplace)
        return functional.relu(input, inplace=self.inplace)


class MSELoss(torch.nn.MSELoss):
    """The quadratic cost, the squares of (input − target); see `torch.nn.MSELoss`.

    `reduction` may also be "batchmean", the notes' cost: the sum over the outputs, averaged over the examples.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        if is_scripting():
            return F.mse_loss(input, target, reduction=self.reduction)
        return functional.mse_loss(input, target, reduction=self.reduction)

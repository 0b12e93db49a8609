"""The cheapest possible hand-written layers: `torch.autograd.Function`s in the fast style, without any wrappers.

They do not support torch.func, forward mode, autocast, complex numbers, broadcasting or inputs that are not 2-d, and do not
explain errors.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


class LinearFunction(Function):
    @staticmethod
    def forward(ctx: Any, a_prev: Tensor, W: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a_prev, W)
        return torch.nn.functional.linear(a_prev, W, b)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> Any:
        a_prev, W = ctx.saved_tensors
        return delta @ W if ctx.needs_input_grad[0] else None, delta.t() @ a_prev, delta.sum(0)


class SigmoidFunction(Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        a = torch.sigmoid(z)
        ctx.save_for_backward(a)
        return a

    @staticmethod
    def backward(ctx: Any, dC_da: Tensor) -> Any:
        (a,) = ctx.saved_tensors
        return dC_da * torch.addcmul(a, a, a, value=-1)


class ReLUFunction(Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        a = torch.relu(z)
        ctx.save_for_backward(a)
        return a

    @staticmethod
    def backward(ctx: Any, dC_da: Tensor) -> Any:
        (a,) = ctx.saved_tensors
        return torch.where(a <= 0, 0, dC_da)


class MSELossFunction(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(a, y)
        return torch.nn.functional.mse_loss(a, y)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        a, y = ctx.saved_tensors
        return (a - y) * (g * (2 / a.numel())), None


class Linear(torch.nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return LinearFunction.apply(input, self.weight, self.bias)


class Sigmoid(torch.nn.Module):
    def forward(self, input: Tensor) -> Tensor:
        return SigmoidFunction.apply(input)


class ReLU(torch.nn.Module):
    def forward(self, input: Tensor) -> Tensor:
        return ReLUFunction.apply(input)


class MSELoss(torch.nn.Module):
    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return MSELossFunction.apply(input, target)

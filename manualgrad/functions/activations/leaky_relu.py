"""Leaky ReLU, RReLU and ELU, element by element: the identity for z > 0, and something less steep below.

    leaky ReLU:  a = z where z > 0, else s z                           s, the slope, a number
    RReLU:       likewise, in training with a random slope for each z
    ELU:         a = λ z where z > 0, else λ α (e^(c z) − 1)           λ = c = 1; for SELU λ and α as below; for CELU c = 1/α

Backward:

    leaky ReLU:  da/dz = 1 where z > 0, else s                         for s ≥ 0, z > 0 just where a > 0
    ELU:         da/dz = λ where z > 0, else λ α c e^(c z)

At z = 0 there may be no derivative; that of z < 0 is taken there, as PyTorch does.

    delta = ∂C/∂z = ∂C/∂a da/dz

Forward mode: da = da/dz dz.

torch.where is slow on the CPU. So [z > 0], 1 or 0, is max(sign z, 0); leaky ReLU's derivative is max(sign z, s)
for s between 0 and 1; and with e^(c min(z, 0)), which is 1 for z > 0, ELU's is λ α c e^(c min(z, 0)) + [z > 0] (λ − λ α c).

Shapes: z, a, delta and ∂C/∂a are alike, any shape. (Maas, Hannun and Ng, 2013; Clevert et al., 2015; Klambauer et al., 2017;
Barron, 2017.)
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._elementwise import Elementwise

__all__ = ["SELU_ALPHA", "SELU_SCALE", "ELUFunction", "LeakyReLUFunction", "RReLUFunction"]

# With these, activations of mean 0 and variance 1 stay so from layer to layer.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946

_elu = torch._C._nn.elu  # torch.nn.functional's does not take all the numbers


class LeakyReLUFunction(Elementwise):
    """a = max(z, 0) + s min(z, 0); `LeakyReLUFunction.apply(z, s)`. In place, for s ≥ 0, the backward finds a where z was."""

    @staticmethod
    def forward(z: Tensor, slope: float) -> Tensor:
        return F.leaky_relu(z, slope)

    forward_in_place = staticmethod(F.leaky_relu_)

    @staticmethod
    def dy_dx(z: Tensor, slope: float) -> Tensor:
        sign = torch.sign(z)
        return torch.clamp(sign, min=slope) if 0 <= slope <= 1 else F.threshold(sign, 0, slope)


class RReLUFunction(Function):
    """a = s z, s 1 where z > 0 and else a slope of its own for each z, drawn at random; `RReLUFunction.apply(z, s)`."""

    constant_slope = True

    @staticmethod
    def forward(z: Tensor, s: Tensor) -> Tensor:
        return torch.mul(z, s)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        z, s = inputs
        ctx.save_for_backward(s, z)  # z, as PyTorch does, for constant_slope
        ctx.save_for_forward(s)

    @staticmethod
    def backward(ctx: Any, dC_da: Tensor) -> tuple[Tensor, None]:
        s, _ = ctx.saved_tensors
        return s * dC_da, None

    @staticmethod
    def jvp(ctx: Any, dz: Tensor, _: None) -> Tensor:
        (s,) = ctx.saved_tensors
        return s * dz


class ELUFunction(Elementwise):
    """ELU, SELU and CELU; `ELUFunction.apply(z, α, λ, c)`."""

    @staticmethod
    def forward(z: Tensor, alpha: float, scale: float, input_scale: float) -> Tensor:
        value: Tensor = _elu(z, alpha, scale, input_scale)
        return value

    @staticmethod
    def dy_dx(z: Tensor, alpha: float, scale: float, input_scale: float) -> Tensor:
        at_0 = scale * alpha * input_scale
        u = torch.clamp(z, max=0)
        da_dz = torch.exp(u if input_scale == 1 else input_scale * u)
        if at_0 != 1:
            da_dz = at_0 * da_dz
        if at_0 != scale:
            da_dz = torch.add(da_dz, torch.clamp(torch.sign(z), min=0), alpha=scale - at_0)
        return da_dz

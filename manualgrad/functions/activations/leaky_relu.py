"""Leaky ReLU, RReLU and ELU, element by element: the identity for z > 0, and a line or an exponential below.

    leaky ReLU:  a = z where z > 0, else s z                           s, the slope, a number
    RReLU:       the same, in training with a random slope for each z
    ELU:         a = λ z where z > 0, else λ α (e^(c z) − 1)           λ = c = 1; for SELU λ and α as below; for CELU c = 1/α

Backward:

    leaky ReLU:  da/dz = 1 where z > 0, else s                         for s ≥ 0, z > 0 exactly where a > 0
    ELU:         da/dz = λ where z > 0, else λ α c e^(c z)

At z = 0 the derivative may not exist; the one for z < 0 is used there, as in PyTorch.

    delta = ∂C/∂z = ∂C/∂a da/dz

Forward mode: da = da/dz dz.

torch.where is slow on the CPU. Instead, [z > 0], 1 or 0, is computed as max(sign z, 0), and leaky ReLU's derivative as
max(sign z, s) for s between 0 and 1. Since e^(c min(z, 0)) is 1 for z > 0, ELU's derivative is
λ α c e^(c min(z, 0)) + [z > 0] (λ − λ α c).

Shapes: z, a, delta and ∂C/∂a have the same shape, which is arbitrary. (Maas, Hannun and Ng, 2013; Clevert et al.,
2015; Klambauer et al., 2017; Barron, 2017.)
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._elementwise import Elementwise

__all__ = ["SELU_ALPHA", "SELU_SCALE", "ELUFunction", "LeakyReLUFunction", "RReLUFunction"]

# With these, activations keep mean 0 and variance 1 from layer to layer.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946

_elu = torch._C._nn.elu  # torch.nn.functional.elu does not take all these numbers


class LeakyReLUFunction(Elementwise):
    """a = max(z, 0) + s min(z, 0); `LeakyReLUFunction.apply(z, s)`. In place, for s ≥ 0, the backward reads a, not z."""

    @staticmethod
    def forward(z: Tensor, slope: float) -> Tensor:
        return F.leaky_relu(z, slope)

    forward_in_place = staticmethod(F.leaky_relu_)

    @staticmethod
    def dy_dx(z: Tensor, slope: float) -> Tensor:
        sign = torch.sign(z)
        return torch.clamp(sign, min=slope) if 0 <= slope <= 1 else F.threshold(sign, 0, slope)


class RReLUFunction(Function):
    """a = s z, where s is 1 for z > 0 and otherwise a random slope for each z; `RReLUFunction.apply(z, s)`."""

    constant_slope = True

    @staticmethod
    def forward(z: Tensor, s: Tensor) -> Tensor:
        return torch.mul(z, s)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        z, s = inputs
        ctx.save_for_backward(s, z)  # z is saved for constant_slope, as in PyTorch
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

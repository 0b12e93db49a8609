"""Activations."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: F401 - for torch.jit.script, see HandWritten
from torch import Tensor

from manualgrad.nn import functional
from manualgrad.nn.layers._hand_written import HandWritten, as_a_node

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


class CELU(HandWritten, torch.nn.CELU):
    """a = max(z, 0) + min(α (e^(z/α) − 1), 0)."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.celu(input, self.alpha, self.inplace)


class ELU(HandWritten, torch.nn.ELU):
    """a = z above 0, and α (eᶻ − 1) below."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.elu(input, self.alpha, self.inplace)


class GELU(HandWritten, torch.nn.GELU):
    """a = z Φ(z), with Φ the normal distribution."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.gelu(input, approximate=self.approximate)


class GLU(HandWritten, torch.nn.GLU):
    """a = the first half of the input times the sigmoid of the second."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.glu(input, self.dim)


class Hardshrink(HandWritten, torch.nn.Hardshrink):
    """a = z, and 0 between −λ and λ."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.hardshrink(input, self.lambd)


class Hardsigmoid(HandWritten, torch.nn.Hardsigmoid):
    """a = z/6 + 1/2, kept between 0 and 1."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.hardsigmoid(input, self.inplace)


class Hardswish(HandWritten, torch.nn.Hardswish):
    """a = z hardsigmoid(z)."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.hardswish(input, self.inplace)


class Hardtanh(HandWritten, torch.nn.Hardtanh):
    """a = z, kept between two numbers."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.hardtanh(input, self.min_val, self.max_val, self.inplace)


class LeakyReLU(HandWritten, torch.nn.LeakyReLU):
    """a = z above 0, and a multiple of z below."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.leaky_relu(input, self.negative_slope, self.inplace)


class LogSigmoid(HandWritten, torch.nn.LogSigmoid):
    """a = log σ(z)."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.logsigmoid(input)


class LogSoftmax(HandWritten, torch.nn.LogSoftmax):
    """a = log softmax(z)."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.log_softmax(input, self.dim, _stacklevel=5)


class Mish(HandWritten, torch.nn.Mish):
    """a = z tanh(softplus(z))."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.mish(input, inplace=self.inplace)


class PReLU(HandWritten, torch.nn.PReLU):
    """a = z above 0, and `weight` z below."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.prelu(input, self.weight)


class RReLU(HandWritten, torch.nn.RReLU):
    """a = z above 0, and a random multiple of z below."""

    def forward(self, input: Tensor) -> Tensor:
        node = as_a_node(self, input)
        if node is not None:
            return node
        return functional.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class ReLU(HandWritten, torch.nn.ReLU):
    """a = max(z, 0)."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.relu(input, inplace=self.inplace)


class ReLU6(HandWritten, torch.nn.ReLU6):
    """a = z, kept between 0 and 6."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.hardtanh(input, self.min_val, self.max_val, self.inplace)


class SELU(HandWritten, torch.nn.SELU):
    """a = λ z above 0, and λ α (eᶻ − 1) below."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.selu(input, self.inplace)


class SiLU(HandWritten, torch.nn.SiLU):
    """a = z σ(z)."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.silu(input, inplace=self.inplace)


class Sigmoid(HandWritten, torch.nn.Sigmoid):
    """a = 1 / (1 + e⁻ᶻ)."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.sigmoid(input)


class Softmax(HandWritten, torch.nn.Softmax):
    """a = e^(z_i) / Σ_k e^(z_k), along a dimension."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.softmax(input, self.dim, _stacklevel=5)


class Softmin(HandWritten, torch.nn.Softmin):
    """a = softmax(−z)."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.softmin(input, self.dim, _stacklevel=5)


class Softplus(HandWritten, torch.nn.Softplus):
    """a = log(1 + e^(β z)) / β."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.softplus(input, self.beta, self.threshold)


class Softshrink(HandWritten, torch.nn.Softshrink):
    """a = z, nearer to 0 by λ."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.softshrink(input, self.lambd)


class Softsign(HandWritten, torch.nn.Softsign):
    """a = z / (1 + |z|)."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.softsign(input)


class Tanh(HandWritten, torch.nn.Tanh):
    """a = tanh z."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.tanh(input)


class Tanhshrink(HandWritten, torch.nn.Tanhshrink):
    """a = z − tanh z."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.tanhshrink(input)


class Threshold(HandWritten, torch.nn.Threshold):
    """a = z above a threshold, and a number elsewhere."""

    def forward(self, input: Tensor) -> Tensor:
        return functional.threshold(input, self.threshold, self.value, self.inplace)


class Softmax2d(HandWritten, torch.nn.Softmax2d):
    """Softmax of the channels at each place of a plane."""

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return functional.softmax(input, -3, _stacklevel=5)

"""Activations, softmax and log_softmax."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from manualgrad.function.in_place import written
from manualgrad.functions.activations.gelu import GELUFunction
from manualgrad.functions.activations.glu import GLUFunction
from manualgrad.functions.activations.hard import (
    HardsigmoidFunction,
    HardswishFunction,
    HardtanhFunction,
    HardtanhInPlaceFunction,
)
from manualgrad.functions.activations.leaky_relu import (
    SELU_ALPHA,
    SELU_SCALE,
    ELUFunction,
    LeakyReLUFunction,
    RReLUFunction,
)
from manualgrad.functions.activations.prelu import PReLUFunction
from manualgrad.functions.activations.shrink import HardshrinkFunction, SoftshrinkFunction, ThresholdFunction
from manualgrad.functions.activations.silu import MishFunction, SiLUFunction
from manualgrad.functions.activations.softmax import LogSoftmaxFunction, SoftmaxFunction
from manualgrad.functions.activations.softplus import LogSigmoidFunction, SoftplusFunction
from manualgrad.functions.activations.softsign import SoftsignFunction
from manualgrad.functions.activations.tanh import TanhFunction

_functional: Any = torch.nn.functional
_native: Any = torch._C._nn


def _softmax(Function: Any, x: Tensor, dim: Any, dtype: Any, out: Tensor | None = None) -> Any:
    n = max(x.dim(), 1)
    if out is not None or not isinstance(dim, int) or not -n <= dim < n:
        return NotImplemented
    return Function.apply(x, dim, dtype)


def softmax(input: Tensor, dim: Any, dtype: torch.dtype | None = None, *, out: Tensor | None = None) -> Any:
    return _softmax(SoftmaxFunction, input, dim, dtype, out)


def log_softmax(input: Tensor, dim: Any, dtype: torch.dtype | None = None, *, out: Tensor | None = None) -> Any:
    return _softmax(LogSoftmaxFunction, input, dim, dtype, out)


def functional_softmax(input: Tensor, dim: Any = None, _stacklevel: int = 3, dtype: torch.dtype | None = None) -> Any:
    dim = _functional._get_softmax_dim("softmax", input.dim(), _stacklevel) if dim is None else dim
    return _softmax(SoftmaxFunction, input, dim, dtype)


def functional_log_softmax(input: Tensor, dim: Any = None, _stacklevel: int = 3, dtype: torch.dtype | None = None) -> Any:
    dim = _functional._get_softmax_dim("log_softmax", input.dim(), _stacklevel) if dim is None else dim
    return _softmax(LogSoftmaxFunction, input, dim, dtype)


def _activation(Function: Any, input: Tensor, *numbers: Any, inplace: bool = False) -> Any:
    if not all(isinstance(number, int | float) for number in numbers):
        return NotImplemented
    return written(Function.apply(input.clone(), *numbers), input) if inplace else Function.apply(input, *numbers)


def tanh(input: Tensor, *, out: Tensor | None = None) -> Any:
    return NotImplemented if out is not None else TanhFunction.apply(input)


def silu(input: Tensor, inplace: bool = False) -> Any:
    return _activation(SiLUFunction, input, inplace=inplace)


def mish(input: Tensor, inplace: bool = False) -> Any:
    return _activation(MishFunction, input, inplace=inplace)


def gelu(input: Tensor, *, approximate: str = "none", out: Tensor | None = None) -> Any:
    if out is not None or approximate not in ("none", "tanh"):
        return NotImplemented
    return GELUFunction.apply(input, approximate)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    if not inplace or not isinstance(negative_slope, int | float):
        return _activation(LeakyReLUFunction, input, negative_slope)
    if not negative_slope >= 0:
        return NotImplemented  # torch's error: the output does not say on which side of 0 the input was
    return LeakyReLUFunction.apply_in_place(input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    return _activation(ELUFunction, input, alpha, 1, 1, inplace=inplace)


def scaled_elu(input: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Any:
    return _activation(ELUFunction, input, alpha, scale, input_scale)


def selu(input: Tensor, inplace: bool = False) -> Any:
    return _activation(ELUFunction, input, SELU_ALPHA, SELU_SCALE, 1, inplace=inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    if not isinstance(alpha, int | float) or alpha == 0:
        return NotImplemented
    return _activation(ELUFunction, input, alpha, 1, 1 / alpha, inplace=inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    if min_val > max_val:
        return NotImplemented
    if not inplace or torch.compiler.is_dynamo_compiling():  # which cannot trace `item`
        return _activation(HardtanhFunction, input, min_val, max_val, inplace=inplace)
    bounds = (torch.tensor(bound, dtype=input.dtype, device="cpu").item() for bound in (min_val, max_val))
    return HardtanhInPlaceFunction.apply_in_place(input, *bounds)


def relu6(input: Tensor, inplace: bool = False) -> Any:
    return hardtanh(input, 0.0, 6.0, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Any:
    return _activation(HardsigmoidFunction, input, inplace=inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Any:
    return _activation(HardswishFunction, input, inplace=inplace)


def softplus(input: Tensor, beta: float = 1, threshold: float = 20, *, out: Tensor | None = None) -> Any:
    return NotImplemented if out is not None else _activation(SoftplusFunction, input, beta, threshold)


def logsigmoid(input: Tensor, *, out: Tensor | None = None) -> Any:
    return NotImplemented if out is not None else _activation(LogSigmoidFunction, input)


def softsign(input: Tensor) -> Any:
    return SoftsignFunction.apply(input)


def glu(input: Tensor, dim: int = -1, *, out: Tensor | None = None) -> Any:
    n = input.dim()
    if out is not None or not -n <= dim < n or input.shape[dim] % 2:
        return NotImplemented
    return GLUFunction.apply(input, dim)


def prelu(input: Tensor, weight: Tensor) -> Any:
    channels = input.shape[min(input.dim() - 1, 1)] if input.dim() else 1
    if weight.dim() > 1 or weight.numel() not in (1, channels) or weight.dtype != input.dtype:
        return NotImplemented
    shape = [1] * input.dim()
    if input.dim() > 1:
        shape[1] = weight.numel()
    elif weight.numel() != 1:
        shape = [weight.numel()]
    return PReLUFunction.apply(input, weight.reshape(shape))


def hardshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Any:
    if out is not None or not isinstance(lambd, int | float):
        return NotImplemented
    return HardshrinkFunction.apply(input, lambd) if lambd >= 0 else LeakyReLUFunction.apply(input, 1)  # leaves nothing out


def softshrink(input: Tensor, lambd: float = 0.5, *, out: Tensor | None = None) -> Any:
    return NotImplemented if out is not None or lambd < 0 else _activation(SoftshrinkFunction, input, lambd)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Any:
    return _activation(ThresholdFunction, input, threshold, value, inplace=inplace)


def rrelu(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False) -> Any:
    """In training, the product of the input with 1, or with a random slope where it is below 0, drawn as torch draws it."""
    if not lower <= upper:
        return NotImplemented
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    with torch.no_grad():
        slopes = torch.empty_like(input)
        _native.rrelu_with_noise(input, slopes, lower, upper, True)
    a = RReLUFunction.apply(input.clone() if inplace else input, slopes)
    return written(a, input) if inplace else a


def torch_rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: Any = None
) -> Any:
    """torch.rrelu, which may be given a generator."""
    return NotImplemented if generator is not None else rrelu(input, lower, upper, training)


def native(function: Callable[..., Any]) -> Callable[..., Any]:
    """With the signature that the operator has in torch._C._nn: `out` in the place of `inplace`."""

    @functools.wraps(function)
    def call(input: Tensor, *numbers: Any, out: Tensor | None = None, **more: Any) -> Any:
        return NotImplemented if out is not None else function(input, *numbers, **more)

    return call

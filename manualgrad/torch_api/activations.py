"""Activations, softmax and log_softmax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function.in_place import copy_into
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
from manualgrad.functions.activations.relu import ReLUFunction
from manualgrad.functions.activations.shrink import HardshrinkFunction, SoftshrinkFunction, ThresholdFunction
from manualgrad.functions.activations.sigmoid import SigmoidFunction
from manualgrad.functions.activations.silu import MishFunction, SiLUFunction
from manualgrad.functions.activations.softmax import LogSoftmaxFunction, SoftmaxFunction
from manualgrad.functions.activations.softplus import LogSigmoidFunction, SoftplusFunction
from manualgrad.functions.activations.softsign import SoftsignFunction
from manualgrad.functions.activations.tanh import TanhFunction
from manualgrad.torch_api.arithmetic import neg, sub
from manualgrad.torch_api.catalogue import answers, aten_signature
from manualgrad.torch_api.errors import relu_problem, sigmoid_problem
from manualgrad.torch_api.guard import functional, name_of
from manualgrad.torch_api.reference import sections, with_sections

_Call = TypeVar("_Call", bound=Callable[..., Any])

_functional: Any = F
_NN: Any = torch._C._nn
T = Tensor

# Parts of the docstrings of all elementwise activations.
_SHAPES = "input of any shape; output of the same shape."
_Z = ">>> z = torch.tensor([-2.0, 0.5, 8.0], requires_grad=True)\n"
_NOT_A_TENSOR = "TypeError: when the input is not a Tensor: `nn.functional.{name}({bad})`.\n"
_INTEGERS = "NotImplementedError: when the input has an integer dtype: `nn.functional.{name}(torch.tensor([1]){numbers})`.\n"
_COMPLEX = "NotImplementedError: when the input is complex or boolean: `nn.functional.{name}(torch.tensor([1j]){numbers})`.\n"
_BOOLEAN = "NotImplementedError: when the input is boolean: `nn.functional.{name}(torch.tensor([True]))`.\n"
_NO_ATTRIBUTE = "AttributeError: when the input is not a Tensor: `nn.functional.{name}([1.0])`.\n"


def _elementwise(
    torchs: Any, *names: Any, refuses: str = _INTEGERS, numbers: str = "", aten: Any = None, **options: Any
) -> Callable[[_Call], _Call]:
    """Decorate an elementwise activation as `functional` does, complete its docstring, and register its ATen operator.

    Args:
        refuses: the line of "Raises" for the dtypes that the activation does not support.
        numbers: further arguments of the calls in "Raises".
        aten: the ATen operator, whose signature does not have `inplace`.
    """

    def enter(call: _Call) -> _Call:
        found = sections(call.__doc__ or "")
        name, numbers_too = name_of(torchs, call), f", {numbers}" if numbers else ""
        errors = _NO_ATTRIBUTE if refuses is _BOOLEAN else _NOT_A_TENSOR
        raises = (errors + refuses).format(name=name, bad=f"[1.0]{numbers_too}", numbers=numbers_too)
        found["Shapes"] = found.get("Shapes", _SHAPES)
        found["Raises"] = (raises + found.get("Raises", "")).strip()
        found["Example"] = found["Example"] if "z = " in found["Example"] else _Z + found["Example"]
        call.__doc__ = with_sections(found)
        if aten is not None:
            answers(aten)(aten_signature(call))
        return functional(torchs, *names, **options)(call)

    return enter


def _applied(Function: Any, input: Tensor, *numbers: Any, inplace: bool = False) -> Any:
    for number in numbers:
        if not isinstance(number, (int, float)):
            return NotImplemented
    return copy_into(Function.apply(input.clone(), *numbers), input) if inplace else Function.apply(input, *numbers)


@_elementwise(torch.sigmoid, T.sigmoid, torch.special.expit, refuses="", explain=sigmoid_problem, page="activations.sigmoid")
def sigmoid(input: Tensor) -> Any:
    """Compute a = 1 / (1 + e⁻ᶻ) for each element z of the input.

    Example:
        >>> nn.functional.sigmoid(z)
        tensor([0.1192, 0.6225, 0.9997], grad_fn=<SigmoidFunctionBackward>)
    """
    return SigmoidFunction.apply(input)


@_elementwise(torch.tanh, T.tanh, refuses="", page="activations.tanh")
def tanh(input: Tensor) -> Any:
    """Compute a = tanh z for each element z of the input.

    Example:
        >>> nn.functional.tanh(z)
        tensor([-0.9640,  0.4621,  1.0000], grad_fn=<TanhFunctionBackward>)
    """
    return TanhFunction.apply(input)


answers(torch.sigmoid_, T.sigmoid_)(SigmoidFunction.apply_in_place)
answers(torch.tanh_, T.tanh_)(TanhFunction.apply_in_place)


@_elementwise(F.relu, torch.relu, T.relu, refuses=_COMPLEX, explain=relu_problem, page="activations.relu")
def relu(input: Tensor, inplace: bool = False) -> Any:
    """Compute a = max(z, 0) for each element z of the input.

    Raises:
        RuntimeError: when it would modify a leaf: `nn.functional.relu(torch.rand(3, requires_grad=True), inplace=True)`.

    Example:
        >>> nn.functional.relu(z)
        tensor([0.0000, 0.5000, 8.0000], grad_fn=<ReLUFunctionBackward>)
    """
    return ReLUFunction.apply_in_place(input) if inplace else ReLUFunction.apply(input)


answers(torch.relu_, T.relu_)(ReLUFunction.apply_in_place)


@_elementwise(F.relu6, aten=_NN.relu6, in_place=_NN.relu6_, refuses=_COMPLEX, page="activations.hard")
def relu6(input: Tensor, inplace: bool = False) -> Any:
    """Clamp each element of the input to [0, 6].

    Example:
        >>> nn.functional.relu6(z)
        tensor([0.0000, 0.5000, 6.0000], grad_fn=<HardtanhFunctionBackward>)
    """
    return hardtanh(input, 0.0, 6.0, inplace)


@_elementwise(F.leaky_relu, aten=_NN.leaky_relu, in_place=_NN.leaky_relu_, page="activations.leaky_relu")
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """Compute a = z where z > 0, else `negative_slope` z, for each element z of the input.

    Example:
        >>> nn.functional.leaky_relu(z)
        tensor([-0.0200,  0.5000,  8.0000], grad_fn=<LeakyReLUFunctionBackward>)
    """
    if not inplace or not isinstance(negative_slope, (int, float)):
        return _applied(LeakyReLUFunction, input, negative_slope)
    if not negative_slope >= 0:
        return NotImplemented  # PyTorch raises: the output does not tell the sign of the input
    return LeakyReLUFunction.apply_in_place(input, negative_slope)


@_elementwise(F.rrelu, numbers="0.25, 0.25", page="activations.leaky_relu")
def rrelu(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False) -> Any:
    """Compute a = z where z > 0, else z times a slope drawn from [`lower`, `upper`] in training, or their mean in evaluation.

    Example:
        >>> nn.functional.rrelu(z, 0.25, 0.25).tolist()
        [-0.5, 0.5, 8.0]
    """
    if not lower <= upper:
        return NotImplemented
    if not training:
        return leaky_relu(input, (lower + upper) / 2, inplace)
    with torch.no_grad():
        slopes = torch.empty_like(input)
        _NN.rrelu_with_noise(input, slopes, lower, upper, True)  # PyTorch's random slopes; 1 where the input is positive
    a = RReLUFunction.apply(input.clone() if inplace else input, slopes)
    return copy_into(a, input) if inplace else a


@answers(torch.rrelu)
def _torch_rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: Any = None
) -> Any:
    return NotImplemented if generator is not None else rrelu(input, lower, upper, training)


@functional(torch.prelu, T.prelu, page="activations.prelu")
def prelu(input: Tensor, weight: Tensor) -> Any:
    """Compute a = z where z > 0, else `weight` z, with one weight for all channels or one per channel.

    Shapes:
        input and output [n, channels, ...] or [n]; weight [channels] or [1].

    Raises:
        TypeError: when the input is not a Tensor: `nn.functional.prelu([1.0], torch.rand(1))`.
        RuntimeError: when weight has neither one element nor one per channel, or the dtypes differ:
            `nn.functional.prelu(torch.rand(2, 3), torch.rand(2))`.

    Example:
        >>> z = torch.tensor([-2.0, 0.5, 8.0])
        >>> nn.functional.prelu(z, torch.tensor([0.25], requires_grad=True))
        tensor([-0.5000,  0.5000,  8.0000], grad_fn=<PReLUFunctionBackward>)
    """
    channels = input.shape[min(input.dim() - 1, 1)] if input.dim() else 1
    if weight.dim() > 1 or weight.numel() not in (1, channels) or weight.dtype != input.dtype:
        return NotImplemented
    shape = [1] * input.dim()
    if input.dim() > 1:
        shape[1] = weight.numel()
    elif weight.numel() != 1:
        shape = [weight.numel()]
    return PReLUFunction.apply(input, weight.reshape(shape))


@_elementwise(F.elu, page="activations.leaky_relu")
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    """Compute a = z where z > 0, else α (eᶻ − 1), for each element z of the input.

    Example:
        >>> nn.functional.elu(z)
        tensor([-0.8647,  0.5000,  8.0000], grad_fn=<ELUFunctionBackward>)
    """
    return _applied(ELUFunction, input, alpha, 1, 1, inplace=inplace)


@answers(_NN.elu, in_place=_NN.elu_)
def _scaled_elu(input: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Any:
    return _applied(ELUFunction, input, alpha, scale, input_scale)


@_elementwise(F.selu, torch.selu, in_place=torch.selu_, page="activations.leaky_relu")
def selu(input: Tensor, inplace: bool = False) -> Any:
    """Compute a = λ z where z > 0, else λ α (eᶻ − 1), for each element z of the input; λ = 1.0507 and α = 1.6733.

    Example:
        >>> nn.functional.selu(z)
        tensor([-1.5202,  0.5254,  8.4056], grad_fn=<ELUFunctionBackward>)
    """
    return _applied(ELUFunction, input, SELU_ALPHA, SELU_SCALE, 1, inplace=inplace)


@_elementwise(F.celu, torch.celu, in_place=torch.celu_, page="activations.leaky_relu")
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Any:
    """Compute a = max(z, 0) + min(α (e^(z/α) − 1), 0) for each element z of the input.

    Raises:
        RuntimeError: when α is 0: `nn.functional.celu(torch.rand(3), alpha=0.0)`.

    Example:
        >>> nn.functional.celu(z)
        tensor([-0.8647,  0.5000,  8.0000], grad_fn=<ELUFunctionBackward>)
    """
    if not isinstance(alpha, (int, float)) or alpha == 0:
        return NotImplemented
    return _applied(ELUFunction, input, alpha, 1, 1 / alpha, inplace=inplace)


@_elementwise(F.gelu, in_place=_NN.gelu_, page="activations.gelu")
def gelu(input: Tensor, *, approximate: str = "none") -> Any:
    """Compute a = z Φ(z) for each element z of the input, with Φ the CDF of the standard normal distribution.

    Raises:
        RuntimeError: when `approximate` is neither 'none' nor 'tanh': `nn.functional.gelu(torch.rand(3), approximate='sinh')`.

    Example:
        >>> nn.functional.gelu(z)
        tensor([-0.0455,  0.3457,  8.0000], grad_fn=<GELUFunctionBackward>)
    """
    return GELUFunction.apply(input, approximate) if approximate in ("none", "tanh") else NotImplemented


@_elementwise(F.silu, aten=_NN.silu, in_place=_NN.silu_, page="activations.silu")
def silu(input: Tensor, inplace: bool = False) -> Any:
    """Compute a = z σ(z) for each element z of the input.

    Example:
        >>> nn.functional.silu(z)
        tensor([-0.2384,  0.3112,  7.9973], grad_fn=<SiLUFunctionBackward>)
    """
    return _applied(SiLUFunction, input, inplace=inplace)


@_elementwise(F.mish, aten=_NN.mish, in_place=_NN.mish_, page="activations.silu")
def mish(input: Tensor, inplace: bool = False) -> Any:
    """Compute a = z tanh(softplus(z)) for each element z of the input.

    Example:
        >>> nn.functional.mish(z)
        tensor([-0.2525,  0.3752,  8.0000], grad_fn=<MishFunctionBackward>)
    """
    return _applied(MishFunction, input, inplace=inplace)


@_elementwise(F.hardtanh, aten=_NN.hardtanh, in_place=_NN.hardtanh_, refuses=_COMPLEX, page="activations.hard")
def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Any:
    """Clamp each element of the input to [`min_val`, `max_val`].

    Example:
        >>> nn.functional.hardtanh(z)
        tensor([-1.0000,  0.5000,  1.0000], grad_fn=<HardtanhFunctionBackward>)
    """
    if min_val > max_val:
        return NotImplemented
    if not inplace or torch.compiler.is_dynamo_compiling():  # Dynamo cannot trace `item`
        return _applied(HardtanhFunction, input, min_val, max_val, inplace=inplace)
    bounds = (torch.tensor(bound, dtype=input.dtype, device="cpu").item() for bound in (min_val, max_val))
    return HardtanhInPlaceFunction.apply_in_place(input, *bounds)


@_elementwise(F.hardsigmoid, aten=_NN.hardsigmoid, in_place=_NN.hardsigmoid_, page="activations.hard")
def hardsigmoid(input: Tensor, inplace: bool = False) -> Any:
    """Compute a = z/6 + 1/2, clamped to [0, 1], for each element z of the input.

    Example:
        >>> nn.functional.hardsigmoid(z)
        tensor([0.1667, 0.5833, 1.0000], grad_fn=<HardsigmoidFunctionBackward>)
    """
    return _applied(HardsigmoidFunction, input, inplace=inplace)


@_elementwise(F.hardswish, aten=_NN.hardswish, in_place=_NN.hardswish_, page="activations.hard")
def hardswish(input: Tensor, inplace: bool = False) -> Any:
    """Compute a = z hardsigmoid(z) for each element z of the input.

    Example:
        >>> nn.functional.hardswish(z)
        tensor([-0.3333,  0.2917,  8.0000], grad_fn=<HardswishFunctionBackward>)
    """
    return _applied(HardswishFunction, input, inplace=inplace)


@_elementwise(F.softplus, page="activations.softplus")
def softplus(input: Tensor, beta: float = 1, threshold: float = 20) -> Any:
    """Compute a = log(1 + e^(β z)) / β for each element z of the input, or a = z where β z is above `threshold`.

    Example:
        >>> nn.functional.softplus(z)
        tensor([0.1269, 0.9741, 8.0003], grad_fn=<SoftplusFunctionBackward>)
    """
    return _applied(SoftplusFunction, input, beta, threshold)


@_elementwise(F.logsigmoid, page="activations.softplus")
def logsigmoid(input: Tensor) -> Any:
    """Compute a = log σ(z) for each element z of the input.

    Example:
        >>> z = torch.tensor([-2.0, 0.5, 3.0], requires_grad=True)
        >>> nn.functional.logsigmoid(z)
        tensor([-2.1269, -0.4741, -0.0486], grad_fn=<LogSigmoidFunctionBackward>)
    """
    return LogSigmoidFunction.apply(input)


@_elementwise(F.softsign, refuses=_BOOLEAN, page="activations.softsign")
def softsign(input: Tensor) -> Any:
    """Compute a = z / (1 + |z|) for each element z of the input.

    Example:
        >>> nn.functional.softsign(z)
        tensor([-0.6667,  0.3333,  0.8889], grad_fn=<SoftsignFunctionBackward>)
    """
    return SoftsignFunction.apply(input)


@_elementwise(F.tanhshrink, refuses=_BOOLEAN, page="activations.tanh")
def tanhshrink(input: Tensor) -> Any:
    """Compute a = z − tanh z for each element z of the input.

    Example:
        >>> nn.functional.tanhshrink(z)
        tensor([-1.0360,  0.0379,  7.0000], grad_fn=<AddFunctionBackward>)
    """
    return sub(input, TanhFunction.apply(input))


@_elementwise(F.hardshrink, torch.hardshrink, T.hardshrink, page="activations.shrink")
def hardshrink(input: Tensor, lambd: float = 0.5) -> Any:
    """Compute a = z where |z| > λ, else 0, for each element z of the input.

    Example:
        >>> nn.functional.hardshrink(z)
        tensor([-2.,  0.,  8.], grad_fn=<HardshrinkFunctionBackward>)
    """
    if not isinstance(lambd, (int, float)):
        return NotImplemented
    return HardshrinkFunction.apply(input, lambd) if lambd >= 0 else LeakyReLUFunction.apply(input, 1)  # the identity


@_elementwise(F.softshrink, page="activations.shrink")
def softshrink(input: Tensor, lambd: float = 0.5) -> Any:
    """Compute a = z − λ sign(z) where |z| > λ, else 0, for each element z of the input.

    Raises:
        RuntimeError: when λ is negative: `nn.functional.softshrink(torch.rand(3), -1.0)`.

    Example:
        >>> nn.functional.softshrink(z)
        tensor([-1.5000,  0.0000,  7.5000], grad_fn=<SoftshrinkFunctionBackward>)
    """
    return NotImplemented if lambd < 0 else _applied(SoftshrinkFunction, input, lambd)


@_elementwise(
    F.threshold,
    aten=torch.threshold,
    in_place=torch.threshold_,
    refuses=_COMPLEX,
    numbers="1.0, 0.0",
    page="activations.shrink",
)
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Any:
    """Compute a = z where z > `threshold`, else `value`, for each element z of the input.

    Example:
        >>> nn.functional.threshold(z, 1.0, 0.0)
        tensor([0., 0., 8.], grad_fn=<ThresholdFunctionBackward>)
    """
    return _applied(ThresholdFunction, input, threshold, value, inplace=inplace)


@functional(F.glu, _NN.glu, page="activations.glu")
def glu(input: Tensor, dim: int = -1) -> Any:
    """Compute a σ(b), where a and b are the two halves of the input along `dim`.

    Shapes:
        input [..., 2 n, ...]; output [..., n, ...].

    Raises:
        AttributeError: when the input is not a Tensor: `nn.functional.glu([1.0])`.
        NotImplementedError: when the input has an integer dtype: `nn.functional.glu(torch.tensor([1, 2]))`.
        RuntimeError: when the size of `dim` is odd: `nn.functional.glu(torch.rand(3))`.
        IndexError: when `dim` is out of range: `nn.functional.glu(torch.rand(2), dim=1)`.

    Example:
        >>> z = torch.tensor([1.0, 2.0, 0.0, 0.0], requires_grad=True)
        >>> nn.functional.glu(z)
        tensor([0.5000, 1.0000], grad_fn=<GLUFunctionBackward>)
    """
    n = input.dim()
    return GLUFunction.apply(input, dim) if -n <= dim < n and input.shape[dim] % 2 == 0 else NotImplemented


# Activations along a dimension.

_ALONG_A_DIMENSION = """{summary}

Shapes:
    input of any shape; output of the same shape.

Raises:
    {error}: when the input is not a Tensor: `nn.functional.{name}([1.0], dim=0)`.
    NotImplementedError: when the input has an integer dtype: `nn.functional.{name}(torch.tensor([1]), dim=0)`.
    IndexError: when `dim` is out of range: `nn.functional.{name}(torch.rand(3), dim=1)`.

Example:
    >>> z = torch.tensor([-2.0, 0.5, 1.0], requires_grad=True)
    >>> nn.functional.{name}(z, dim=0)
    tensor([{result}FunctionBackward>)
"""


def _along(name: str, Function: Any, summary: str, result: str, of: Callable[[Tensor], Any] | None = None) -> None:
    """Export a function of `nn.functional` along a dimension; if `dim` is None, PyTorch chooses it."""

    def call(input: Tensor, dim: Any = None, _stacklevel: int = 3, dtype: torch.dtype | None = None) -> Any:
        dim = _functional._get_softmax_dim(name, input.dim(), _stacklevel) if dim is None else dim
        return _applied_along(Function, input if of is None else of(input), dim, dtype)

    error = "TypeError" if of is neg else "AttributeError"
    call.__doc__ = _ALONG_A_DIMENSION.format(name=name, summary=summary, result=result, error=error)
    functional(getattr(F, name), page="activations.softmax")(call)


def _applied_along(Function: Any, x: Tensor, dim: Any, dtype: Any) -> Any:
    n = max(x.dim(), 1)
    return Function.apply(x, dim, dtype) if isinstance(dim, int) and -n <= dim < n else NotImplemented


_along(
    "softmax",
    SoftmaxFunction,
    "Compute a_i = e^(z_i) / Σ_k e^(z_k) along a dimension.",
    "0.0301, 0.3662, 0.6037], grad_fn=<Softmax",
)
_along(
    "log_softmax",
    LogSoftmaxFunction,
    "Compute a_i = z_i − log Σ_k e^(z_k) along a dimension.",
    "-3.5046, -1.0046, -0.5046], grad_fn=<LogSoftmax",
)
_along(
    "softmin",
    SoftmaxFunction,
    "Compute a = softmax(−z) along a dimension.",
    "0.8835, 0.0725, 0.0440], grad_fn=<Softmax",
    of=neg,
)


@answers(torch.softmax, T.softmax, torch.special.softmax)
def softmax(input: Tensor, dim: Any, dtype: torch.dtype | None = None) -> Any:
    return _applied_along(SoftmaxFunction, input, dim, dtype)


@answers(torch.log_softmax, T.log_softmax, torch.special.log_softmax)
def log_softmax(input: Tensor, dim: Any, dtype: torch.dtype | None = None) -> Any:
    return _applied_along(LogSoftmaxFunction, input, dim, dtype)

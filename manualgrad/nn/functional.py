"""`torch.nn.functional` with hand-written gradients for `linear`, `sigmoid`, `relu` and `mse_loss`.

These four have torch's signatures, take what torch's take and raise what torch's raise, in a sentence that names the
argument; every other name is torch's own.

Some calls get torch's own function, as a Function could do nothing for them: those with an argument that overrides torch
functions (a `__torch_function__` subclass, the Proxy of `torch.fx.symbolic_trace`); those under `torch.jit.trace` and
`torch.export`, whose graphs can be saved only if they hold torch operators alone; and those on tensors that are no plain array
(sparse, nested, mkldnn), for which few of the operators exist that the derivatives are written in.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn._reduction import legacy_get_string
from torch.overrides import has_torch_function_unary, has_torch_function_variadic

from manualgrad.functions import LinearFunction, MSELossFunction, ReLUFunction, SigmoidFunction
from manualgrad.nn._arguments import activation_problem, explained, linear_problem, mse_loss_problem
from manualgrad.nn._overrides import call_override, wants_torchs

if TYPE_CHECKING:
    from torch.nn.functional import *  # noqa: F403

_jit_trace = torch._C._get_tracing_state

_CALL_ERRORS = (RuntimeError, TypeError, AttributeError)


def _torch_answers(input: Any) -> bool:
    """Whether torch's own function takes the call, be it only to raise its error."""
    return _jit_trace() is not None or not isinstance(input, Tensor) or input.layout is not _strided or input.is_nested


_strided = torch.strided


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:  # type: ignore[no-redef]
    """z = input weightᵀ + bias, derived in `manualgrad.functions.linear`; see `torch.nn.functional.linear`.

    Shapes:
        input [..., in]; weight [out, in]; bias [out] or None; result [..., out]. A weight [in] gives a result [...].

    Raises:
        RuntimeError: when shapes, dtypes or devices do not fit.
        TypeError: when an argument is no tensor.
    """
    if has_torch_function_variadic(input, weight, bias):
        return call_override(linear, F.linear, (input, weight, bias), input, weight, bias=bias)
    try:
        if _torch_answers(input):
            return F.linear(input, weight, bias)
        if weight.dim() == 1 and bias is None:
            return LinearFunction.apply(input, weight.unsqueeze(0), None).squeeze(-1)
        if bias is not None and bias.dim() > 1:  # torch takes a bias for each example too
            return LinearFunction.apply(input, weight, None) + bias
        return LinearFunction.apply(input, weight, bias)
    except _CALL_ERRORS as error:
        raise explained(error, linear_problem(input, weight, bias))


def sigmoid(input: Tensor) -> Tensor:  # type: ignore[no-redef]
    """a = 1 / (1 + e^(-input)) of each element, derived in `manualgrad.functions.sigmoid`; see `torch.sigmoid`.

    Raises:
        TypeError: when the input is no tensor.
    """
    if has_torch_function_unary(input):
        return call_override(sigmoid, torch.sigmoid, (input,), input)
    try:
        if _torch_answers(input):
            return torch.sigmoid(input)
        return SigmoidFunction.apply(input)
    except _CALL_ERRORS as error:
        raise explained(error, activation_problem("sigmoid", input))


def relu(input: Tensor, inplace: bool = False) -> Tensor:  # type: ignore[no-redef]
    """a = max(input, 0) of each element, derived in `manualgrad.functions.relu`; see `torch.nn.functional.relu`.

    Args:
        inplace: write the result into `input`, and return it.

    Raises:
        RuntimeError: when the input is complex or boolean (NotImplementedError), or with `inplace` a leaf that requires grad.
        TypeError: when the input is no tensor.
    """
    if has_torch_function_unary(input):
        return call_override(relu, F.relu, (input,), input, inplace=inplace)
    try:
        if _torch_answers(input):
            return F.relu(input, inplace)
        a = ReLUFunction.apply(input)
    except _CALL_ERRORS as error:
        raise explained(error, activation_problem("relu", input))
    # Not a Function that marks its input dirty, which vmap and torch.compile get wrong.
    return input.copy_(a) if inplace else a


def mse_loss(  # type: ignore[no-redef]
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The quadratic cost, derived in `manualgrad.functions.mse_loss`; see `torch.nn.functional.mse_loss`.

    Args:
        size_average, reduce: deprecated, as in torch.
        reduction: "none", "mean" or "sum", as in torch, or "batchmean": the sum over the outputs, averaged over the
            examples, that is divided by `input.shape[0]` (for a 0-d input, by 1), also where there is a `weight`.
        weight: a factor of each square. "mean" then divides by its sum.

    Shapes:
        input and target alike; another target is broadcast, with a warning. weight as input. The result is 0-d, or for
        "none" has the broadcast shape.

    Raises:
        ValueError: when the reduction is another, or the weight has another shape than the input.
        RuntimeError: when shapes or devices do not fit, or numbers are complex (NotImplementedError).
        AttributeError: when an argument is no tensor.
    """
    if reduction == "batchmean" and (_jit_trace() is not None or wants_torchs(input, target, weight)):
        # torch has no "batchmean". The count is an operation of its own, for a trace to hold.
        C = mse_loss(input, target, reduction="sum", weight=weight)  # type: ignore[call-arg]
        return C / torch.atleast_1d(input).shape[0]
    if has_torch_function_variadic(input, target, weight):
        legacy = {"size_average": size_average, "reduce": reduce}
        return call_override(
            mse_loss, F.mse_loss, (input, target, weight), input, target, **legacy, reduction=reduction, weight=weight
        )
    if _jit_trace() is not None:
        return F.mse_loss(input, target, size_average, reduce, reduction, weight)  # type: ignore[call-arg]
    try:
        if target.shape != input.shape:
            warnings.warn(
                f"Using a target size ({target.shape}) that is different to the input size ({input.shape}): "
                "the two are broadcast, which is seldom what is meant; give both the same size.",
                stacklevel=2,
            )
        if size_average is not None or reduce is not None:
            reduction = legacy_get_string(size_average, reduce)
        if reduction not in ("none", "mean", "sum", "batchmean"):
            raise ValueError(f"mse_loss: reduction must be 'none', 'mean', 'sum' or 'batchmean', and is {reduction!r}")
        if weight is not None and weight.shape != input.shape:
            raise ValueError(
                f"mse_loss: weight must have the shape of input, {list(input.shape)}, and has {list(weight.shape)}"
            )
        if weight is not None and weight.is_complex():
            raise NotImplementedError(f"mse_loss: weight is {weight.dtype}, and must be real")
        return MSELossFunction.apply(input, target, reduction, weight)
    except _CALL_ERRORS as error:
        raise explained(error, mse_loss_problem(input, target, weight))


def __getattr__(name: str) -> Any:
    return getattr(F, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(F)})

"""linear, sigmoid, relu and mse_loss: `manualgrad.nn.functional` has them from here.

What is wrong with a call of theirs is said in a sentence that names the argument, in torch's type.
"""

from __future__ import annotations

import warnings
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn._reduction import legacy_get_string

from manualgrad.function.in_place import kept_as_rows
from manualgrad.functions import LinearFunction, MSELossFunction, ReLUFunction, SigmoidFunction
from manualgrad.torch_api.errors import activation_problem, linear_problem, mse_loss_problem
from manualgrad.torch_api.guard import hand_written

__all__ = ["linear", "mse_loss", "relu", "sigmoid"]


@hand_written(F.linear, linear_problem)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """z = input weightᵀ + bias, derived in `manualgrad.functions.linear.linear`; see `torch.nn.functional.linear`.

    Shapes:
        input [..., in]; weight [out, in]; bias [out] or None; result [..., out]. A weight [in] gives a result [...].

    Raises:
        RuntimeError: when shapes, dtypes or devices do not fit: `nn.functional.linear(torch.rand(3), torch.rand(2, 4))`.
        TypeError: when an argument is no tensor: `nn.functional.linear([1.0], torch.rand(2, 1))`.

    Example:
        >>> z = nn.functional.linear(torch.rand(100, 784), torch.rand(16, 784, requires_grad=True), torch.rand(16))
        >>> z.shape, z.grad_fn.name()
        (torch.Size([100, 16]), 'LinearFunctionBackward')
    """
    if weight.requires_grad:
        input = kept_as_rows(input)
    if weight.dim() == 1 and bias is None:
        return LinearFunction.apply(input, weight.unsqueeze(0), None).squeeze(-1)
    if bias is not None and bias.dim() > 1:  # torch takes a bias for each example too
        return LinearFunction.apply(input, weight, None) + bias
    return LinearFunction.apply(input, weight, bias)


@hand_written(torch.sigmoid, partial(activation_problem, "sigmoid"))
def sigmoid(input: Tensor) -> Tensor:
    """a = 1 / (1 + e^(-input)) of each element, derived in `manualgrad.functions.activations.sigmoid`; see `torch.sigmoid`.

    Shapes:
        input and result alike, of any shape.

    Raises:
        TypeError: when the input is no tensor: `nn.functional.sigmoid([1.0])`.

    Example:
        >>> z = torch.tensor([-2.0, 0.5, 8.0], requires_grad=True)
        >>> nn.functional.sigmoid(z)
        tensor([0.1192, 0.6225, 0.9997], grad_fn=<SigmoidFunctionBackward>)
    """
    return SigmoidFunction.apply(input)


@hand_written(F.relu, partial(activation_problem, "relu"))
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """a = max(input, 0) of each element, derived in `manualgrad.functions.activations.relu`; see `torch.nn.functional.relu`.

    Args:
        inplace: write the result into `input`, and return it.

    Shapes:
        input and result alike, of any shape.

    Raises:
        NotImplementedError: when the input is complex or boolean: `nn.functional.relu(torch.tensor([1j]))`.
        RuntimeError: when it is a leaf to be changed: `nn.functional.relu(torch.rand(3, requires_grad=True), inplace=True)`.
        TypeError: when it is no tensor: `nn.functional.relu([1.0])`.

    Example:
        >>> z = torch.tensor([-2.0, 0.5, 8.0], requires_grad=True)
        >>> nn.functional.relu(z)
        tensor([0.0000, 0.5000, 8.0000], grad_fn=<ReLUFunctionBackward>)
    """
    return ReLUFunction.apply_in_place(input) if inplace else ReLUFunction.apply(input)


def _torchs_mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """torch's own, and "batchmean", which it has not, by its "sum"."""
    if reduction != "batchmean" or size_average is not None or reduce is not None:
        return F.mse_loss(input, target, size_average, reduce, reduction, weight)  # type: ignore[call-arg]
    C = F.mse_loss(input, target, reduction="sum", weight=weight)  # type: ignore[call-arg]
    return C / torch.atleast_1d(input).shape[0]  # the count is an operation of its own, for a trace to hold


@hand_written(_torchs_mse_loss, mse_loss_problem)
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """The quadratic cost, derived in `manualgrad.functions.losses.mse_loss`; see `torch.nn.functional.mse_loss`.

    Args:
        size_average, reduce: deprecated, as in torch.
        reduction: "none", "mean" or "sum", as in torch, or "batchmean": the sum over the outputs, averaged over the
            examples, that is divided by `input.shape[0]` (for a 0-d input, by 1), also where there is a `weight`.
        weight: a factor of each square. "mean" then divides by its sum.

    Shapes:
        input and target alike; another target is broadcast, with a warning. weight as input. The result is 0-d, or for
        "none" has the broadcast shape.

    Raises:
        ValueError: when the reduction is another: `nn.functional.mse_loss(torch.rand(3), torch.rand(3), reduction="median")`.
        ValueError: when weight is not as input: `nn.functional.mse_loss(torch.rand(3), torch.rand(3), weight=torch.rand(2))`.
        RuntimeError: when shapes or devices do not fit: `nn.functional.mse_loss(torch.rand(3), torch.rand(2))`.
        NotImplementedError: when numbers are complex: `nn.functional.mse_loss(torch.tensor([1j]), torch.tensor([1j]))`.
        AttributeError: when an argument is no tensor: `nn.functional.mse_loss([1.0], torch.rand(1))`.

    Example:
        >>> a, y = torch.tensor([[1.0, 2.0], [6.0, 2.0]]), torch.tensor([[1.0, 1.0], [2.0, 1.0]])
        >>> nn.functional.mse_loss(a, y, reduction="batchmean")  # (0 + 1 + 16 + 1) / 2 examples
        tensor(9.)
    """
    if target.shape != input.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}): "
            "the two are broadcast, which is seldom what is meant; give both the same size.",
            stacklevel=3,  # who called the guard
        )
    if size_average is not None or reduce is not None:
        reduction = legacy_get_string(size_average, reduce)
    if reduction not in ("none", "mean", "sum", "batchmean"):
        raise ValueError(f"mse_loss: reduction must be 'none', 'mean', 'sum' or 'batchmean', and is {reduction!r}")
    if weight is not None and weight.shape != input.shape:
        raise ValueError(f"mse_loss: weight must have the shape of input, {list(input.shape)}, and has {list(weight.shape)}")
    if weight is not None and weight.is_complex():
        raise NotImplementedError(f"mse_loss: weight is {weight.dtype}, and must be real")
    return MSELossFunction.apply(input, target, reduction, weight)

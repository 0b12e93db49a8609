"""The linear function and matrix products."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad import product
from manualgrad.function.in_place import are_one, kept_as_rows
from manualgrad.functions.linear.addmm import AddmmFunction
from manualgrad.functions.linear.linear import LinearFunction
from manualgrad.functions.linear.matmul import MatmulFunction
from manualgrad.torch_api.autocast import cast_as
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.errors import linear_problem
from manualgrad.torch_api.guard import functional

T = Tensor


def _undifferentiated(*args: Any, **kwargs: Any) -> Tensor:
    """Compute `torch.nn.functional.linear` with the matrix library that is faster on this processor."""
    return product.linear(*args) if len(args) == 3 and not kwargs else F.linear(*args, **kwargs)


@functional(F.linear, otherwise=_undifferentiated, explain=linear_problem, page="linear.linear")
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Any:
    """Compute z = input weightᵀ + bias.

    Shapes:
        input [..., in]; weight [out, in]; bias [out] or None; output [..., out]. With weight [in], the output is [...].

    Raises:
        RuntimeError: when shapes, dtypes or devices do not match: `nn.functional.linear(torch.rand(3), torch.rand(2, 4))`.
        TypeError: when an argument is not a Tensor: `nn.functional.linear([1.0], torch.rand(2, 1))`.

    Example:
        >>> z = nn.functional.linear(torch.rand(100, 784), torch.rand(16, 784, requires_grad=True), torch.rand(16))
        >>> z.shape, z.grad_fn.name()
        (torch.Size([100, 16]), 'LinearFunctionBackward')
    """
    if weight.requires_grad and input.dim() > 2:
        input = kept_as_rows(input)
    if weight.dim() == 1 and bias is None:
        return LinearFunction.apply(input, weight.unsqueeze(0), None).squeeze(-1)
    if bias is not None and bias.dim() > 1:  # PyTorch also accepts a bias per example
        return LinearFunction.apply(input, weight, None) + bias
    return LinearFunction.apply(input, weight, bias)


@answers(torch.matmul, T.matmul, T.__matmul__, torch.linalg.matmul)
def matmul(input: Tensor, other: Tensor) -> Any:
    """Multiply vectors and matrices as torch.matmul does: a vector is a matrix with one row or one column."""
    if not input.dim() or not other.dim():
        return NotImplemented
    A = input.unsqueeze(0) if input.dim() == 1 else input
    B = other.unsqueeze(-1) if other.dim() == 1 else other
    Z = MatmulFunction.apply(*_as_torch_saves_them(A, B))
    Z = Z.squeeze(-1) if other.dim() == 1 else Z
    if input.dim() == 1:
        Z = Z.squeeze(-2 if other.dim() > 1 else -1)
    return Z


@answers(T.__rmatmul__)
def rmatmul(input: Tensor, other: Tensor) -> Any:
    return matmul(other, input)


def _as_torch_saves_them(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """Copy the operands that torch.matmul copies: it saves the copies, so A or B may be modified before the backward.

    torch.matmul folds the batch dimensions into one, or into the rows of one matrix, and copies if the strides do not allow it.
    """
    if max(A.dim(), B.dim()) <= 2 or torch.compiler.is_dynamo_compiling():
        return A, B
    A_is_one, B_is_one = (t.dim() == 2 or (t.dim() == 3 and t.shape[0] == 1 and t.requires_grad) for t in (A, B))
    if A.dim() == B.dim() and A.shape[0] == B.shape[0]:
        A_is_one = B_is_one = False
    if B.dim() == 2 or (B_is_one and A.dim() == 3):
        return kept_as_rows(A) if B.requires_grad else A, B
    if A.dim() == 2 or (A_is_one and B.dim() == 3):
        return A, kept_as_rows(B.mT).mT if A.requires_grad else B
    batch = torch.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    return _in_one_batch(A, batch), _in_one_batch(B, batch)


def _in_one_batch(t: Tensor, batch: Sequence[int]) -> Tensor:
    if len(batch) == 1 or are_one(batch, t.expand(*batch, *t.shape[-2:]).stride()[:-2]):
        return t
    return t.clone(memory_format=torch.contiguous_format)


def _of_dims(*dims: int) -> Callable[..., Any]:
    """Make a matmul that accepts only operands with these numbers of dimensions, and equal batch sizes if they are 3-D."""

    def product(input: Tensor, other: Tensor, /) -> Any:
        if (input.dim(), other.dim()) != dims or (dims[0] == 3 and input.shape[0] != other.shape[0]):
            return NotImplemented
        return matmul(input, other)

    return product


mm = answers(torch.mm, T.mm)(_of_dims(2, 2))
bmm = answers(torch.bmm, T.bmm)(_of_dims(3, 3))
_mv = _of_dims(2, 1)
_dot = _of_dims(1, 1)


@answers(torch.mv, T.mv)
def mv(input: Tensor, vec: Tensor) -> Any:
    """Multiply a matrix by a vector. On the CPU, autocast does not cast this product, unlike others."""
    return cast_as({"cuda": "lower", "cpu": None}, (input, vec), _mv)


@answers(torch.dot, T.dot)
def dot(input: Tensor, tensor: Tensor) -> Any:
    """Compute the dot product. Autocast does not lower its precision, unlike that of other products."""
    return cast_as({"cuda": "widest", "cpu": None}, (input, tensor), lambda a, b: _dot(a, b))


def _added(*dims: int) -> Callable[..., Any]:
    """Make the call of beta input + alpha A B, for A and B with these numbers of dimensions."""

    def function(input: Tensor, A: Tensor, B: Tensor, /, *, beta: Any = 1, alpha: Any = 1) -> Any:
        if (A.dim(), B.dim()) != dims:
            return NotImplemented
        return AddmmFunction.apply(input, A, B, beta, alpha)

    return function


addmm = answers(torch.addmm, T.addmm)(_added(2, 2))
baddbmm = answers(torch.baddbmm, T.baddbmm)(_added(3, 3))
_addmv = _added(2, 1)


@answers(torch.addmv, T.addmv)
def addmv(input: Tensor, A: Tensor, B: Tensor, /, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """Compute beta input + alpha A B. On the CPU, autocast does not cast this product, unlike others."""
    call = functools.partial(_addmv, beta=beta, alpha=alpha)
    return cast_as({"cuda": "lower", "cpu": None}, (input, A, B), call)

"""Arithmetic and products of matrices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from manualgrad.function.in_place import are_one, kept_as_rows
from manualgrad.functions.arithmetic import elementary
from manualgrad.functions.arithmetic.add import AddFunction, NegFunction
from manualgrad.functions.arithmetic.cat import CatFunction
from manualgrad.functions.arithmetic.div import DivFunction
from manualgrad.functions.arithmetic.mul import MulFunction
from manualgrad.functions.arithmetic.pow import PowFunction
from manualgrad.functions.arithmetic.sums import MeanFunction, SumFunction
from manualgrad.functions.linear.addmm import AddmmFunction
from manualgrad.functions.linear.matmul import MatmulFunction
from manualgrad.torch_api.autocast import cast_as, in_its_dtype

_Number = (int, float, complex)
_OPERANDS = (Tensor, *_Number)


def add(input: Any, other: Any, *, alpha: Any = 1, out: Tensor | None = None) -> Any:
    if out is not None or not isinstance(input, _OPERANDS) or not isinstance(other, _OPERANDS):
        return NotImplemented
    return AddFunction.apply(input, other, alpha)


def sub(input: Any, other: Any, *, alpha: Any = 1, out: Tensor | None = None) -> Any:
    if _has_booleans(input, other):
        return NotImplemented
    return add(input, other, alpha=-alpha, out=out)


def rsub(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    return sub(other, input, alpha=alpha)


def _has_booleans(*operands: Any) -> bool:
    return any(isinstance(t, bool) or (isinstance(t, Tensor) and t.dtype == torch.bool) for t in operands)


def mul(input: Any, other: Any, *, out: Tensor | None = None) -> Any:
    if out is not None or not isinstance(input, _OPERANDS) or not isinstance(other, _OPERANDS):
        return NotImplemented
    return MulFunction.apply(input, other)


def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Any:
    if out is not None or rounding_mode is not None or not isinstance(input, _OPERANDS) or not isinstance(other, _OPERANDS):
        return NotImplemented
    return DivFunction.apply(input, other)


def rdiv(input: Any, other: Any) -> Any:
    """other / input, in torch's two steps."""
    return mul(reciprocal(input), other)


def pow(input: Any, exponent: Any, *, out: Tensor | None = None) -> Any:
    if out is not None or not isinstance(input, _OPERANDS) or not isinstance(exponent, _OPERANDS):
        return NotImplemented
    return PowFunction.apply(input, exponent)


def rpow(input: Any, other: Any) -> Any:
    return pow(other, input)


def _elementwise(Function: Any) -> Callable[..., Any]:
    def function(input: Tensor, *, out: Tensor | None = None) -> Any:
        return NotImplemented if out is not None else Function.apply(input)

    return function


neg = _elementwise(NegFunction)
exp = _elementwise(elementary.ExpFunction)
expm1 = _elementwise(elementary.Expm1Function)
log = _elementwise(elementary.LogFunction)
log1p = _elementwise(elementary.Log1pFunction)
sqrt = _elementwise(elementary.SqrtFunction)
rsqrt = _elementwise(elementary.RsqrtFunction)
reciprocal = _elementwise(elementary.ReciprocalFunction)
square = _elementwise(elementary.SquareFunction)
sin = _elementwise(elementary.SinFunction)
cos = _elementwise(elementary.CosFunction)
erf = _elementwise(elementary.ErfFunction)


def sum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None, out: Any = None) -> Any:
    return _reduced(SumFunction, input, dim, keepdim, dtype, out)


def mean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None, out: Any = None) -> Any:
    return _reduced(MeanFunction, input, dim, keepdim, dtype, out)


def _reduced(Function: Any, x: Tensor, dim: Any, keepdim: bool, dtype: torch.dtype | None, out: Any) -> Any:
    dims = dims_of(x, dim)
    if out is not None or dims is None:
        return NotImplemented
    return in_its_dtype(Function, x, dtype, dims, keepdim)


def dims_of(x: Tensor, dim: Any) -> tuple[int, ...] | None:
    """Counted from 0; all of them for None; None where they are not as they should be."""
    if dim is not None and not isinstance(dim, int | Sequence):
        return None
    n = x.dim()
    wanted = [dim] if isinstance(dim, int) else list(range(n)) if dim is None or not dim else list(dim)
    if any(not isinstance(d, int) or not -max(n, 1) <= d < max(n, 1) for d in wanted):
        return None
    dims = tuple(d % n for d in wanted) if n else ()
    return dims if len(set(dims)) == len(dims) else None


def cat(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Any:
    if out is not None or not isinstance(dim, int):
        return NotImplemented
    n = max(t.dim() for t in tensors)
    return CatFunction.apply(dim % n if n else dim, *tensors)


def stack(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Any:
    if out is not None or len({t.shape for t in tensors}) != 1:
        return NotImplemented
    n = tensors[0].dim() + 1
    if not -n <= dim < n:
        return NotImplemented
    return CatFunction.apply(dim % n, *[t.unsqueeze(dim) for t in tensors])


def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Any:
    """Of vectors and matrices as torch.matmul has them: a vector is a matrix of one row, or of one column."""
    if out is not None or not input.dim() or not other.dim():
        return NotImplemented
    A = input.unsqueeze(0) if input.dim() == 1 else input
    B = other.unsqueeze(-1) if other.dim() == 1 else other
    Z = MatmulFunction.apply(*_as_torch_saves_them(A, B))
    Z = Z.squeeze(-1) if other.dim() == 1 else Z
    if input.dim() == 1:
        Z = Z.squeeze(-2 if other.dim() > 1 else -1)
    return Z


def _as_torch_saves_them(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """Copies of those that torch.matmul copies: it saves these, so that A or B may be changed before the backward.

    It multiplies one batch of matrices, or one matrix for all of a batch, and copies what does not lie in memory as that one.
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
    """matmul, of operands with these numbers of dimensions alone, and alike in the first where they have three."""

    def product(input: Tensor, other: Tensor, /, *, out: Tensor | None = None) -> Any:
        if (input.dim(), other.dim()) != dims or (dims[0] == 3 and input.shape[0] != other.shape[0]):
            return NotImplemented
        return matmul(input, other, out=out)

    return product


mm, bmm, mv, _dot = _of_dims(2, 2), _of_dims(3, 3), _of_dims(2, 1), _of_dims(1, 1)


def dot(input: Tensor, tensor: Tensor, *, out: Any = None) -> Any:
    """Not in autocast's dtype, as other products are."""
    return cast_as({"cuda": "widest", "cpu": None}, (input, tensor), lambda a, b: _dot(a, b, out=out))


def _added(*dims: int) -> Callable[..., Any]:
    """beta input + alpha A B, of A and B with these numbers of dimensions."""

    def function(input: Tensor, A: Tensor, B: Tensor, /, *, beta: Any = 1, alpha: Any = 1, out: Tensor | None = None) -> Any:
        if out is not None or (A.dim(), B.dim()) != dims:
            return NotImplemented
        return AddmmFunction.apply(input, A, B, beta, alpha)

    return function


addmm, baddbmm, addmv = _added(2, 2), _added(3, 3), _added(2, 1)

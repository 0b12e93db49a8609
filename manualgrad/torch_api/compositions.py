"""Functions that PyTorch composes in C++, composed here of hand-differentiated calls."""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from manualgrad.torch_api.arithmetic import add, cat, dims_of, div, mean, mul, pow, sub, sum
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.linear import dot, matmul
from manualgrad.torch_api.movement import broadcast_tensors, flip
from manualgrad.torch_api.products import cumsum
from manualgrad.torch_api.statistics import std, var

T = Tensor

# Concatenation.


def _joined(at_least: Callable[..., Any], dim: Callable[[Tensor], int]) -> Callable[..., Any]:
    """Make a call that reshapes each tensor with `at_least` and concatenates them."""

    def stack(tensors: Sequence[Tensor]) -> Any:
        if not isinstance(tensors, (list, tuple)) or not tensors:
            return NotImplemented
        parts = [at_least(t) for t in tensors]
        return cat(parts, dim(parts[0]))

    return stack


hstack = answers(torch.hstack)(_joined(torch.atleast_1d, lambda t: 0 if t.dim() == 1 else 1))
vstack = answers(torch.vstack, torch.row_stack)(_joined(torch.atleast_2d, lambda t: 0))
dstack = answers(torch.dstack)(_joined(torch.atleast_3d, lambda t: 2))
column_stack = answers(torch.column_stack)(_joined(lambda t: t.reshape(t.numel(), 1) if t.dim() <= 1 else t, lambda t: 1))


@answers(torch.block_diag)
def block_diag(*tensors: Any) -> Any:
    """Arrange matrices along the diagonal: pad the rows of each with zeros on both sides, and concatenate them."""
    if not tensors or not all(isinstance(t, Tensor) and t.dim() <= 2 for t in tensors):
        return NotImplemented
    blocks = [torch.atleast_2d(t) for t in tensors]
    dtype = functools.reduce(torch.promote_types, [b.dtype for b in blocks])
    width, before, rows = builtins.sum(b.shape[1] for b in blocks), 0, []
    for b in blocks:
        n, m = b.shape
        rows.append(cat([b.new_zeros(n, before, dtype=dtype), b, b.new_zeros(n, width - before - m, dtype=dtype)], 1))
        before += m
    return cat(rows)


# Sums and products.


@answers(torch.var_mean)
def var_mean(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> Any:
    return _with_the_mean(var, input, dim, unbiased, keepdim, correction)


@answers(torch.std_mean)
def std_mean(input: Tensor, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *, correction: Any = None) -> Any:
    return _with_the_mean(std, input, dim, unbiased, keepdim, correction)


def _with_the_mean(spread: Any, x: Tensor, dim: Any, unbiased: Any, keepdim: bool, correction: Any) -> Any:
    s = spread(x, dim, unbiased, keepdim, correction=correction)
    m = mean(x, None if isinstance(dim, bool) else dim, keepdim)
    return NotImplemented if s is NotImplemented or m is NotImplemented else (s, m)


@answers(torch.diff, T.diff)
def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Compute x[i + 1] − x[i], n times."""
    dims = dims_of(input, dim)
    if not input.dim() or not isinstance(dim, int) or not dims or n < 0:
        return NotImplemented
    parts = [t for t in (prepend, input, append) if t is not None]
    x = cat(parts, dim) if n and len(parts) > 1 else input
    for _ in range(min(n, x.shape[dim])):
        x = sub(_but_the_first(x, dim), _but_the_last(x, dim))
    return x if n else input.clone()


@answers(torch.trapezoid, torch.trapz)
def trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Any:
    areas = _areas(y, x, dx, dim)
    return areas if areas is NotImplemented else sum(areas, dim)


@answers(torch.cumulative_trapezoid)
def cumulative_trapezoid(y: Tensor, x: Any = None, *, dx: Any = 1, dim: int = -1) -> Any:
    areas = _areas(y, x, dx, dim)
    return areas if areas is NotImplemented else cumsum(areas, dim)


def _areas(y: Tensor, x: Any, dx: Any, dim: Any) -> Any:
    """Compute the areas of the trapezoids between neighbours, at the points x or with spacing dx."""
    if not isinstance(dx, (int, float)) or not isinstance(dim, int) or not dims_of(y, dim) or not y.shape[dim]:
        return NotImplemented
    sums = add(_but_the_last(y, dim), _but_the_first(y, dim))
    if x is None:
        return mul(sums, dx / 2)
    if x.dim() == 1:
        x = x.reshape([len(x) if d == dim % y.dim() else 1 for d in range(y.dim())])
    elif x.dim() != y.dim() or dx != 1:
        return NotImplemented
    return div(mul(sub(_but_the_first(x, dim), _but_the_last(x, dim)), sums), 2)


def _but_the_first(x: Tensor, dim: int) -> Tensor:
    return x.narrow(dim, 1, x.shape[dim] - 1)


def _but_the_last(x: Tensor, dim: int) -> Tensor:
    return x.narrow(dim, 0, x.shape[dim] - 1)


@answers(torch.kron, T.kron)
def kron(input: Tensor, other: Tensor) -> Any:
    """Compute a[i] b[j] at index i n + j of each dimension, where b has size n."""
    n = max(input.dim(), other.dim())
    a, b = ([1] * (n - t.dim()) + list(t.shape) for t in (input, other))
    apart = mul(input.reshape([s for m in a for s in (m, 1)]), other.reshape([s for m in b for s in (1, m)]))
    return apart.reshape([r * s for r, s in zip(a, b, strict=True)])


@answers(torch.cov, T.cov)
def cov(input: Tensor, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Any:
    """Compute the covariance of the rows: sum the products of their deviations from the mean, divided by n − correction."""
    if fweights is not None or aweights is not None or input.dim() > 2 or input.numel() < 2:
        return NotImplemented
    x = input.reshape(1, -1) if input.dim() < 2 else input
    n = x.shape[1]
    if n <= correction:
        return NotImplemented
    x = sub(x, mean(x, 1, True))
    C = div(matmul(x, x.mT.conj()), n - correction)
    return C.squeeze() if len(x) == 1 else C


@answers(torch.vdot, T.vdot)
def vdot(input: Tensor, other: Tensor) -> Any:
    return dot(input.conj(), other)


@answers(torch.linalg.vecdot)
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Any:
    """Multiply rows by columns as matrices, as PyTorch does, so that autocast treats it as a matmul."""
    if not isinstance(dim, int) or x.dtype != y.dtype:
        return NotImplemented
    x, y = broadcast_tensors(x, y)
    rows, columns = x.conj().movedim(dim, -1).unsqueeze(-2), y.movedim(dim, -1).unsqueeze(-1)
    return matmul(rows, columns).squeeze(-1).squeeze(-1)


@answers(torch.float_power, T.float_power)
def float_power(input: Any, exponent: Any) -> Any:
    is_complex = any(isinstance(t, complex) or (isinstance(t, Tensor) and t.is_complex()) for t in (input, exponent))
    dtype = torch.complex128 if is_complex else torch.float64
    return pow(*(t.to(dtype) if isinstance(t, Tensor) else t for t in (input, exponent)))


@answers(torch.deg2rad, T.deg2rad)
def deg2rad(input: Tensor) -> Any:
    return mul(input, math.pi / 180)


@answers(torch.rad2deg, T.rad2deg)
def rad2deg(input: Tensor) -> Any:
    return mul(input, 180 / math.pi)


@answers(T.sum_to_size)
def sum_to_size(input: Tensor, *size: Any) -> Any:
    """Sum the input over the dimensions along which `size` would be broadcast to its shape."""
    shape = tuple(size[0]) if len(size) == 1 and isinstance(size[0], Sequence) else size
    new = input.dim() - len(shape)
    if new < 0 or any(n not in (1, m) for n, m in zip(shape, input.shape[new:], strict=True)):
        return NotImplemented
    if not shape:
        return sum(input)  # also for a 0-d input, as PyTorch does
    dims = [*range(new), *(d + new for d, n in enumerate(shape) if n == 1 != input.shape[d + new])]
    return sum(input, dims, True).reshape(shape) if dims else input


# Flips and rotations.


@answers(torch.fliplr, T.fliplr)
def fliplr(input: Tensor) -> Any:
    return flip(input, 1) if input.dim() > 1 else NotImplemented


@answers(torch.flipud, T.flipud)
def flipud(input: Tensor) -> Any:
    return flip(input, 0) if input.dim() else NotImplemented


@answers(torch.rot90, T.rot90)
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Any:
    """Rotate by k quarter turns: a half turn flips both dimensions, a quarter turn flips one and transposes."""
    if len(dims) != 2 or len(set(dims_of(input, dims) or ())) != 2:
        return NotImplemented
    first, second = dims
    if k % 4 == 0:
        return input.clone(memory_format=torch.contiguous_format)
    if k % 4 == 2:
        return flip(input, first, second)
    return flip(input, second if k % 4 == 1 else first).transpose(first, second)

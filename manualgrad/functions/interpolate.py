"""Interpolation: a line, a plane or a volume of numbers, resampled to more or fewer places.

Forward. Along one side of U places, each of the T new ones is a weighted sum of a few old ones: the nearest one (weight 1), its
two neighbors (linear), four (cubic), or more, if T < U and antialiasing widens the window:

    y_t = Σ_u M_ut x_u

The weights depend only on t, U and T (and on `align_corners`, and on the factor U : T, if one is given). Over several sides a
weight is the product of one weight per side, so the sides can be interpolated one after another.

The matrix M does not have to be derived separately. Let x be a unit vector, 1 at u and 0 elsewhere: then y_t = M_ut. So row u
of M is the interpolation of the unit vector u, and M is the interpolation of the identity matrix.

Backward. Let delta_t = ∂C/∂y_t. x_u reaches the cost through each y_t, with the factor M_ut:

    ∂C/∂x_u = Σ_t M_ut delta_t        that is delta Mᵀ, for one side after another

If y_t is x_u(t), the nearest, M is 1 at u(t) and 0 elsewhere: ∂C/∂x_u is the sum of the delta_t with u(t) = u. Interpolating
the numbers 0, ..., U − 1 gives the places u(t). If T is a multiple of U, the t of one u are adjacent.

Forward mode. y is linear in x: dy is the interpolation of dx.

Shapes: x and ∂C/∂x [N, C, U_1, ..., U_n], with n = 1, 2 or 3; y and delta [N, C, T_1, ..., T_n]; a side's M [U, T].
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.pooling._channels_last import channels_are_last, with_channels_last

__all__ = ["InterpolateFunction"]

_NN: Any = torch._C._nn
_OPERATORS: dict[str, dict[int, Any]] = {
    "nearest": {1: _NN.upsample_nearest1d, 2: _NN.upsample_nearest2d, 3: _NN.upsample_nearest3d},
    "nearest-exact": {1: _NN._upsample_nearest_exact1d, 2: _NN._upsample_nearest_exact2d, 3: _NN._upsample_nearest_exact3d},
    "linear": {1: _NN.upsample_linear1d, 2: _NN.upsample_bilinear2d, 3: _NN.upsample_trilinear3d},
    "cubic": {2: _NN.upsample_bicubic2d},
    "linear, antialiased": {2: _NN._upsample_bilinear2d_aa},
    "cubic, antialiased": {2: _NN._upsample_bicubic2d_aa},
    "lanczos, antialiased": {2: getattr(_NN, "_upsample_lanczos2d_aa", None)},
}
_NEAREST = ("nearest", "nearest-exact")
_SLICES = 32  # up to this factor, PyTorch's floating-point u(t) was found to equal ⌊t U / T⌋


class InterpolateFunction(Function):
    """Interpolated y; `InterpolateFunction.apply(x, mode, T, factors, align_corners)`.

    T or factors has n numbers; the other is None.
    """

    autocast = {"cuda": "float32"}  # noqa: RUF012

    @staticmethod
    def forward(
        x: Tensor, mode: str, T: Sequence[int] | None, factors: Sequence[float] | None, align_corners: bool | None
    ) -> Tensor:
        operator = _OPERATORS[mode][x.dim() - 2]
        y: Tensor = operator(x, T, factors) if mode in _NEAREST else operator(x, T, align_corners, factors)
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ctx.mode, ctx.T, ctx.factors, ctx.align_corners = inputs
        ctx.U, ctx.dtype = x.shape[2:], x.dtype

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        dC_dx = upcast_half(delta)
        for dim, U in enumerate(ctx.U, 2):
            side = _Side(ctx.mode, U, delta.shape[dim], ctx.factors and ctx.factors[dim - 2], ctx.align_corners)
            if ctx.mode in _NEAREST:
                dC_dx = _along(dim, dC_dx, _added_up, side)
            else:
                dC_dx = _along(dim, dC_dx, _times, _weights(side, dC_dx).mT)
        return dC_dx.to(ctx.dtype), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> Tensor:
        return InterpolateFunction.forward(dx, ctx.mode, ctx.T, ctx.factors, ctx.align_corners)


class _Side(NamedTuple):
    """One side, interpolated from U places to T."""

    mode: str
    U: int
    T: int
    factor: float | None
    align_corners: bool | None

    def of(self, lines: Tensor) -> Tensor:
        """Interpolate lines [n, U] to [n, T]."""
        n = 1 if self.mode in (*_NEAREST, "linear") else 2
        ones = [1] * (n - 1)  # the plane's other side, which stays the same
        T, factors = ([*ones, self.T], None) if self.factor is None else (None, [*map(float, ones), self.factor])
        y = InterpolateFunction.forward(
            lines.reshape(1, lines.shape[0], *ones, self.U), self.mode, T, factors, self.align_corners
        )
        return y.reshape(lines.shape[0], self.T)


def _weights(side: _Side, like: Tensor) -> Tensor:
    """Return M [U, T], the interpolation of the identity matrix."""
    return side.of(torch.eye(side.U, dtype=like.dtype, device=like.device))


def _along(dim: int, t: Tensor, formula: Callable[[Tensor, int, Any], Tensor], other: Any) -> Tensor:
    """Compute formula(t, dim, other) in the memory format of t."""
    if channels_are_last(t, t.dim() - 2):
        return with_channels_last(lambda t: formula(t, dim - 1, other), t)
    return formula(t, dim, other)


def _times(t: Tensor, dim: int, A: Tensor) -> Tensor:
    """Multiply a dimension of t by A [T, U], from T to U places."""
    before, behind = t.shape[:dim], t.shape[dim + 1 :]
    if not behind:
        return t @ A
    return (A.mT @ t.reshape(math.prod(before), A.shape[0], math.prod(behind))).reshape(*before, A.shape[1], *behind)


def _added_up(t: Tensor, dim: int, side: _Side) -> Tensor:
    """Sum, along a dimension, those of the T numbers that come from the same one of the U places."""
    k = side.T // max(side.U, 1)
    if k * side.U == side.T and k <= _SLICES and side.factor in (None, k):
        slices = [t[(slice(None),) * dim + (slice(j, None, k),)] for j in range(k)]
        return functools.reduce(torch.add, slices)
    u = side.of(torch.arange(side.U, dtype=torch.float32, device=t.device)[None])[0].long()
    shape = (*t.shape[:dim], side.U, *t.shape[dim + 1 :])
    return t.new_zeros(shape).index_add(dim, u, t)

"""The averages of T windows that cover a line, a plane or a volume of any size.

Forward. Along one side of U places, window t of T holds the places

    u = ⌊t U / T⌋, ..., ⌈(t + 1) U / T⌉ − 1,        N_t of them,        y_t = Σ_(u in window t) x_u / N_t

Over several sides, a window is the product of one interval per side, and N_t is the product of their lengths.

Backward. Let delta_t = ∂C/∂y_t. x_u occurs, with the factor 1/N_t, in each y_t whose window holds u:

    ∂C/∂x_u = Σ_(t: u in window t) delta_t / N_t

u is in window t where t U / T < u + 1 and u < (t + 1) U / T. Solved for t: u T / U < t + 1 and t < (u + 1) T / U. So these t
are the places of window u, where U windows cover T places. With N'_u the number of them,

    ∂C/∂x = N' · adaptive average of (delta / N) over U windows

If T divides U, each x_u is in only one window, and delta / N is repeated over each window.

Forward mode. y is linear in x: dy is the adaptive average of dx.

Shapes: x and ∂C/∂x [..., U_1, ..., U_n], with n = 2 or 3; y and delta [..., T_1, ..., T_n].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions.pooling._channels_last import repeated

__all__ = ["AdaptiveAvgPoolFunction"]

_ADAPTIVE_AVG_POOL: dict[int, Any] = {2: torch._C._nn.adaptive_avg_pool2d, 3: torch._C._nn.adaptive_avg_pool3d}


class AdaptiveAvgPoolFunction(Function):
    """y; `AdaptiveAvgPoolFunction.apply(x, T)`, with T a list of n integers."""

    constant_slope = True

    @staticmethod
    def forward(x: Tensor, T: Sequence[int]) -> Tensor:
        y: Tensor = _ADAPTIVE_AVG_POOL[len(T)](x, T)
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Sequence[int]], output: Tensor) -> None:
        x, ctx.T = inputs
        ctx.U = x.shape[-len(ctx.T) :]
        if any(t != 1 for t in ctx.T):
            ctx.save_for_backward(x)  # like PyTorch, for constant_slope; for a mean over all places, it saves nothing

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor, None]:
        T, U = ctx.T, ctx.U
        if all(t and u % t == 0 for t, u in zip(T, U, strict=True)):
            sides = [u // t for t, u in zip(T, U, strict=True)]
            return repeated(delta / torch.Size(sides).numel(), sides), None
        if 0 in T:
            return delta.new_zeros(*delta.shape[: -len(T)], *U), None
        averages = AdaptiveAvgPoolFunction.forward(delta / _lengths(U, T, delta), U)
        return _lengths(T, U, delta) * averages, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, _: None) -> Tensor:
        return AdaptiveAvgPoolFunction.forward(dx, ctx.T)


def _lengths(U: Sequence[int], T: Sequence[int], like: Tensor) -> Tensor:
    """Return N [T_1, ..., T_n], the numbers of places in T windows that cover U."""
    N = torch.ones((), dtype=like.dtype, device=like.device)
    for places, windows in zip(U, T, strict=True):
        t = torch.arange(windows, device=like.device)
        N = N.unsqueeze(-1) * (-((t + 1) * -places // windows) - t * places // windows)
    return N

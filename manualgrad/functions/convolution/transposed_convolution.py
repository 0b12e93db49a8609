"""The transposed convolution, which spreads each input x over the places of a kernel K: the input gradient of convolution.py,
as a layer.

Forward. n counts the examples, c the input channels and o the output channels; p is a place of the input, k one of the kernel
and u one of the output, each a tuple with one number per dimension. With stride s, dilation d and padding P:

    y[n,o,u] = Σ_c Σ_(p,k: s p + d k − P = u) K[c,o,k] x[n,c,p] + b[o]

Backward. Let delta[n,o,u] = ∂C/∂y[n,o,u]. x[n,c,p] occurs in the y[n,o,u] at u = s p + d k − P, for every o and k; K[c,o,k]
occurs in the same ones, for every n and p:

    ∂C/∂x[n,c,p] = Σ_o Σ_k K[c,o,k] delta[n,o, s p + d k − P]             the convolution of delta by K
    ∂C/∂K[c,o,k] = Σ_n Σ_p x[n,c,p] delta[n,o, s p + d k − P]             see _kernel_gradient.py
    ∂C/∂b[o]     = Σ_n Σ_u delta[n,o,u]

The output padding adds places u at the end. If it is at least the stride, the convolution of delta goes beyond the last place
of x, and the excess is cut off.

With groups, o and c count within a group, and each group is a separate transposed convolution.

Forward mode. y is linear in (x, b) and in (K, b): dy is the transposed convolution of dx with K, plus that of x with dK, plus
db.

Complex numbers: the backward conjugates x and K (see linear.py).

Shapes: x and ∂C/∂x [N, C, *places]; K and ∂C/∂K [C, O / groups, *kernel]; b and ∂C/∂b [O] or None; y and delta [N, O, *spread],
where in each dimension `spread = (places − 1) s − 2 P + d (kernel − 1) + output padding + 1`.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions.convolution._kernel_gradient import convolve, kernel_gradient, spread

__all__ = ["TransposedConvolutionFunction"]


class TransposedConvolutionFunction(Function):
    """`TransposedConvolutionFunction.apply(x, K, b, stride, padding, output_padding, groups, dilation)`, where b may be None.

    stride, padding, output_padding and dilation are tuples with one number per dimension.
    """

    autocast = "lower"

    @staticmethod
    def forward(
        x: Tensor, K: Tensor, b: Tensor | None, stride: Any, padding: Any, output_padding: Any, groups: int, dilation: Any
    ) -> Tensor:
        return spread(x, K, b, stride, padding, output_padding, groups, dilation)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        x, K, _, *ctx.geometry = inputs
        ctx.places, ctx.kernel = tuple(x.shape[2:]), tuple(K.shape[2:])
        x_needs_grad, K_needs_grad, *_ = ctx.needs_input_grad
        ctx.save_for_backward(x if K_needs_grad else None, K if x_needs_grad else None)
        ctx.save_for_forward(x, K)

    @staticmethod
    def backward(ctx: Any, delta: Tensor) -> tuple[Tensor | None, ...]:
        x, K = ctx.saved_tensors
        stride, padding, _, groups, dilation = ctx.geometry
        x_needs_grad, K_needs_grad, b_needs_grad, *_ = ctx.needs_input_grad
        dC_dx = dC_dK = dC_db = None
        if x_needs_grad:
            dC_dx = convolve(delta, K.conj(), None, stride, padding, dilation, groups)
            for dim, places in enumerate(ctx.places, 2):
                dC_dx = dC_dx.narrow(dim, 0, places)
        if K_needs_grad:
            dC_dK = kernel_gradient(delta, x.conj(), ctx.kernel, stride, padding, dilation, groups)
        if b_needs_grad:
            dC_db = delta.sum([0, *range(2, delta.dim())])
        return dC_dx, dC_dK, dC_db, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dK: Tensor | None, db: Tensor | None, *_: None) -> Tensor:
        x, K = ctx.saved_tensors
        terms = [] if dx is None else [spread(dx, K, None, *ctx.geometry)]
        terms += [] if dK is None else [spread(x, dK, None, *ctx.geometry)]
        dy = sum(terms[1:], terms[0])
        return dy if db is None else dy + db.reshape(-1, *[1] * (dy.dim() - 2))

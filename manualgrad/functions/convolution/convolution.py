"""The convolution of the input x with a kernel K, in any number of dimensions: y = x ∗ K + b.

Forward. n counts the examples, o the output channels and c the input channels; p is a place of the output and k one of the
kernel, each a tuple with one number per dimension. With stride s, dilation d and zero padding P:

    y[n,o,p] = Σ_c Σ_k K[o,c,k] x[n,c, s p + d k − P] + b[o]

Backward. Let delta[n,o,p] = ∂C/∂y[n,o,p]. x[n,c,u] occurs in each y[n,o,p] whose kernel covers it with some place k:

    ∂C/∂x[n,c,u] = Σ_o Σ_(p,k: s p + d k − P = u) K[o,c,k] delta[n,o,p]

This spreads each delta over the places that its kernel covered, and is called a transposed convolution. With a stride, the
kernel may not reach the last few places of x. Their number, `rest`, is passed to the transposed convolution as output padding.

K[o,c,k] occurs in y[n,o,p] for every example n and place p, and so does b[o]:

    ∂C/∂K[o,c,k] = Σ_n Σ_p delta[n,o,p] x[n,c, s p + d k − P]             again a convolution: see _kernel_gradient.py
    ∂C/∂b[o]     = Σ_n Σ_p delta[n,o,p]

With groups, o and c count within a group, and each group is a separate convolution.

Forward mode. y is linear in (x, b) and in (K, b), so by the product rule dy = dx ∗ K + x ∗ dK + db.

Complex numbers: the backward conjugates x and K (see linear.py).

Shapes: x and ∂C/∂x [N, C, *places]; K and ∂C/∂K [O, C / groups, *kernel]; b and ∂C/∂b [O] or None; y and delta [N, O, *stops],
where in each dimension `stops = (places + 2 P − d (kernel − 1) − 1) // s + 1`.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions.convolution._kernel_gradient import convolve, kernel_gradient, spread

__all__ = ["ConvolutionFunction"]


class ConvolutionFunction(Function):
    """x ∗ K + b; `ConvolutionFunction.apply(x, K, b, stride, padding, dilation, groups)`, where b may be None.

    stride, padding and dilation are tuples with one number per dimension.
    """

    autocast = "lower"

    @staticmethod
    def forward(x: Tensor, K: Tensor, b: Tensor | None, stride: Any, padding: Any, dilation: Any, groups: int) -> Tensor:
        return convolve(x, K, b, stride, padding, dilation, groups)

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
        stride, padding, dilation, groups = ctx.geometry
        x_needs_grad, K_needs_grad, b_needs_grad, *_ = ctx.needs_input_grad
        dC_dx = dC_dK = dC_db = None
        if x_needs_grad:
            rest = _rest(ctx.places, ctx.kernel, stride, padding, dilation)
            dC_dx = spread(delta, K.conj(), None, stride, padding, rest, groups, dilation)
        if K_needs_grad:
            dC_dK = kernel_gradient(x.conj(), delta, ctx.kernel, stride, padding, dilation, groups)
        if b_needs_grad:
            dC_db = delta.sum([0, *range(2, delta.dim())])
        return dC_dx, dC_dK, dC_db, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dK: Tensor | None, db: Tensor | None, *_: None) -> Tensor:
        x, K = ctx.saved_tensors
        terms = [] if dx is None else [convolve(dx, K, None, *ctx.geometry)]
        terms += [] if dK is None else [convolve(x, dK, None, *ctx.geometry)]
        dy = sum(terms[1:], terms[0])
        return dy if db is None else dy + db.reshape(-1, *[1] * (dy.dim() - 2))


def _rest(places: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> tuple[int, ...]:
    """Return the number of places of x, in each dimension, beyond the last that the kernel reaches."""
    sizes = zip(places, kernel, stride, padding, dilation, strict=True)
    return tuple([(u + 2 * P - d * (k - 1) - 1) % s for u, k, s, P, d in sizes])

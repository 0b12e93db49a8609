"""Losses of an input a against a target y, element by element: ℓ(a, y), defined by its two partial derivatives.

With g = ∂C/∂ℓ,

    ∂C/∂a = ∂ℓ/∂a · g        ∂C/∂y = ∂ℓ/∂y · g        dℓ = ∂ℓ/∂a da + ∂ℓ/∂y dy

Shapes: a, y, ℓ, g and the gradients have the same shape, which is arbitrary. Sum and mean are separate functions
(arithmetic/sums.py).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._chunked import in_one_pass
from manualgrad.functions._tensor_meta import TensorMeta, unbroadcast_to
from manualgrad.functions._upcast import upcast_half

__all__ = ["LossOfPairs", "batched_alike"]


class LossOfPairs(Function):
    """Base class of these losses. A subclass defines `forward(a, y, *numbers)`, and `dl_da` and `dl_dy` with these arguments.

    If `dl_da` does not depend on a, it names its first argument `_`, and a is saved only for the gradient of y.
    """

    autocast = "float32"
    dl_da: ClassVar[Callable[..., Tensor]]
    dl_dy: ClassVar[Callable[..., Tensor]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        dl_da, dl_dy = cls.dl_da, cls.dl_dy
        dl_da_is_of_a = next(iter(inspect.signature(dl_da).parameters)) != "_"

        def g_dl_da(g: Tensor, a: Tensor, y: Tensor, *numbers: Any) -> Tensor:
            return upcast_half(g) * dl_da(upcast_half(a), upcast_half(y), *numbers).conj()

        def g_dl_dy(g: Tensor, a: Tensor, y: Tensor, *numbers: Any) -> Tensor:
            return upcast_half(g) * dl_dy(upcast_half(a), upcast_half(y), *numbers).conj()

        for formula in (g_dl_da, g_dl_dy):  # their kernels' names
            formula.__module__, formula.__qualname__ = cls.__module__, f"{cls.__qualname__}.{formula.__name__}"

        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
            a, y, *ctx.numbers = inputs
            ctx.set_materialize_grads(False)  # a tangent of 0 would give 0 · ∞ where a derivative is infinite
            ctx.a, ctx.y, ctx.dtype = TensorMeta(a.shape, a.dtype), TensorMeta(y.shape, y.dtype), output.dtype
            ctx.save_for_backward(a if dl_da_is_of_a or ctx.needs_input_grad[1] else None, y)
            ctx.save_for_forward(a, y)

        def backward(ctx: Any, g: Tensor | None) -> tuple[Tensor | None, ...]:
            if g is None:
                return None, None, *[None] * len(ctx.numbers)
            a, y = ctx.saved_tensors
            a_needs_grad, y_needs_grad, *_ = ctx.needs_input_grad
            a = y if a is None else a  # which dl_da does not depend on
            dC_da = unbroadcast_to(in_one_pass(g_dl_da, (g, a, y), *ctx.numbers), ctx.a) if a_needs_grad else None
            dC_dy = unbroadcast_to(in_one_pass(g_dl_dy, (g, a, y), *ctx.numbers), ctx.y) if y_needs_grad else None
            return dC_da, dC_dy, *[None] * len(ctx.numbers)

        def jvp(ctx: Any, da: Tensor | None, dy: Tensor | None, *_: None) -> Tensor:
            a, y = (upcast_half(t) for t in ctx.saved_tensors)
            terms = [] if da is None else [dl_da(a, y, *ctx.numbers) * da]
            terms += [] if dy is None else [dl_dy(a, y, *ctx.numbers) * dy]
            return sum(terms[1:], terms[0]).to(ctx.dtype)

        for method in (setup_context, backward, jvp):
            setattr(cls, method.__name__, staticmethod(method))
        super().__init_subclass__(**kwargs)


def batched_alike(a: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return a and y, each with the batch dimensions of the other under torch.func.

    PyTorch's rules for mse_loss and similar losses raise under two nested vmaps if one of them does not batch both a and y
    (seen in 2.14.1; no issue known).
    """
    return a + torch.zeros_like(y), y + torch.zeros_like(a)

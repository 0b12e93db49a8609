"""Cross entropy of the distribution p = softmax(x) over K classes against a target distribution.

Forward, for examples n and classes k. The target is a distribution q_n, or one class y_n with q_nk = [k = y_n]. Label smoothing
by ε mixes it with the uniform distribution, and each class has a weight w_k:

    q'_nk = w_k ((1 − ε) q_nk + ε/K)
    l_nk  = log p_nk = x_nk − s_n,   s_n = log Σ_k e^(x_nk)
    C_n   = −Σ_k q'_nk l_nk                        0 where the class y_n is ignored; reduction "none" returns these
    C     = Σ_n C_n / N                            N = 1 for "sum"; for "mean" the number of n, or, with classes, Σ_n w_(y_n)
                                                   over those that are not ignored

Backward, with g_n = ∂(the final cost)/∂C_n, which is g/N for a sum or a mean. With ∂s_n/∂x_nk = p_nk (see softmax.py) and
Q_n = Σ_k q'_nk:

    C_n        = Q_n s_n − Σ_k q'_nk x_nk
    ∂C_n/∂x_nk = p_nk Q_n − q'_nk                  for one class, unweighted: p_nk − [k = y_n]
    ∂C_n/∂q_nk = −w_k (1 − ε) l_nk
    ∂C_n/∂w_k  = −((1 − ε) q_nk + ε/K) l_nk        if the target is a distribution q

If p_y is near 1, p_y − 1 would lose its digits by cancellation; since all p add up to 1, it is computed as −Σ_(k≠y) p_k.

x is saved instead of p: s, one number for each n, is an output, too, and p = e^(x − s). The gradient of s reaches x with the
factor p. PyTorch saves l, so x may change in place before the backward. To allow this here, the call copies x, which takes as
much memory as l.

Forward mode: ds_n = Σ_k p_nk dx_nk, and with dq'_nk = w_k (1 − ε) dq_nk + ((1 − ε) q_nk + ε/K) dw_k,

    dC_n = Σ_k [q'_nk (ds_n − dx_nk) − dq'_nk l_nk]

Shapes: x, q and l [N, K, ...]; y and C_n [N, ...]; w [K]; s [N, 1, ...]. n runs over N and the dimensions after K.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._chunked import in_parts, plain, rows, to_rows
from manualgrad.functions._tensor_meta import tensor_meta, unbroadcast_to
from manualgrad.functions._upcast import upcast_half
from manualgrad.functions.losses._classes import classes, nll_loss, total

__all__ = ["ClassCrossEntropyFunction", "CrossEntropyFunction"]


class ClassCrossEntropyFunction(Function):
    """C and s for classes y; `ClassCrossEntropyFunction.apply(x, y, w, epsilon, ignored, reduction)`, w a Tensor or None."""

    autocast = "float32"

    @staticmethod
    def forward(x: Tensor, y: Tensor, w: Tensor | None, epsilon: float, ignored: int, reduction: str) -> tuple[Tensor, Tensor]:
        if not epsilon and not in_parts((x, y)):
            l, s = _l_and_s(x)
            return nll_loss(l, y, None if w is None else w.to(l.dtype), ignored, reduction).to(x.dtype), s
        C, s, *even = to_rows(_of_class, (x, y), w, ignored, bool(epsilon))
        if epsilon:
            C = (1 - epsilon) * C + epsilon / x.shape[1] * even[0]
        C = _reduced(C, reduction, lambda: total(y == ignored, None if w is None else classes(y, w, ignored)[2]))
        return C.to(x.dtype), s

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, y, w, ctx.epsilon, ctx.ignored, ctx.reduction = inputs
        _, s = output
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, y, w, s)
        ctx.save_for_forward(x, y, w, s)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, g_s: Tensor | None) -> tuple[Tensor | None, ...]:
        x, y, w, s = ctx.saved_tensors
        y, is_ignored, w_y = classes(y, w, ctx.ignored)
        g_n = torch.where(is_ignored, 0, _g_n(g, s, ctx.reduction, lambda: total(is_ignored, w_y)))
        of_class = g_n if w_y is None else w_y * g_n
        if g_s is None and not ctx.epsilon:
            return rows(_p_minus_class, (x, s, y, of_class)), None, None, None, None, None
        of_class, of_each = (1 - ctx.epsilon) * of_class, ctx.epsilon / x.shape[1] * g_n
        of_p = of_each * (x.shape[1] if w is None else w.sum()) + (0 if g_s is None else g_s)
        return rows(_p_minus_class_and, (x, s, y, of_class, of_p, of_each), w), None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor, *_: None) -> tuple[Tensor, Tensor]:
        x, y, w, s = ctx.saved_tensors
        y, is_ignored, w_y = classes(y, w, ctx.ignored)
        dx, p = upcast_half(dx), torch.exp(upcast_half(x) - s)
        ds = (p * dx).sum(1, keepdim=True)
        dC = ds - dx.gather(1, y)
        if w_y is not None:
            dC = w_y * dC
        if ctx.epsilon:
            of_each = ds - dx if w is None else _of_classes(w, x) * (ds - dx)
            dC = (1 - ctx.epsilon) * dC + ctx.epsilon / x.shape[1] * of_each.sum(1, keepdim=True)
        dC = _reduced(dC.masked_fill(is_ignored, 0).squeeze(1), ctx.reduction, lambda: total(is_ignored, w_y))
        return dC.to(x.dtype), ds


class CrossEntropyFunction(Function):
    """C and s for distributions q; `CrossEntropyFunction.apply(x, q, w, epsilon, reduction)`, with w a Tensor or None."""

    autocast = "float32"

    @staticmethod
    def forward(x: Tensor, q: Tensor, w: Tensor | None, epsilon: float, reduction: str) -> tuple[Tensor, Tensor]:
        C, s = to_rows(_of_distribution, (x, q), w, epsilon)
        return _reduced(C.squeeze(1), reduction, s.numel).to(_dtype(x, q, w)), s

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        x, q, w, ctx.epsilon, ctx.reduction = inputs
        _, s = output
        ctx.set_materialize_grads(False)
        ctx.q = tensor_meta(q)
        x_needs_grad, _, w_needs_grad, *_ = ctx.needs_input_grad
        ctx.save_for_backward(x, q if x_needs_grad or w_needs_grad else None, w, s)
        ctx.save_for_forward(x, q, w, s)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, g_s: Tensor | None) -> tuple[Tensor | None, ...]:
        x, q, w, s = ctx.saved_tensors
        x_needs_grad, q_needs_grad, w_needs_grad, *_ = ctx.needs_input_grad
        g_n = _g_n(g, s, ctx.reduction, lambda: max(s.numel(), 1)).expand(s.shape)
        dC_dx = dC_dq = dC_dw = None
        if x_needs_grad:
            dC_dx = rows(_pQ_minus_q, (x, q, s, g_n, torch.zeros_like(s) if g_s is None else g_s), w, ctx.epsilon)
        if q_needs_grad:
            dC_dq = unbroadcast_to(-(1 - ctx.epsilon) * g_n * _weighted(upcast_half(x) - s, w), ctx.q)
        if w_needs_grad:
            of_each = -g_n * _smooth(upcast_half(q), ctx.epsilon) * (upcast_half(x) - s)
            dC_dw = of_each.transpose(0, 1).flatten(1).sum(1).to(w.dtype)
        return dC_dx, dC_dq, dC_dw, None, None

    @staticmethod
    def jvp(ctx: Any, dx: Tensor | None, dq: Tensor | None, dw: Tensor | None, *_: None) -> tuple[Tensor, Tensor]:
        x, q, w, s = ctx.saved_tensors
        l, q_smooth = upcast_half(x) - s, _smooth(upcast_half(q), ctx.epsilon)
        dx = torch.zeros_like(l) if dx is None else upcast_half(dx)
        ds = (l.exp() * dx).sum(1, keepdim=True)
        dC_nk = _weighted(q_smooth, w) * (ds - dx)
        if dq is not None:
            dC_nk = dC_nk - (1 - ctx.epsilon) * _weighted(upcast_half(dq), w) * l
        if dw is not None:
            dC_nk = dC_nk - _weighted(q_smooth, dw) * l
        return _reduced(dC_nk.sum(1), ctx.reduction, lambda: max(s.numel(), 1)).to(_dtype(x, q, w)), ds


# Formulas for a chunk of the examples.


def _of_class(x: Tensor, y: Tensor, w: Tensor | None, ignored: int, evenly: bool) -> tuple[Tensor, ...]:
    """Return −w l of the class, s and, if `evenly`, −Σ w l; both losses are 0 where the class is ignored."""
    l, s = _l_and_s(x)
    of_class = nll_loss(l, y, None if w is None else w.to(l.dtype), ignored, "none")
    return (of_class, s, -_weighted(l, w).sum(1).masked_fill(y == ignored, 0)) if evenly else (of_class, s)


def _of_distribution(x: Tensor, q: Tensor, w: Tensor | None, epsilon: float) -> tuple[Tensor, Tensor]:
    """Return −Σ q' l and s."""
    l, s = _l_and_s(x)
    return -(_weighted(_smooth(upcast_half(q), epsilon), w) * l).sum(1, keepdim=True), s


def _l_and_s(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return l and s = x − l, taken at the largest x, since smaller x may be infinite."""
    x = upcast_half(x)
    l = torch.log_softmax(x, 1)
    return l, x.amax(1, keepdim=True) - l.amax(1, keepdim=True)


def _p_minus_class(x: Tensor, s: Tensor, y: Tensor, t: Tensor, *, out: Tensor | None) -> Tensor:
    """Compute t (p − [k = y])."""
    put = _put(x)
    p = put(torch.exp(upcast_half(x) - s), y, 0)  # only the other classes
    return torch.mul(put(p, y, -p.sum(1, keepdim=True)), t, out=out).to(x.dtype)


def _p_minus_class_and(
    x: Tensor, s: Tensor, y: Tensor, t: Tensor, u: Tensor, v: Tensor, w: Tensor | None, *, out: Tensor | None
) -> Tensor:
    """Compute t (p − [k = y]) + u p − v w."""
    put = _put(x)
    p = put(torch.exp(upcast_half(x) - s), y, 0)
    of_y = u * torch.exp(upcast_half(x.gather(1, y)) - s) - t * p.sum(1, keepdim=True)
    return torch.sub(put(p * (t + u), y, of_y), _weighted(v, w), out=out).to(x.dtype)


def _pQ_minus_q(
    x: Tensor, q: Tensor, s: Tensor, g_n: Tensor, g_s: Tensor, w: Tensor | None, epsilon: float, *, out: Tensor | None
) -> Tensor:
    """Compute g_n (p Q − q') + g_s p."""
    q = g_n * _weighted(_smooth(upcast_half(q), epsilon), w)
    return torch.sub(torch.exp(upcast_half(x) - s) * (q.sum(1, keepdim=True) + g_s), q, out=out).to(x.dtype)


def _put(x: Tensor) -> Callable[..., Tensor]:
    """Return put(p, y, value), which sets p at the class y to the value; in place if nothing is recorded or transformed."""
    return _put_in_place if plain(x) else _put_by_comparing


def _put_in_place(p: Tensor, y: Tensor, value: Tensor | int) -> Tensor:
    return p.scatter_(1, y, value)


def _put_by_comparing(p: Tensor, y: Tensor, value: Tensor | int) -> Tensor:
    """Select element by element, so that a compiler fuses this with the operations around it."""
    return torch.where(_of_classes(torch.arange(p.shape[1], device=p.device), p) == y, value, p)


# Helpers.


def _of_classes(w: Tensor, x: Tensor) -> Tensor:
    """Reshape w to broadcast along dimension 1 of x."""
    return w.view(-1, *[1] * (x.dim() - 2))


def _weighted(t: Tensor, w: Tensor | None) -> Tensor:
    return t if w is None else _of_classes(w, t) * t


def _smooth(q: Tensor, epsilon: float) -> Tensor:
    return (1 - epsilon) * q + epsilon / q.shape[1] if epsilon else q


def _reduced(C: Tensor, reduction: str, N: Callable[[], Any]) -> Tensor:
    """Return C_n, their sum, or, for "mean", their sum divided by N."""
    if reduction == "mean":
        return C.sum() / N()
    return C.sum() if reduction == "sum" else C


def _g_n(g: Tensor | None, s: Tensor, reduction: str, N: Callable[[], Any]) -> Tensor:
    """Return the gradient of each C_n, as [N, 1, ...] or a single number."""
    if g is None:
        return s.new_zeros(())
    if reduction == "mean":
        return upcast_half(g) / N()
    return upcast_half(g) if reduction == "sum" else upcast_half(g).unsqueeze(1)


def _dtype(*tensors: Tensor | None) -> torch.dtype:
    """Return the dtype to which all the tensors promote."""
    first, *others = [t.dtype for t in tensors if t is not None]
    for other in others:
        first = torch.promote_types(first, other)
    return first

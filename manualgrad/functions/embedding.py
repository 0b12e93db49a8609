"""Rows of a table: one for each index, or the sum, mean or maximum over a bag of indices.

The table has rows r, and the indices i_k each select one of them. Forward:

    y_k = W_(i_k)                                        embedding
    y_b = Σ_(k in bag b) a_k W_(i_k)                     embedding_bag
    y_be = max over k in bag b of W_(i_k)e = W_(r_be)e   for each column e, r_be being the first row that has it

For a sum, a_k = w_k, or 1 if no weights w are given; for a mean, a_k = 1/n_b, where n_b is the number of rows in the bag.

Backward. A row occurs once for each k that selects it: sum over these paths. With g = ∂C/∂y, and b(k) the bag of k:

    ∂C/∂W_r = Σ_(k: i_k = r) g_k                         embedding
    ∂C/∂W_r = Σ_(k: i_k = r) a_k g_b(k)                  embedding_bag; w_k occurs in y_b(k) alone:
    ∂C/∂w_k = Σ_e W_(i_k)e g_b(k)e
    ∂C/∂W_re = Σ_(b: r_be = r) g_be                      the maximum

Indices of one row, the padding, get no gradient and do not count in a bag: a_k = 0. With `by_frequency` the sum over k is
divided by the number of its terms. A sparse gradient stores each g_k with its i_k, instead of the sums.

Forward mode: y is linear in W and in w, so the same formulas apply to dW and dw. For the maximum, dy_be = dW_(r_be)e.

Shapes: W [rows, m]; for the embedding, i [...], y and g [..., m]; for bags, i and w [n], y and g [bags, m].
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._upcast import upcast_half

__all__ = ["EmbeddingBagFunction", "EmbeddingFunction"]

_MEAN, _MAX = 1, 2  # PyTorch's codes; 0 is the sum

_transforms_are_active = torch._C._are_functorch_transforms_active


class EmbeddingFunction(Function):
    """Embedding y; `EmbeddingFunction.apply(W, i, padding, by_frequency, sparse)`, with padding −1 for none."""

    @staticmethod
    def forward(W: Tensor, i: Tensor, padding: int, by_frequency: bool, sparse: bool) -> Tensor:
        return torch.embedding(W, i)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int, bool, bool], output: Tensor) -> None:
        W, i, *ctx.how = inputs
        ctx.rows = W.shape[0]
        ctx.save_for_backward(i)
        ctx.save_for_forward(i)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None, None]:
        (i,) = ctx.saved_tensors
        g_k = g.reshape(i.numel(), g.shape[-1])
        return _summed(g_k, i.reshape(-1), ctx.rows, g.dtype, *ctx.how), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dW: Tensor, *_: None) -> Tensor:
        (i,) = ctx.saved_tensors
        return torch.embedding(dW, i)


class EmbeddingBagFunction(Function):
    """y, b(k), n_b and r_be; `EmbeddingBagFunction.apply(W, i, first, w, mode, has_end, padding, by_frequency, sparse)`.

    first [bags] has the first k of each bag, and one more entry with `has_end`; w is a Tensor or None; mode is 0 for the sum,
    1 for the mean, 2 for the maximum. Only the maximum has r_be; the other modes return n_b in its place.
    """

    @staticmethod
    def forward(
        W: Tensor,
        i: Tensor,
        first: Tensor,
        w: Tensor | None,
        mode: int,
        has_end: bool,
        padding: int,
        by_frequency: bool,
        sparse: bool,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if mode == _MAX:
            y, _, _, r = torch.embedding_bag(W, i, first, False, mode, False, w, has_end, None if padding < 0 else padding)
            return y, *_bags(i, first, has_end, padding), r.clamp(min=0)  # on CUDA, an empty bag has −1
        b, n = _bags(i, first, has_end, padding)
        if _transforms_are_active():  # torch.embedding_bag cannot be vmapped
            y = _added_up(W, w, i, b, n, mode, padding)
        else:
            y = torch.embedding_bag(W, i, first, False, mode, False, w, has_end, None if padding < 0 else padding)[0]
        return y, b, n, n.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
        W, i, _, w, ctx.mode, _, *ctx.how = inputs
        _, b, n, r = output
        ctx.mark_non_differentiable(b, n, r)
        ctx.set_materialize_grads(False)
        ctx.rows = W.shape[0]
        ctx.save_for_backward(W if ctx.needs_input_grad[3] else None, i, w, b, n, r)
        ctx.save_for_forward(W, i, w, b, n, r)

    @staticmethod
    def backward(ctx: Any, g: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
        W, i, w, b, n, r = ctx.saved_tensors
        padding, by_frequency, sparse = ctx.how
        dC_dW = dC_dw = None
        if g is not None and ctx.mode == _MAX:
            g_b = upcast_half(g) * (n > 0).unsqueeze(1)
            dC_dW = g_b.new_zeros(ctx.rows, g.shape[1]).scatter_add(0, r, g_b).to(g.dtype)
        elif g is not None:
            g_b = _shared(upcast_half(g), n, ctx.mode)
            if ctx.needs_input_grad[0]:
                g_k = g_b[b] if w is None else w.unsqueeze(1) * g_b[b]
                dC_dW = _summed(g_k, i, ctx.rows, g.dtype, padding, by_frequency, sparse)
            if ctx.needs_input_grad[3]:
                dC_dw = ((i != padding) * (upcast_half(W[i]) * g_b[b]).sum(1)).to(w.dtype)
        return dC_dW, None, None, dC_dw, None, None, None, None, None

    @staticmethod
    def jvp(
        ctx: Any, dW: Tensor | None, _i: None, _first: None, dw: Tensor | None, *_: None
    ) -> tuple[Tensor, None, None, None]:
        W, i, w, b, n, r = ctx.saved_tensors
        padding, *_ = ctx.how
        if ctx.mode == _MAX:
            assert dW is not None
            return dW.gather(0, r) * (n > 0).unsqueeze(1), None, None, None
        terms = [(dW, w)] if dW is not None else []
        terms += [(W, dw)] if dw is not None else []
        dy = [_added_up(*term, i, b, n, ctx.mode, padding) for term in terms]
        return dy[0] if len(dy) == 1 else dy[0] + dy[1], None, None, None


def _summed(g_k: Tensor, i: Tensor, rows: int, dtype: torch.dtype, padding: int, by_frequency: bool, sparse: bool) -> Tensor:
    """Compute Σ_(k: i_k = r) g_k for each row r."""
    g_k = upcast_half(g_k)
    if by_frequency:
        terms = g_k.new_zeros(rows).index_add(0, i, torch.ones_like(i, dtype=g_k.dtype))
        g_k = g_k / terms[i].unsqueeze(1)
    if sparse:
        if padding >= 0:
            i, g_k = i[i != padding], g_k[i != padding]
        return torch.sparse_coo_tensor(i.unsqueeze(0), g_k.to(dtype), (rows, g_k.shape[1]), check_invariants=False)
    dC_dW = g_k.new_zeros(rows, g_k.shape[1])
    if _transforms_are_active():  # under vmap, only one of them may be batched
        dC_dW = dC_dW.index_add(0, i, g_k)
    else:
        dC_dW.index_add_(0, i, g_k)
    if padding >= 0:
        dC_dW[padding] = 0
    return dC_dW.to(dtype)


def _bags(i: Tensor, first: Tensor, has_end: bool, padding: int) -> tuple[Tensor, Tensor]:
    """Return b(k) and n_b, which does not count the padding."""
    first = first[:-1] if has_end else first
    begun = torch.zeros(len(i) + 1, dtype=i.dtype, device=i.device).index_add(0, first, torch.ones_like(first, dtype=i.dtype))
    b = begun.cumsum(0, dtype=i.dtype)[:-1] - 1
    return b, torch.zeros(len(first), dtype=i.dtype, device=i.device).index_add(0, b, (i != padding).to(i.dtype))


def _shared(t: Tensor, n: Tensor, mode: int) -> Tensor:
    """Divide by the number of rows in each bag if `mode` is the mean."""
    return t / n.clamp(min=1).unsqueeze(1) if mode == _MEAN else t


def _added_up(W: Tensor, w: Tensor | None, i: Tensor, b: Tensor, n: Tensor, mode: int, padding: int) -> Tensor:
    """Compute y for a sum or a mean."""
    terms = upcast_half(W[i]) * (i != padding).unsqueeze(1)
    terms = terms if w is None else w.unsqueeze(1) * terms
    return _shared(terms.new_zeros(len(n), W.shape[1]).index_add(0, b, terms), n, mode).to(W.dtype)

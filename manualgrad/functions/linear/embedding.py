"""The embedding: row i_k of a table W for each number i_k, y_k = W[i_k].

Backward. A row of W is copied once for each k that names it, so that its derivative is the sum over these, with g = ∂C/∂y:

    ∂C/∂W_r = Σ_{k: i_k = r} g_k

A number may be named whose row gets no gradient (padding_idx), and the sum may be divided by the count of the k, so that it is
a mean (scale_grad_by_freq). Rows that nothing names get 0, or are left out of a sparse gradient.

Forward mode: dy_k = dW[i_k].

Shapes: W [rows, m]; i [...] of integers; y and g [..., m].
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function import Function

__all__ = ["EmbeddingFunction"]


class EmbeddingFunction(Function):
    """y; `EmbeddingFunction.apply(W, i, padding_idx, is_mean, is_sparse)`, with padding_idx −1 for none."""

    @staticmethod
    def forward(W: Tensor, i: Tensor, padding_idx: int, is_mean: bool, is_sparse: bool) -> Tensor:
        return F.embedding(i, W)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, int, bool, bool], output: Tensor) -> None:
        W, i, ctx.padding_idx, ctx.is_mean, ctx.is_sparse = inputs
        ctx.shape = W.shape
        ctx.save_for_backward(i)
        ctx.save_for_forward(i)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None, None, None]:
        (i,) = ctx.saved_tensors
        g, i = g.reshape(-1, g.shape[-1]), i.reshape(-1)
        if ctx.padding_idx >= 0:
            g = g.masked_fill((i == ctx.padding_idx).unsqueeze(-1), 0)
        if ctx.is_mean:
            g = g / torch.zeros(ctx.shape[0], dtype=g.dtype, device=g.device).index_add(0, i, torch.ones_like(g[:, 0]))[i, None]
        if ctx.is_sparse:
            named = i != ctx.padding_idx
            dC_dW = torch.sparse_coo_tensor(i[named].unsqueeze(0), g[named], tuple(ctx.shape), check_invariants=False)
        else:
            dC_dW = g.new_zeros(ctx.shape).index_add(0, i, g)
        return dC_dW, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, dW: Tensor, *_: None) -> Tensor:
        (i,) = ctx.saved_tensors
        return F.embedding(i, dW)

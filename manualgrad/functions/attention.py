"""Scaled dot-product attention: each query q_i takes the mean of the values v_j, weighted by how well it matches the keys k_j.

Forward, for n queries and m keys, with a number c and an additive mask M, which is −∞ for a key that a query must not see:

    S = c Q Kᵀ + M        P_ij = e^(S_ij) / Σ_k e^(S_ik)        O = P V

P is the softmax of S along the keys. For a query that sees no key, P is 0, and so is O.

Backward, with G = ∂C/∂O. O = P V is a matrix product (see matmul.py):

    ∂C/∂V = Pᵀ G                ∂C/∂P = G Vᵀ

and P is a softmax (see softmax.py):

    ∂C/∂S_ij = P_ij (∂C/∂P_ij − Σ_k P_ik ∂C/∂P_ik)

These formulas work row by row, so P is recomputed from Q and K, a few rows at a time, and is never saved. (Dao et al., 2022,
also use blocks of columns; they replace the sums over a row by the saved O and log Σ_j e^(S_ij). Here a block has whole rows,
and sums them directly.)

    ∂C/∂M = ∂C/∂S        ∂C/∂Q = c ∂C/∂S K        ∂C/∂K = c (∂C/∂S)ᵀ Q

Forward mode:

    dS = c (dQ Kᵀ + Q dKᵀ) + dM        dP_ij = P_ij (dS_ij − Σ_k P_ik dS_ik)        dO = dP V + P dV

Shapes: Q [..., n, e]; K [..., m, e]; V [..., m, f]; M broadcasts to [..., n, m], and may be boolean, True for what may be seen;
O [..., n, f]. The leading dimensions broadcast; each gradient has its input's shape.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from manualgrad.function import Function
from manualgrad.functions._attention_in_blocks import PAIRS, by_query, by_query_and_key
from manualgrad.functions._chunked import plain
from manualgrad.functions._tensor_meta import tensor_meta, unbroadcast_to
from manualgrad.functions._upcast import upcast_half

__all__ = ["AttentionFunction"]

_fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


class AttentionFunction(Function):
    """Attention output O; `AttentionFunction.apply(Q, K, V, M, causal, c)`, with M a Tensor or None.

    If causal, query i sees keys 0 to i.
    """

    autocast = "lower"

    @staticmethod
    def forward(Q: Tensor, K: Tensor, V: Tensor, M: Tensor | None, causal: bool, c: float) -> Tensor:
        if _has_a_fused_forward(Q, K, V, M):
            O: Tensor = _fused(Q, K, V, 0.0, causal, attn_mask=None if M is None else _added(M, Q), scale=c)[0]
            return O

        def formula(Q: Tensor, K: Tensor, V: Tensor, *rest: Any) -> tuple[Tensor]:
            P, sees = _weights(Q, K, *rest, c=c)
            return (_of(sees, P @ upcast_half(V)),)

        if _is_large_and_plain(Q, K, V, M):
            (O,) = by_query(formula, [Q], [K, V], M, causal)
        else:
            (O,) = formula(Q, K, V, M, causal, 0)
        return O.to(Q.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        Q, K, V, M, ctx.causal, ctx.c = inputs
        ctx.forms = tuple(tensor_meta(t) for t in (Q, K, V, M))
        ctx.save_for_backward(Q, K, V, M)
        ctx.save_for_forward(Q, K, V, M)

    @staticmethod
    def backward(ctx: Any, G: Tensor) -> tuple[Tensor | None, ...]:
        Q, K, V, M = ctx.saved_tensors
        c, wants_M = ctx.c, ctx.needs_input_grad[3]
        if not wants_M and _is_large_and_plain(Q, K, V, M):

            def formula(*block: Any) -> tuple[Tensor, ...]:
                return _gradients(*block, c=c)[:3]

            of_each = by_query_and_key(formula, [Q, G], [K, V], M, ctx.causal)
        else:
            of_each = [*_gradients(Q, G, K, V, M, ctx.causal, 0, c=c)]
        wanted = zip(of_each, ctx.forms, (*ctx.needs_input_grad[:3], wants_M), strict=False)
        found = [unbroadcast_to(t, to) if needs_grad else None for t, to, needs_grad in wanted]
        return *found, *[None] * (6 - len(found))

    @staticmethod
    def jvp(ctx: Any, dQ: Tensor | None, dK: Tensor | None, dV: Tensor | None, dM: Tensor | None, *_: None) -> Tensor:
        Q, K, V, M = ctx.saved_tensors
        P, sees = _weights(Q, K, M, ctx.causal, 0, c=ctx.c)
        dS = torch.zeros_like(P)
        if dQ is not None:
            dS = dS + ctx.c * (upcast_half(dQ) @ upcast_half(K).mT)
        if dK is not None:
            dS = dS + ctx.c * (upcast_half(Q) @ upcast_half(dK).mT)
        dS = dS if dM is None else dS + dM
        dO = (P * (dS - (P * dS).sum(-1, keepdim=True))) @ upcast_half(V)
        return _of(sees, dO if dV is None else dO + P @ upcast_half(dV)).to(Q.dtype)


def _gradients(
    Q: Tensor, G: Tensor, K: Tensor, V: Tensor, M: Tensor | None, causal: bool, first: int, *, c: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return ∂C/∂Q, ∂C/∂K, ∂C/∂V and ∂C/∂S."""
    P, sees = _weights(Q, K, M, causal, first, c=c)
    Q, K, V, G = (upcast_half(t) for t in (Q, K, V, G))
    G = _of(sees, G)
    dC_dP = G @ V.mT
    into = dC_dP if plain(dC_dP) and plain(P) else None
    dC_dS = torch.mul(P, torch.sub(dC_dP, (P * dC_dP).sum(-1, keepdim=True), out=into), out=into)
    return c * (dC_dS @ K), c * (dC_dS.mT @ Q), P.mT @ G, dC_dS


def _weights(Q: Tensor, K: Tensor, M: Tensor | None, causal: bool, first: int, *, c: float) -> tuple[Tensor, Tensor | None]:
    """Return P for the queries from number `first` on and, if there is a mask, which of them see a key.

    For a query that sees no key, the softmax of −∞ would be 0/0: its P is computed without the mask, and `_of` drops it.
    """
    S = (c * upcast_half(Q)) @ upcast_half(K).mT
    later = S.new_full(S.shape[-2:], -math.inf).triu(1 + first) if causal else None  # added: masked_fill is slow on the CPU
    if M is None:
        return torch.softmax(S if later is None else S + later, -1), None
    M = _added(M, S) if later is None else _added(M, S) + later
    sees = M.ne(-math.inf).any(-1, keepdim=True)
    return torch.softmax(S + torch.where(sees, M, 0), -1), sees


def _of(sees: Tensor | None, rows: Tensor) -> Tensor:
    """Return the rows, with 0 for the queries that see no key."""
    return rows if sees is None else rows * sees


def _added(M: Tensor, like: Tensor) -> Tensor:
    """Convert a boolean mask to an additive one, −∞ for what must not be seen."""
    return torch.where(M, like.new_zeros(()), like.new_full((), -math.inf)) if M.dtype == torch.bool else M


def _is_large_and_plain(Q: Tensor, K: Tensor, V: Tensor, M: Tensor | None) -> bool:
    """Return whether to compute in blocks: the operands are large, and nothing is recorded or transformed."""
    if not all(plain(t) for t in (Q, K, V)) or (M is not None and not plain(M)):
        return False
    return math.prod(torch.broadcast_shapes(Q.shape[:-2], K.shape[:-2])) * Q.shape[-2] * K.shape[-2] > PAIRS


def _has_a_fused_forward(Q: Tensor, K: Tensor, V: Tensor, M: Tensor | None) -> bool:
    """Return whether torch.nn.functional would use its fused CPU kernel, which computes O in one pass."""
    return (
        Q.device.type == "cpu"
        and Q.dim() == 4
        and Q.shape[:2] == K.shape[:2] == V.shape[:2]
        and K.shape == V.shape
        and Q.shape[-1] == V.shape[-1]
        and all(t.numel() > 0 and t.stride(-1) == 1 for t in (Q, K, V))
        and (M is None or _is_a_mask_of(M, Q, K))
    )


def _is_a_mask_of(M: Tensor, Q: Tensor, K: Tensor) -> bool:
    """Return whether the fused kernel can use the mask unchanged; it would read out of bounds of any other."""
    pairs = (*Q.shape[:-1], K.shape[-2])
    fits = M.dim() in (2, 4) and all(size in (1, of_pairs) for size, of_pairs in zip(M.shape, pairs[-M.dim() :], strict=True))
    return fits and M.dtype in (torch.bool, Q.dtype) and M.device == Q.device

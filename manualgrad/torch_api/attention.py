"""Scaled dot-product attention."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function.functorch import transforms_are_active
from manualgrad.function.in_place import kept
from manualgrad.functions.attention import AttentionFunction
from manualgrad.torch_api.activations import softmax
from manualgrad.torch_api.arithmetic import add, mul
from manualgrad.torch_api.autocast import autocast_is_on_for
from manualgrad.torch_api.dropout import dropout
from manualgrad.torch_api.guard import functional
from manualgrad.torch_api.linear import matmul
from manualgrad.torch_api.movement import expand
from manualgrad.torch_api.piecewise import masked_fill

_MATH = 0  # torch.nn.attention.SDPBackend.MATH


@functional(F.scaled_dot_product_attention, torch._C._nn.scaled_dot_product_attention, page="attention")
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Compute softmax(q kᵀ · scale + mask) v, with scale = 1 / √e by default.

    Derivatives of any order and forward mode are supported.

    Shapes:
        query [..., l, e]; key [..., s, e]; value [..., s, v]; attn_mask broadcast to [..., l, s]; output [..., l, v].

    Raises:
        RuntimeError: when the last dimensions of query and key differ:
            `nn.functional.scaled_dot_product_attention(torch.rand(2, 3), torch.rand(2, 4), torch.rand(2, 4))`.
        RuntimeError: when an input is 1-D: `nn.functional.scaled_dot_product_attention(*3 * [torch.rand(2)])`.

    Example:
        >>> q, k, v = torch.rand(3, 8, 12, 197, 64)
        >>> nn.functional.scaled_dot_product_attention(q, k, v).shape
        torch.Size([8, 12, 197, 64])
    """
    if not _belong_together(query, key, value, attn_mask, is_causal) or not 0 <= dropout_p < 1:
        return NotImplemented
    if enable_gqa:
        if query.dim() < 3 or any(query.shape[-3] % t.shape[-3] for t in (key, value)):
            return NotImplemented
        key, value = (_repeated(t, query.shape[-3] // t.shape[-3]) for t in (key, value))
    c = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if dropout_p > 0:
        return _dropped(query, key, value, attn_mask, dropout_p, is_causal, c)
    query, key, value, attn_mask = _as_torch_saves_them(query, key, value, attn_mask, is_causal, scale)
    return AttentionFunction.apply(query, key, value, attn_mask, is_causal, c)


def _as_torch_saves_them(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, *others: Any) -> tuple[Any, ...]:
    """Copy the inputs that PyTorch does not save, so that they may be modified before the backward.

    PyTorch's math backend saves scaled copies of Q and K, and P instead of the mask. Its other backends convert a boolean mask
    to numbers and save those.
    """
    is_causal, scale = others
    if torch.compiler.is_dynamo_compiling() or transforms_are_active():  # vmap does not support _fused_sdp_choice
        return q, k, v, mask
    if torch._fused_sdp_choice(q, k, v, mask, 0.0, is_causal, scale=scale) == _MATH:
        batch = torch.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
        alone = not any(t is not None and t.requires_grad for t in (q, k, mask))
        v = kept(v) if alone or v.shape[:-2] != batch else v
        return kept(q), kept(k), v, mask if mask is None else kept(mask)
    return q, k, v, kept(mask) if mask is not None and mask.dtype == torch.bool else mask


def _belong_together(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, is_causal: bool) -> bool:
    if min(q.dim(), k.dim(), v.dim()) < 2 or not _are_of_a_dtype(q, k, v):
        return False
    if (mask is not None and is_causal) or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2] or not q.shape[-1]:
        return False
    return mask is None or (mask.dim() >= 2 and (mask.dtype in (torch.bool, torch.float32) or _are_of_a_dtype(q, mask)))


def _are_of_a_dtype(*tensors: Tensor) -> bool:
    """Return whether the tensors are floating-point and have the same dtype, or get the same one from autocast."""
    dtypes = {t.dtype for t in tensors}
    lowered = autocast_is_on_for(tensors[0]) and torch.float64 not in dtypes
    return (len(dtypes) == 1 or lowered) and all(t.is_floating_point() for t in tensors)


def _repeated(t: Tensor, times: int) -> Tensor:
    """Repeat each head this many times in a row."""
    if times == 1:
        return t
    wide: Tensor = expand(t.unsqueeze(-3), (*t.shape[:-2], times, *t.shape[-2:]))
    return wide.flatten(-4, -3)


def _dropped(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p: float, is_causal: bool, c: float) -> Any:
    """Compute attention with dropout of the weights P, drawn as PyTorch's math backend draws it."""
    root = math.sqrt(abs(c))  # scales q and k, as in PyTorch, so that neither is saved itself
    S = matmul(mul(q, math.copysign(root, c)), mul(k, root).mT)
    if is_causal:
        mask = torch.ones(S.shape[-2:], dtype=torch.bool, device=S.device).tril()
    blind = None
    if mask is not None and mask.dtype == torch.bool:
        blind = ~mask.any(-1, keepdim=True)
        S = masked_fill(S, ~mask & ~blind, -math.inf)
    elif mask is not None:
        blind = (mask == -math.inf).all(-1, keepdim=True)
        S = add(S, mask).to(S.dtype)
        S = masked_fill(S, blind, 0)
    P = softmax(S, -1)
    P = P if blind is None else masked_fill(P, blind, 0)
    P = dropout(P, p, True)
    return matmul(P, v)

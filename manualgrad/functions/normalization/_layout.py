"""Sums over channels, and elementwise formulas with one factor per channel or row, in memory order.

A tensor [N, C, ...] is treated as a matrix. If each channel is contiguous, the matrix has one row per channel and example; in
channels-last memory, one row per place, because a channel treats places like examples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from manualgrad import _fused
from manualgrad.functions import _chunked
from manualgrad.functions._upcast import upcast_half

__all__ = ["column_sums", "gradient", "reuse_buffer", "round_into", "row_sums", "sums", "times"]

# MKL may add the terms of a product one by one, so the error grows with their number. Tensor.sum adds in blocks.
_ROW_BLOCK = 4096
_COLUMN_BLOCK = 256

_dynamo_is_tracing = torch.compiler.is_dynamo_compiling


def sums(x: Tensor, g: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    """Return Σ g and Σ (x − m) g per channel if m is [C], per channel and example if m is [N, C]."""
    arrays, others, dim = _as_matrices((x, g), (m,))
    found = _chunked.fused(_sums, arrays, (*others, dim)) if _fused.is_fusing() else None
    found = found or _chunked.to_rows(_sums, arrays, *others, dim)
    if m.dim() == 2:
        return found[0].reshape(m.shape), found[1].reshape(m.shape)
    # Per channel and example, or per chunk.
    sum_g, sum_g_from_m = found if dim == 0 else (t.reshape(x.shape[:2]) for t in found)
    return sum_g.sum(0), sum_g_from_m.sum(0)


def gradient(
    x: Tensor,
    g: Tensor,
    w: Tensor | None,
    m: Tensor,
    r: Tensor,
    slope: Tensor,
    constant: Tensor,
    more: Tensor | None = None,
) -> Tensor:
    """Return r (w g + slope (x − m) + constant) + more in the dtype of x; w is [C], the other factors [C] or [N, C]."""
    w = torch.ones_like(r) if w is None else upcast_half(w).expand_as(r)
    if not _fused.is_fusing() and _is_for_batch_norm(x, g, r) and _is_moderate(m, r, slope):
        found = _line_of_channels(x, r * slope, r * (constant - slope * m)).addcmul_(g, _of_places(r * w, x))
    else:
        found = _mapped(_gradient, (x, g), (w, m, r, slope, constant))
    return found if more is None else found + _of_places(more, x).to(x.dtype)


def times(g: Tensor, factor: Tensor) -> Tensor:
    """Return factor · g in the dtype of g, with factor [C] or [N, C]."""
    return _mapped(_times, (g,), (factor,))


def row_sums(A: Tensor, w: Tensor) -> Tensor:
    """Return Σ_j A_ij w_j per row, [n, 1]: by matrix products, or as elementwise code that a compiler fuses."""
    if _is_compiled():
        return (A * w).sum(1, keepdim=True)
    if len(w) <= _ROW_BLOCK:
        return A.mm(w.unsqueeze(1))
    blocks = zip(A.split(_ROW_BLOCK, 1), w.split(_ROW_BLOCK), strict=True)
    return torch.stack([a.mm(part.unsqueeze(1)) for a, part in blocks]).sum(0)


def column_sums(r: Tensor, A: Tensor) -> Tensor:
    """Return Σ_i r_i A_ij per column, [1, m], with r [n, 1]: by a matrix product or elementwise."""
    if _is_compiled() or (A.is_cpu and len(A) > _COLUMN_BLOCK):
        return (r * A).sum(0, keepdim=True)
    return r.t().mm(A)


def _is_compiled() -> bool:
    return _dynamo_is_tracing() or _fused.is_tracing()


def reuse_buffer(out: Tensor | None, t: Tensor) -> Tensor | None:
    """Return `out` if it can hold intermediate results in the dtype of t, else None."""
    return out if out is not None and out.dtype == t.dtype else None


def round_into(t: Tensor, dtype: torch.dtype, out: Tensor | None) -> Tensor:
    """Return t rounded to `dtype`, copied to `out` if there is one and t is not already in it."""
    return t.to(dtype) if out is None or out.dtype == t.dtype else out.copy_(t)


def _as_matrices(tensors: tuple[Tensor, ...], of_channels: tuple[Tensor, ...]) -> tuple[Any, Any, int]:
    """Return the arrays to split into chunks, the other factors, and the dimension that a channel spans."""
    x = tensors[0]
    N, C, L = x.shape[0], x.shape[1], math.prod(x.shape[2:])
    if _lies_in_rows(x):
        rows = [t.reshape(N * C, L) for t in tensors]
        return (*rows, *(upcast_half(t).expand(N, C).reshape(N * C, 1) for t in of_channels)), (), 1
    places = [t.reshape(N, C, L).transpose(1, 2) for t in tensors]
    if of_channels[0].dim() == 1:
        return tuple(t.reshape(N * L, C) for t in places), tuple(map(upcast_half, of_channels)), 0
    return (*places, *(upcast_half(t).unsqueeze(1) for t in of_channels)), (), 1


def _lies_in_rows(x: Tensor) -> bool:
    return x.dim() > 2 and (x.shape[1] == 1 or x.stride(1) != 1)


def _mapped(formula: Callable[..., Tensor], tensors: tuple[Tensor, ...], of_channels: tuple[Tensor, ...]) -> Tensor:
    x = tensors[0]
    arrays, others, _ = _as_matrices(tensors, of_channels)
    found = _chunked.rows(formula, arrays, *others)
    if not _lies_in_rows(x):
        found = found.reshape(x.shape[0], math.prod(x.shape[2:]), x.shape[1]).transpose(1, 2)
    return found.reshape(x.shape)


def _is_for_batch_norm(x: Tensor, g: Tensor, r: Tensor) -> bool:
    """Return whether PyTorch's batch norm can do it: plain tensors, and factors [C], or [N, C] with a contiguous x."""
    return (
        x.dtype in (torch.float32, torch.float64)
        and x.dtype == r.dtype
        and x.numel() > 0
        and (r.dim() == 1 or x.is_contiguous())
        and _chunked.plain(x)
        and _chunked.plain(g)
    )


def _is_moderate(m: Tensor, r: Tensor, slope: Tensor) -> bool:
    """Return whether slope x − slope m loses no digits because m is near 0, nor infinity, and r slope does not underflow."""
    is_near_0 = (m * r).abs().amax().item() <= 4
    return is_near_0 and r.amin().item() >= 1e-6 and slope.abs().amax().item() < math.inf


def _line_of_channels(x: Tensor, of_x: Tensor, constant: Tensor) -> Tensor:
    """Return of_x · x + constant in one pass: a batch norm in evaluation, with mean 0 and variance 1."""
    C = of_x.numel()
    mean, var = x.new_zeros(C), x.new_ones(C)
    channels = x.view(-1, C, *x.shape[2:])
    line, *_ = torch.native_batch_norm(channels, of_x.flatten(), constant.flatten(), mean, var, False, 0.0, 0.0)
    return line.view_as(x)


def _of_places(t: Tensor, x: Tensor) -> Tensor:
    """Reshape t [C] or [N, C] to broadcast over the places of x."""
    return t.reshape(*t.shape, *[1] * (x.dim() - 2))


def _sums(x: Tensor, g: Tensor, m: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    g, from_m = upcast_half(g), upcast_half(x) - m
    products = from_m.mul_(g) if _chunked.plain(from_m) and _chunked.plain(g) else from_m * g
    return g.sum(dim, keepdim=dim == 0), products.sum(dim, keepdim=dim == 0)


def _gradient(
    x: Tensor, g: Tensor, w: Tensor, m: Tensor, r: Tensor, slope: Tensor, constant: Tensor, out: Tensor | None
) -> Tensor:
    X = upcast_half(x)
    into = X if X is not x and _chunked.plain(X) else reuse_buffer(out, X)
    line = torch.mul(torch.sub(X, m, out=into), slope, out=into)
    line = torch.add(line, constant, out=into)  # addcmul is slow where its first operand broadcasts
    h = torch.addcmul(line, upcast_half(g), w, out=into)
    return round_into(torch.mul(h, r, out=into), x.dtype, out)


def _times(g: Tensor, factor: Tensor, out: Tensor | None) -> Tensor:
    G = upcast_half(g)
    return round_into(torch.mul(G, factor, out=reuse_buffer(out, G)), g.dtype, out)

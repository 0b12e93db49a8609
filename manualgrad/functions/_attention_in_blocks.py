"""Attention's formulas, computed in blocks of heads or queries, without an array of all queries by all keys.

A formula gets a block of queries and the keys that they may see. Its results per query are stored; its results per key are
summed over the blocks of queries.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

__all__ = ["PAIRS", "by_query", "by_query_and_key"]

PAIRS = 1 << 18  # pairs of a query and a key in a block; larger arrays are allocated anew by each operator

Formula = Callable[..., tuple[Tensor, ...]]


def by_query(formula: Formula, of_queries: list[Tensor], of_keys: list[Tensor], M: Tensor | None, causal: bool) -> list[Tensor]:
    """Compute formula(*of_queries, *of_keys, M, causal, first) in blocks; each result has one row per query."""
    heads, n, m, of_queries, of_keys, part = _flat(of_queries, of_keys, M)
    found: list[Tensor] = []
    for H, R, J in _blocks(math.prod(heads), n, m, causal):
        results = formula(*(t[H, R] for t in of_queries), *(t[H, J] for t in of_keys), part(H, R, J), causal, R.start)
        found = found or [r.new_empty(math.prod(heads), n, *r.shape[2:]) for r in results]
        for t, r in zip(found, results, strict=True):
            t[H, R] = r
    return [t.view(*heads, *t.shape[1:]) for t in found]


def by_query_and_key(
    formula: Formula, of_queries: list[Tensor], of_keys: list[Tensor], M: Tensor | None, causal: bool
) -> list[Tensor]:
    """Compute formula(...) in blocks; its first result has one row per query, the others have one row per key."""
    heads, n, m, of_queries, of_keys, part = _flat(of_queries, of_keys, M)
    found: list[Tensor] = []
    for H, R, J in _blocks(math.prod(heads), n, m, causal):
        first, *others = formula(*(t[H, R] for t in of_queries), *(t[H, J] for t in of_keys), part(H, R, J), causal, R.start)
        if not found:
            found = [first.new_empty(math.prod(heads), n, first.shape[-1])]
            found += [r.new_zeros(math.prod(heads), m, r.shape[-1]) for r in others]
        found[0][H, R] = first
        for t, r in zip(found[1:], others, strict=True):
            t[H, J] += r
    return [t.view(*heads, *t.shape[1:]) for t in found]


def _flat(of_queries: list[Tensor], of_keys: list[Tensor], M: Tensor | None) -> Any:
    """Broadcast and flatten the leading dimensions; return the mask, which may be much smaller, as a function of a block."""
    heads = torch.broadcast_shapes(*(t.shape[:-2] for t in (*of_queries, *of_keys)), () if M is None else M.shape[:-2])
    n, m = of_queries[0].shape[-2], of_keys[0].shape[-2]

    def flat(t: Tensor, *last: int) -> Tensor:
        return t.expand(*heads, *last).reshape(-1, *last)

    parts = _parts_of(M, heads)
    return heads, n, m, [flat(t, *t.shape[-2:]) for t in of_queries], [flat(t, *t.shape[-2:]) for t in of_keys], parts


def _blocks(heads: int, n: int, m: int, causal: bool) -> Iterator[tuple[slice, slice, slice]]:
    """Yield slices of heads, queries and keys."""
    at_once = max(1, PAIRS // (n * m))
    rows = n if n * m <= PAIRS else max(1, PAIRS // m)
    for h in range(0, heads, at_once):
        for i in range(0, n, rows):
            end = min(i + rows, n)
            yield slice(h, h + at_once), slice(i, end), slice(0, min(end, m) if causal else m)


def _parts_of(M: Tensor | None, heads: tuple[int, ...]) -> Callable[[slice, slice, slice], Tensor | None]:
    """Return a function that selects a block of the mask, which stays unexpanded along broadcast dimensions."""
    if M is None:
        return lambda H, R, J: None
    for dim in range(M.dim()):
        if M.stride(dim) == 0:
            M = M.narrow(dim, 0, 1)
    own = M.shape[:-2]
    which = torch.arange(math.prod(own)).view(own).expand(heads).reshape(-1)  # the mask's leading index of each head
    mask = M.reshape(-1, *M.shape[-2:])

    def part(H: slice, R: slice, J: slice) -> Tensor:
        of_block = mask[:, R if mask.shape[1] > 1 else slice(None), J if mask.shape[2] > 1 else slice(None)]
        return of_block if len(mask) == 1 else of_block[which[H]]

    return part

"""Attention: fused, causal, with a mask that is added or forbids, with broadcasting."""

import torch
import torch.nn.functional as F

from function_samples.table import (
    NOT_BY_0,
    benchmark,
    heads,
    normal,
    proof,
    s,
    sample,
)

_QKV = normal(2, 4, 3), normal(2, 5, 3), normal(2, 5, 3)

sample("Attention", *_QKV, None, False, 0.5)
sample("Attention", *_QKV, None, True, 0.5, as_="causal", but=NOT_BY_0)
sample("Attention", *_QKV, normal(4, 5), False, 0.5, as_="with a mask")
proof("Attention", s("Q", 2, 1), s("K", 2, 1), s("V", 2, 2), s("M", 2, 2), False, 0.5)
proof("Attention", s("Q", 1, 1, 2, 1), s("K", 1, 1, 2, 1), s("V", 1, 1, 2, 1), None, False, 0.5)
proof("Attention", s("Q", 1, 1, 2, 1), s("K", 1, 1, 2, 1), s("V", 1, 1, 2, 1), None, True, 0.5)
proof("Attention", s("Q", 2, 2), s("K", 2, 2), s("V", 2, 1), None, True, 0.5)
proof("Attention", s("Q", 2, 1), s("K", 2, 1), s("V", 2, 1), torch.tensor([[True, False], [False, False]]), False, 0.5)
proof("Attention", s("Q", 1, 1, 1), s("K", 2, 2, 1), s("V", 2, 2, 1), s("M", 1, 2), False, 0.5)
benchmark("Attention", F.scaled_dot_product_attention, heads, heads, heads)

"""Normalization."""

import torch
import torch.nn.functional as F

from function_samples.table import (
    DOUBLE,
    M,
    benchmark,
    images,
    normal,
    proof,
    rows,
    s,
    sample,
    weights,
)

sample("BatchNorm", normal(4, 2, 3), normal(2), normal(2), None, None, 0.1, 1e-5)
sample("BatchNorm", normal(4, 2, 3), None, None, None, None, 0.1, 1e-5, as_="alone")
proof("BatchNorm", s("x", 3, 1), s("w", 1), s("b", 1), None, None, 0.1, 1e-5)
proof("BatchNorm", s("x", 1, 2, 2), s("w", 2), None, None, None, 0.1, 1e-5)
proof("BatchNorm", s("x", 2, 2, 1, 1), s("w", 2), s("b", 2), None, None, 0.1, 1e-5)
proof("BatchNorm", s("x", 2, 1), None, None, None, None, 0.1, 1e-5)
benchmark("BatchNorm", lambda x, w, b: F.batch_norm(x, None, None, w, b, True), images, weights(8), weights(8))

sample(
    "BatchNormEvaluation",
    normal(4, 2, 3),
    normal(2),
    normal(2),
    torch.zeros(2, dtype=DOUBLE),
    torch.ones(2, dtype=DOUBLE),
    1e-5,
)
proof(
    "BatchNormEvaluation",
    s("x", 2, 2, 1),
    s("w", 2),
    s("b", 2),
    s("m", 2, given=True),
    s("v", 2, given=True, positive=True),
    1e-5,
)
benchmark(
    "BatchNormEvaluation", lambda x, w, b: F.batch_norm(x, torch.zeros(8), torch.ones(8), w, b), images, weights(8), weights(8)
)

sample("GroupNorm", normal(2, 4, 3), normal(4), normal(4), 2, 1e-5)
sample("GroupNorm", normal(2, 4, 3), None, None, 4, 1e-5, as_="alone")
proof("GroupNorm", s("x", 1, 4, 2), s("w", 4), s("b", 4), 2, 1e-5)
proof("GroupNorm", s("x", 2, 2), s("w", 2), None, 1, 1e-5)
proof("GroupNorm", s("x", 1, 2, 2, 1), None, None, 2, 1e-5)
benchmark("GroupNorm", lambda x, w, b: F.group_norm(x, 2, w, b), images, weights(8), weights(8))

sample("InstanceNorm", normal(2, 4, 3), normal(4), normal(4), None, None, 0.1, 1e-5)
sample("InstanceNorm", normal(2, 4, 3), None, None, None, None, 0.1, 1e-5, as_="alone")
proof("InstanceNorm", s("x", 2, 2, 3), s("w", 2), s("b", 2), None, None, 0.1, 1e-5)
proof("InstanceNorm", s("x", 1, 2, 2, 1), None, None, None, None, 0.1, 1e-5)
benchmark("InstanceNorm", lambda x, w, b: F.instance_norm(x, None, None, w, b), images, weights(8), weights(8))

sample("LayerNorm", normal(4, 3), normal(3), normal(3), (3,), 1e-5)
sample("LayerNorm", normal(4, 2, 3), None, None, (2, 3), 1e-5, as_="over two dimensions")
proof("LayerNorm", s("x", 2, 3), s("w", 3), s("b", 3), (3,), 1e-5)
proof("LayerNorm", s("x", 1, 2, 2), s("w", 2, 2), None, (2, 2), 1e-5)
proof("LayerNorm", s("x", 2, 2), None, None, (2,), 1e-5)
benchmark("LayerNorm", lambda x, w, b: F.layer_norm(x, (M,), w, b), rows, weights(M), weights(M))

sample("RMSNorm", normal(4, 3), normal(3), (3,), 1e-5)
sample("RMSNorm", normal(4, 3), None, (3,), 1e-5, as_="alone")
proof("RMSNorm", s("x", 2, 3), s("w", 3), (3,), 1e-5)
proof("RMSNorm", s("x", 1, 2, 2), None, (2, 2), 1e-5)
benchmark("RMSNorm", lambda x, w: F.rms_norm(x, (M,), w), rows, weights(M))

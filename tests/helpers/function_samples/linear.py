"""Products of matrices."""

import torch
import torch.nn.functional as F

from function_samples.table import (
    M,
    X,
    benchmark,
    normal,
    proof,
    rows,
    s,
    sample,
    unit,
    weights,
)

sample("Addmm", unit(2, 2), X, unit(3, 2), 2, 3)
proof("Addmm", s("M", 1, 2), s("A", 2, 3), s("B", 3, 2), 2, 3)
proof("Addmm", s("M", 2), s("A", 2, 2, 1), s("B", 2, 1, 2), 2, 3)
proof("Addmm", s("M", 2), s("A", 2, 3), s("B", 3), 2, 3)
benchmark("Addmm", torch.addmm, rows, rows, weights(M, M))

sample("Matmul", unit(2, 3, 4), unit(4, 2))
proof("Matmul", s("A", 2, 3), s("B", 3, 2))
proof("Matmul", s("A", 2, 1, 1, 2), s("B", 2, 2, 1))
proof("Matmul", s("A", 1, 2, 2), s("B", 2, 2, 2))
proof("Matmul", s("A", 2, 2, 2), s("B", 2, 1))
benchmark("Matmul", torch.matmul, rows, weights(M, M))

sample("Linear", normal(2, 3), normal(4, 3), normal(4))
proof("Linear", s("a", 2, 3), s("W", 2, 3), s("b", 2))
benchmark("Linear", F.linear, rows, weights(M, M), weights(M))

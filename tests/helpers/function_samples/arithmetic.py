"""Arithmetic: elementary functions, sums, choices, movement, order."""

import math

import torch
import torch.nn.functional as F

from function_samples.table import (
    APART,
    COLUMN,
    COMPILED_ELSEWHERE,
    DOUBLE,
    INDEX,
    MASK,
    ROW,
    M,
    X,
    benchmark,
    column_numbers,
    images,
    index,
    masks,
    normal,
    positive_rows,
    proof,
    row_numbers,
    rows,
    s,
    sample,
    uneven,
    unit,
)

sample("Add", X, ROW, 2)
proof("Add", s("a", 2, 1), s("b", 1, 2), 3)
proof("Add", s("a", 2), 5, -1)
proof("Add", 5, s("b", 2), 2)
benchmark("Add", torch.add, rows, rows)

sample("Neg", X)
proof("Neg", s("a", 2))
benchmark("Neg", torch.neg, rows)

sample("Mul", X, ROW)
proof("Mul", s("a", 2, 1), s("b", 1, 2))
proof("Mul", s("a", 2), 3)
proof("Mul", 3, s("b", 2))
benchmark("Mul", torch.mul, rows, rows)

sample("Div", X, ROW)
proof("Div", s("a", 2, 1), s("b", 1, 2))
proof("Div", s("a", 2), 3)
proof("Div", 3, s("b", 2))
benchmark("Div", torch.div, rows, positive_rows)

sample("Pow", X, ROW)
proof("Pow", s("a", 2, 1, positive=True), s("b", 1, 2, positive=True))
proof("Pow", s("a", 2), 3)
proof("Pow", s("a", 2), 0)
proof("Pow", s("a", 2, positive=True), -0.5)
proof("Pow", 2, s("b", 2, negative=True))
benchmark("Pow", torch.pow, positive_rows, positive_rows)

sample("Cat", 1, X, unit(2, 2))
proof("Cat", 1, s("x", 2, 1), s("y", 2, 2))
benchmark("Cat", lambda a, b: torch.cat([a, b]), rows, rows)

sample("Exp", X)
proof("Exp", s("x", 2))
benchmark("Exp", torch.exp, rows)

sample("Expm1", X)
proof("Expm1", s("x", 2))
benchmark("Expm1", torch.expm1, rows)

sample("Log", X)
proof("Log", s("x", 2, positive=True))
benchmark("Log", torch.log, positive_rows)

sample("Log1p", X)
proof("Log1p", s("x", 2, positive=True))
benchmark("Log1p", torch.log1p, positive_rows)

sample("Sqrt", X)
proof("Sqrt", s("x", 2, positive=True))
benchmark("Sqrt", torch.sqrt, positive_rows)

sample("Rsqrt", X)
proof("Rsqrt", s("x", 2, positive=True))
benchmark("Rsqrt", torch.rsqrt, positive_rows)

sample("Reciprocal", X)
proof("Reciprocal", s("x", 2, positive=True))
benchmark("Reciprocal", torch.reciprocal, positive_rows)

sample("Square", X)
proof("Square", s("x", 2))
benchmark("Square", torch.square, rows)

sample("Sin", X)
proof("Sin", s("x", 2))
benchmark("Sin", torch.sin, rows)

sample("Cos", X)
proof("Cos", s("x", 2))
benchmark("Cos", torch.cos, rows)

sample("Erf", X)
proof("Erf", s("x", 2))
benchmark("Erf", torch.erf, rows)

sample("Addcdiv", X, ROW, COLUMN, 2)
proof("Addcdiv", s("x", 2, 1), s("a", 1, 2), s("b", 2, 2), 3)
benchmark("Addcdiv", torch.addcdiv, rows, rows, positive_rows)

sample("Addcmul", X, ROW, COLUMN, 2)
proof("Addcmul", s("x", 2, 1), s("a", 1, 2), s("b", 2, 2), 3)
benchmark("Addcmul", torch.addcmul, rows, rows, rows)

sample("Lerp", X, X.flip(0), X.flip(1))
proof("Lerp", s("a", 2, 1), s("b", 1, 2), s("w", 2, 2))
proof("Lerp", s("a", 2), s("b", 2), 0.25)
benchmark("Lerp", lambda a, b: torch.lerp(a, b, 0.25), rows, rows)

sample("Sum", X, (1,), False)
proof("Sum", s("x", 2, 2, 2), (0, 2), False)
proof("Sum", s("x", 2, 2), (1,), True)
proof("Sum", s("x", 2), (), False)
benchmark("Sum", lambda x: x.sum(1), rows)

sample("Mean", X, (1,), False)
proof("Mean", s("x", 2, 2, 2), (0, 2), False)
proof("Mean", s("x", 2, 2), (1,), True)
proof("Mean", s("x", 2), (), False)
benchmark("Mean", lambda x: x.mean(1), rows)

sample("Logsumexp", X, (1,), False)
proof("Logsumexp", s("x", 2, 2, at=(1, 2, 3, 4)), (0, 1), False)
proof("Logsumexp", s("x", 2, 2, at=(1, 2, 3, 4)), (1,), True)
benchmark("Logsumexp", lambda x: x.logsumexp(1), rows)

sample("Std", X, (1,), 1, False)
proof("Std", s("x", 2, 3, at=(1, 2, 4, 1, 5, 2)), (1,), 1, False)
proof("Std", s("x", 1, 3, at=(1, 2, 4)), (0, 1), 0, True)
benchmark("Std", lambda x: x.std(1), rows)

sample("Var", X, (1,), 1, False)
proof("Var", s("x", 2, 3), (1,), 1, False)
proof("Var", s("x", 1, 3), (0, 1), 0, True)
benchmark("Var", lambda x: x.var(1), rows)

sample("Floor", uneven(3, 4))
proof("Floor", s("x", 3, at=(-1.5, 0.5, 2.25)))
benchmark("Floor", torch.floor, rows)

sample("Ceil", uneven(3, 4))
proof("Ceil", s("x", 3, at=(-1.5, 0.5, 2.25)))
benchmark("Ceil", torch.ceil, rows)

sample("Trunc", uneven(3, 4))
proof("Trunc", s("x", 3, at=(-1.5, 0.5, 2.25)))
benchmark("Trunc", torch.trunc, rows)

sample("Round", uneven(3, 4) + 0.5, 0)
proof("Round", s("x", 3, at=(-1.6, 0.4, 2.25)), 0)
proof("Round", s("x", 2, at=(-1.61, 0.43)), 1)
benchmark("Round", torch.round, rows)

sample("Sign", uneven(3, 4))
proof("Sign", s("x", 3, at=(-1.5, 0.5, 2.25)))
benchmark("Sign", torch.sign, rows)

sample("Frac", uneven(3, 4))
proof("Frac", s("x", 3, at=(-1.5, 0.5, 2.25)))
benchmark("Frac", torch.frac, rows)

sample("RoundedDiv", uneven(3, 4), torch.ones(4, dtype=DOUBLE), "floor")
proof("RoundedDiv", s("a", 2, 1, at=(-3.5, 4.25)), s("b", 1, 2, at=(2, -3)), "floor")
proof("RoundedDiv", s("a", 2, 1, at=(-3.5, 4.25)), s("b", 1, 2, at=(2, -3)), "trunc")
benchmark("RoundedDiv", lambda a, b: torch.div(a, b, rounding_mode="floor"), rows, positive_rows)

sample("Remainder", uneven(3, 4), torch.ones(4, dtype=DOUBLE))
proof("Remainder", s("a", 2, 1, at=(-3.5, 4.25)), s("b", 1, 2, at=(2, -3)))
proof("Remainder", s("a", 2, at=(-3.5, 4.25)), 2.0)
proof("Remainder", 7, s("b", 2, at=(2, -3)))
benchmark("Remainder", torch.remainder, rows, positive_rows)

sample("Fmod", uneven(3, 4), torch.ones(3, 1, dtype=DOUBLE))
proof("Fmod", s("a", 2, 1, at=(-3.5, 4.25)), s("b", 1, 2, at=(2, -3)))
proof("Fmod", s("a", 2, at=(-3.5, 4.25)), 2.0)
benchmark("Fmod", torch.fmod, rows, positive_rows)

sample("Abs", X - 0.77)
proof("Abs", s("x", 2, positive=True))
proof("Abs", s("x", 2, negative=True))
benchmark("Abs", torch.abs, rows)

sample("Clamp", X, 0.5, 1.0)
proof("Clamp", s("x", 3, at=(-2, 0, 2)), -1, 1)
proof("Clamp", s("x", 2, at=(-2, 2)), None, 1)
proof("Clamp", s("x", 2, at=(-2, 2)), -1, None)
benchmark("Clamp", lambda x: x.clamp(-1, 1), rows)

sample("ClampBy", X, X.flip(0) * 0.7, X.flip(1) + 0.1)
proof("ClampBy", s("x", 4, at=(-2, 0, 2, 0)), s("l", 4, at=(-1, -1, -1, 3)), s("m", 4, at=(1, 1, 1, 2)))
proof("ClampBy", s("x", 2, 1, at=(-2, 0)), s("l", 1, at=(-1,)), s("m", 1, 2, at=(1, 2)))
benchmark("ClampBy", torch.clamp, rows, rows, rows)

sample("MaskedFill", X, MASK, 0.5)
proof("MaskedFill", s("x", 2, 2), torch.tensor([True, False]), s("v"))
proof("MaskedFill", s("x", 2, 1), torch.tensor([True, False]), 3)
benchmark("MaskedFill", lambda x, mask: x.masked_fill(mask, 1.0), rows, constant=masks)

sample("Maximum", X, X.flip(1) * 1.1)
proof("Maximum", s("a", 2, 1, at=(1, 3)), s("b", 1, 2, at=(2, 4)))
benchmark("Maximum", torch.maximum, rows, rows)

sample("Minimum", X, X.flip(1) * 1.1)
proof("Minimum", s("a", 2, 1, at=(1, 3)), s("b", 1, 2, at=(2, 4)))
benchmark("Minimum", torch.minimum, rows, rows)

sample("Where", MASK, X, ROW)
proof("Where", torch.tensor([[True, False], [False, True]]), s("a", 2, 1), s("b", 2))
proof("Where", torch.tensor([True, False]), s("a", 2), 3)
benchmark("Where", lambda a, b, mask: torch.where(mask, a, b), rows, rows, constant=masks)

sample("Expand", COLUMN, (2, 3))
proof("Expand", s("x", 2, 1), (2, 2, 2))
benchmark("Expand", lambda x: x.expand(-1, M), lambda n: rows(n, 1))

sample("Flip", X, (1,))
proof("Flip", s("x", 2, 3), (0, 1))
benchmark("Flip", lambda x: x.flip(1), rows)

sample("Gather", X, 1, INDEX)
proof("Gather", s("x", 2, 3), 1, torch.tensor([[0, 2, 0], [1, 1, 1]]))
benchmark("Gather", lambda x, columns: x.gather(1, columns), rows, constant=column_numbers)

sample("Index", X, INDEX[1], INDEX[0])
proof("Index", s("x", 2, 3), torch.tensor([1, 0, 1]), torch.tensor([2, 0, 2]))
proof("Index", s("x", 2, 3), None, torch.tensor([2, 2]))
benchmark("Index", lambda x, rows: x[rows], rows, constant=row_numbers)

sample("IndexSelect", X, 1, INDEX[0])
proof("IndexSelect", s("x", 2, 3), 1, torch.tensor([2, 0, 2]))
benchmark("IndexSelect", lambda x, rows: x.index_select(0, rows), rows, constant=row_numbers)

sample("PadByIndex", X, 1, INDEX[0])
proof("PadByIndex", s("x", 2, 3), 1, torch.tensor([1, 0, 1, 2]))
benchmark("PadByIndex", lambda x: F.pad(x, (1, 1), mode="reflect"), rows)

sample("Pad", X, (1, 2), 0.5)
proof("Pad", s("x", 2, 3), (1, -1, 0, 2), 7)
benchmark("Pad", lambda x: F.pad(x, (1, 1)), rows)

sample("Roll", X, (1,), (1,))
proof("Roll", s("x", 2, 3), (1, -1), (0, 1))
benchmark("Roll", lambda x: x.roll(1, 1), rows)

sample("Scatter", normal(3, 4), 1, index([0, 1], [2, 3]), normal(2, 2))
sample("Scatter", normal(3, 4), 1, index([0, 1], [2, 3]), 2.0, as_="of a number")
proof("Scatter", s("x", 2, 3), 1, torch.tensor([[2, 0]]), s("v", 2, 2))
proof("Scatter", s("x", 2, 3), 0, torch.tensor([[1, 0]]), 5)
benchmark("Scatter", lambda x, v, columns: x.scatter(1, columns, v), rows, rows, constant=column_numbers)

sample("ScatterAdd", normal(3, 4), 1, index([0, 0], [2, 3]), normal(3, 4))
proof("ScatterAdd", s("x", 2, 3), 1, torch.tensor([[2, 2, 0], [0, 0, 0]]), s("v", 2, 3))
proof("ScatterAdd", s("x", 2, 3), 0, torch.tensor([[1, 0]]), s("v", 2, 3))
benchmark("ScatterAdd", lambda x, v, columns: x.scatter_add(1, columns, v), rows, rows, constant=column_numbers)

sample("IndexAdd", normal(3, 4), 0, index(2, 2), normal(2, 4), 3)
proof("IndexAdd", s("x", 3, 2), 0, torch.tensor([2, 0, 2]), s("v", 3, 2), 3)
benchmark("IndexAdd", lambda x, v, rows: x.index_add(0, rows, v), rows, rows, constant=row_numbers)

sample("IndexCopy", normal(3, 4), 0, index(2, 0), normal(2, 4))
proof("IndexCopy", s("x", 2, 3), 1, torch.tensor([2, 0]), s("v", 2, 2))
benchmark("IndexCopy", lambda x, v, rows: x.index_copy(0, rows, v), rows, rows, constant=torch.randperm)

sample("IndexFill", normal(3, 4), 0, index(2, 0), normal())
proof("IndexFill", s("x", 2, 3), 1, torch.tensor([2, 2]), s("v"))
proof("IndexFill", s("x", 2, 3), 1, torch.tensor([2, 0]), 7)
benchmark("IndexFill", lambda x, rows: x.index_fill(0, rows, 1.0), rows, constant=row_numbers)

sample("IndexPut", normal(3, 4), normal(2, 1), False, index(2, 0))
sample("IndexPut", normal(3, 4), normal(), False, None, index(2, 2), as_="of a number")
sample("IndexPut", normal(3, 4), normal(2, 4), True, index(2, 2), as_="added")
proof("IndexPut", s("x", 2, 3), s("v", 2), False, torch.tensor([0, 1]), torch.tensor([2, 1]))
proof("IndexPut", s("x", 2, 3), s("v", 2, 1), True, None, torch.tensor([2, 2]))
proof("IndexPut", s("x", 2, 3), s("v"), False, torch.tensor([0, 0]), torch.tensor([2, 2]))
benchmark("IndexPut", lambda x, v, rows: x.index_put((rows,), v), rows, rows, constant=torch.randperm)

sample("MaskedScatter", normal(3, 4), torch.arange(12).view(3, 4) % 2 == 0, normal(2, 4))
proof("MaskedScatter", s("x", 2, 2), torch.tensor([[True, False], [True, True]]), s("v", 4))
proof("MaskedScatter", s("x", 2, 1), torch.tensor([True, False]), s("v", 2))
benchmark("MaskedScatter", lambda x, v, mask: x.masked_scatter(mask, v), rows, rows, constant=masks)

sample("Tril", normal(3, 4), -1)
proof("Tril", s("x", 2, 3), -1)
benchmark("Tril", torch.tril, rows)

sample("Triu", normal(3, 4), 1)
proof("Triu", s("x", 2, 3), 0)
benchmark("Triu", torch.triu, rows)

sample("Unfold", normal(1, 2, 4, 3), [2, 2], [1, 1], [1, 0], [2, 1])
proof("Unfold", s("x", 1, 1, 3, 4), [2, 2], [1, 2], [1, 0], [2, 1])
proof("Unfold", s("x", 2, 2, 2, 2), [2, 1], [1, 1], [0, 0], [1, 1])
benchmark("Unfold", lambda x: F.unfold(x, 3, padding=1), images)

sample("Fold", normal(1, 4, 6), [4, 3], [2, 2], [1, 1], [0, 0], [1, 1])
proof("Fold", s("y", 1, 4, 4), [3, 4], [2, 2], [1, 2], [1, 0], [2, 1])
proof("Fold", s("y", 1, 4, 2), [2, 2], [2, 1], [1, 1], [0, 0], [1, 1])
benchmark("Fold", lambda x: F.fold(x, (8, 8), 2, stride=2), lambda n: rows(n, 32, 16))

sample("Windows", normal(2, 5, 2), 1, 3, 2, but=frozenset({"compile"}))  # a view that overlaps: its call makes a copy there
proof("Windows", s("x", 2, 4), 1, 2, 1)
proof("Windows", s("x", 5, 2), 0, 2, 3)
benchmark("Windows", lambda x: x.unfold(1, 4, 2), rows)

sample("Extreme", APART, (1,), False, True)
proof("Extreme", s("x", 2, 2, at=(1, 4, 2, 3)), (0, 1), False, True)
proof("Extreme", s("x", 2, 2, at=(1, 4, 2, 3)), (1,), True, False)
benchmark("Extreme", lambda x: x.amax(1), rows)

sample("OneOfAll", APART, "median", but=COMPILED_ELSEWHERE)
proof("OneOfAll", s("x", 2, 2, at=(1, 4, 2, 3)), "max")
proof("OneOfAll", s("x", 3, at=(1, 4, 2)), "median")
benchmark("OneOfAll", lambda x: x.max(), rows)

sample("ExtremeAlong", APART, 1, False, True, but=COMPILED_ELSEWHERE)
proof("ExtremeAlong", s("x", 2, 2, at=(1, 4, 2, 3)), 1, False, True)
proof("ExtremeAlong", s("x", 2, 2, at=(1, 4, 2, 3)), 0, True, False)
benchmark("ExtremeAlong", lambda x: x.max(1).values, rows)

sample("Topk", APART, 1, 2, True, True, but=COMPILED_ELSEWHERE)
proof("Topk", s("x", 2, 3, at=(1, 4, 2, 3, 5, 4)), 1, 2, True, True)
benchmark("Topk", lambda x: x.topk(5).values, rows)

sample("Sort", APART, 1, False, True)
proof("Sort", s("x", 2, 3, at=(1, 4, 2, 3, 5, 4)), 1, False, True)
benchmark("Sort", lambda x: x.sort(1).values, rows)

sample("Kthvalue", APART, 1, 2, True, but=COMPILED_ELSEWHERE)
proof("Kthvalue", s("x", 2, 3, at=(1, 4, 2, 3, 5, 4)), 1, 2, False)
benchmark("Kthvalue", lambda x: x.kthvalue(3, 1).values, rows)

sample("Median", APART, 0, False, True, but=COMPILED_ELSEWHERE)
proof("Median", s("x", 2, 3, at=(1, 4, 2, 3, 5, 4)), 1, False, False)
benchmark("Median", lambda x: x.median(1).values, rows)

sample("Mode", APART, 1, False, but=COMPILED_ELSEWHERE)
proof("Mode", s("x", 2, 3, at=(1, 4, 2, 3, 5, 4)), 1, True)
benchmark("Mode", lambda x: x.mode(1).values, rows)

sample("Prod", APART, 1, False, but=COMPILED_ELSEWHERE)
proof("Prod", s("x", 2, 3), 1, False)
proof("Prod", s("x", 1, 2), 0, True)
benchmark("Prod", lambda x: x.prod(1), positive_rows)

sample("Cumsum", APART, 0, but=COMPILED_ELSEWHERE)
proof("Cumsum", s("x", 2, 3), 1)
benchmark("Cumsum", lambda x: x.cumsum(1), rows)

sample("Cumprod", APART, 1)
proof("Cumprod", s("x", 2, 3), 1)
proof("Cumprod", s("x", 3, 1), 0)
benchmark("Cumprod", lambda x: x.cumprod(1), positive_rows)

sample("CosineSimilarity", APART, normal(4), 1, 1e-8, but=COMPILED_ELSEWHERE)
proof("CosineSimilarity", s("a", 2, 2, at=(1, 2, 3, 4)), s("b", 2, at=(1, 2)), 1, 1e-8)
benchmark("CosineSimilarity", F.cosine_similarity, rows, rows)

for _p in (2, 3.5, math.inf):
    sample("VectorNorm", APART, _p, (0, 1), True, as_=str(_p), but=COMPILED_ELSEWHERE)
for p in (2, 1, 3, -1, math.inf, -math.inf, 0):
    proof("VectorNorm", s("x", 2, 2, at=(1, -4, -2, 3)), p, (1,), False)
for p in (0.5, 1.5):
    proof("VectorNorm", s("x", 1, 2, positive=True), p, (1,), False)
proof("VectorNorm", s("x", 2, at=(1, -4)), 2, (0,), True)
benchmark("VectorNorm", lambda x: torch.linalg.vector_norm(x, dim=1), rows)

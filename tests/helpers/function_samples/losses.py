"""Losses."""

import torch
import torch.nn.functional as F

from function_samples.table import (
    COMPILED_ELSEWHERE,
    M,
    benchmark,
    index,
    normal,
    probabilities,
    proof,
    rows,
    s,
    sample,
    unit,
)

sample("MSELoss", normal(3, 4), normal(3, 4), "mean", None)
sample("MSELoss", normal(3, 4), normal(3, 4), "batchmean", unit(3, 4), as_="weighted")
for reduction in ("none", "sum", "mean", "batchmean"):
    proof("MSELoss", s("a", 2, 1), s("y", 1, 2), reduction, None)
proof("MSELoss", s("a", 2), s("y", 2), "mean", s("w", 2))
benchmark("MSELoss", F.mse_loss, rows, constant=rows)

sample("L1Loss", normal(3, 4), normal(3, 4))
proof("L1Loss", s("a", 3, at=(-1, 0, 1)), s("y", 3, at=(0, 0.125, 0)))
benchmark("L1Loss", F.l1_loss, rows, constant=rows)

sample("SmoothL1Loss", normal(3, 4), normal(3, 4), 0.7)
proof("SmoothL1Loss", s("a", 3, at=(-1, 0, 1)), s("y", 3, at=(0, 0.125, 0)), 0.5)
benchmark("SmoothL1Loss", F.smooth_l1_loss, rows, constant=rows)

sample("HuberLoss", normal(3, 4), normal(3, 4), 0.7)
proof("HuberLoss", s("a", 3, at=(-1, 0, 1)), s("y", 3, at=(0, 0.125, 0)), 0.5)
benchmark("HuberLoss", F.huber_loss, rows, constant=rows)

sample("KLDiv", normal(3, 4), unit(3, 4))
proof("KLDiv", s("a", 2), s("y", 2, positive=True))
benchmark("KLDiv", lambda a, y: F.kl_div(a, y, reduction="batchmean"), rows, constant=probabilities)

sample("LogKLDiv", normal(3, 4), normal(3, 4))
proof("LogKLDiv", s("a", 2), s("t", 2))
benchmark("LogKLDiv", lambda a, t: F.kl_div(a, t, reduction="batchmean", log_target=True), rows, constant=rows)

sample("BCELoss", unit(3, 4), unit(3, 4))
proof("BCELoss", s("a", 2, at=(0.25, 0.75)), s("y", 2, at=(0.5, 0.125)))
benchmark("BCELoss", F.binary_cross_entropy, probabilities, constant=probabilities)

sample("BCESlope", unit(3, 4), unit(3, 4))
proof("BCESlope", s("a", 2, at=(0.25, 0.75)), s("y", 2, at=(0.5, 0.125)))

sample("BCEWithLogitsLoss", normal(3, 4), unit(3, 4), None)
sample("BCEWithLogitsLoss", normal(3, 4), unit(3, 4), unit(4), as_="weighted")
proof("BCEWithLogitsLoss", s("x", 2, 2), s("y", 2, 2), s("p", 2))
proof("BCEWithLogitsLoss", s("x", 2), s("y", 2), None)
benchmark("BCEWithLogitsLoss", F.binary_cross_entropy_with_logits, rows, constant=probabilities)

sample("ClassCrossEntropy", normal(2, 3), index(0, 2), None, 0.0, -100, "mean")
sample("ClassCrossEntropy", normal(2, 3), index(0, 2), torch.rand(3), 0.1, 0, "none", as_="smooth", but=COMPILED_ELSEWHERE)
for how in ("none", "sum", "mean"):
    proof("ClassCrossEntropy", s("x", 2, 2, at=(1, 2, 4, 3)), torch.tensor([1, 0]), s("w", 2, given=True), 0.1, -100, how)
proof("ClassCrossEntropy", s("x", 2, 3, at=(1, 2, 4, 3, 6, 5)), torch.tensor([1, 2]), None, 0.0, 1, "mean")
benchmark("ClassCrossEntropy", F.cross_entropy, rows, constant=lambda n: torch.randint(M, (n,)))

sample("CrossEntropy", normal(2, 3), unit(2, 3), None, 0.0, "mean")
sample("CrossEntropy", normal(2, 3), unit(2, 3), unit(3), 0.1, "none", as_="smooth", but=COMPILED_ELSEWHERE)
for how in ("none", "sum", "mean"):
    proof("CrossEntropy", s("x", 1, 2, at=(1, 2)), s("q", 1, 2), s("w", 2), 0.1, how)
proof("CrossEntropy", s("x", 2, 2, at=(1, 2, 4, 3)), s("q", 2, 2), None, 0.0, "mean")
benchmark("CrossEntropy", F.cross_entropy, rows, constant=probabilities)

sample("NLLLoss", normal(2, 3), index(0, 2), None, -100, "mean")
sample("NLLLoss", normal(2, 3), index(0, 2), torch.rand(3), 0, "sum", as_="weighted", but=COMPILED_ELSEWHERE)
for how in ("none", "sum", "mean"):
    proof("NLLLoss", s("l", 2, 2), torch.tensor([1, 0]), s("w", 2, given=True), -100, how)
proof("NLLLoss", s("l", 3, 2), torch.tensor([1, 0, 1]), None, 0, "mean")
benchmark("NLLLoss", F.nll_loss, rows, constant=lambda n: torch.randint(M, (n,)))

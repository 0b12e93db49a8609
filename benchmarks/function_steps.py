"""Contestants of functions.py: forward and backward of a call that one Function implements, with torch and inside by_hand.

The calls come from the samples in tests/helpers/function_samples. A call's first input has n rows of 512 numbers, or n images
with 8 channels and 8 × 8 pixels.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import manualgrad
from manualgrad import by_hand

sys.path.append(str(Path(__file__).parents[1] / "tests" / "helpers"))

from function_samples import BENCHMARKS

__all__ = ["fused", "made", "ours", "torchs"]

Step = Callable[[], Tensor]


def made(name: str, n: int) -> tuple[Callable[..., Tensor], list[Tensor]]:
    """Return the call, and its differentiable inputs with n rows."""
    call, makers, constant = BENCHMARKS[name]
    if constant is None:
        return call, [make(n) for make in makers]
    last = constant(n)
    return lambda *inputs: call(*inputs, last), [make(n) for make in makers]


def torchs(name: str, n: int) -> Step:
    return _step(name, n, nullcontext)


def ours(name: str, n: int) -> Step:
    return _step(name, n, by_hand)


def fused(name: str, n: int) -> Step:
    return manualgrad.fused()(ours(name, n))


def _step(name: str, n: int, block: Any) -> Step:
    torch.manual_seed(0)
    call, inputs = made(name, n)
    inputs = [t.requires_grad_() for t in inputs]
    with block():
        g = torch.rand_like(call(*inputs))

    def step() -> Tensor:
        with block():
            y = call(*inputs)
        return torch.autograd.grad(y, inputs, g)[0].flatten()[0]

    return step

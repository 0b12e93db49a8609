"""Parts that no training step can avoid. Each function returns a call that runs one part."""

from __future__ import annotations

from collections.abc import Callable

import step_torch
import torch
from problem import LR
from torch import Tensor


def products(sizes: list[int], batch: int) -> Callable[[], float]:
    """Run the matrix products of forward and backward, with preallocated outputs."""
    W, _, a, delta = _arrays(sizes, batch)
    dC_dW = [torch.empty_like(W_l) for W_l in W]

    def step() -> float:
        for l, W_l in enumerate(W):
            torch.mm(a[l], W_l.t(), out=a[l + 1])
        for l in reversed(range(len(W))):
            if l:
                torch.mm(delta[l + 1], W[l], out=delta[l])
            torch.mm(delta[l + 1].t(), a[l], out=dC_dW[l])
        return 0.0

    return torch.no_grad()(step)


def operators(sizes: list[int], batch: int) -> Callable[[], Tensor]:
    """Run only the operators of sgd_step: do not read a model or check anything."""
    W, b, a, delta = _arrays(sizes, batch)
    _, y = step_torch.tensors(sizes, batch)
    L, rate = len(W), 2 * LR / y.numel()

    def step() -> Tensor:
        for l in range(L):
            torch.addmm(b[l], a[l], W[l].t(), out=a[l + 1]).sigmoid_()
        error = torch.sub(a[L], y, out=delta[L])
        C = torch.dot(error.reshape(-1), error.reshape(-1)) / y.numel()
        for l in reversed(range(L)):
            delta[l + 1].mul_(a[l + 1].addcmul_(a[l + 1], a[l + 1], value=-1))
            if l:
                torch.mm(delta[l + 1], W[l], out=delta[l])
            W[l].addmm_(delta[l + 1].t(), a[l], alpha=-rate)
            b[l].sub_(delta[l + 1].sum(0), alpha=rate)
        return C

    return torch.no_grad()(step)


def _arrays(sizes: list[int], batch: int) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
    parameters = [p.detach() for p in step_torch.mlp_model(sizes).parameters()]
    x, _ = step_torch.tensors(sizes, batch)
    a = [x, *(torch.rand(batch, size) for size in sizes[1:])]
    return parameters[::2], parameters[1::2], a, [torch.rand(batch, size) for size in sizes]

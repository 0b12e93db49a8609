"""The gradients of a small network, or its step of descent, as one kernel inside `manualgrad.fused`.

In a small network calling an operator takes as long as its arithmetic, and a step has about 30 of them. The kernel's compiled
parts compute everything between the products of matrices; PyTorch computes the products. Large networks consist of products,
and gain nothing.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module, Parameter

from manualgrad import _fused, product
from manualgrad.functions._chunked import unrecorded
from manualgrad.network import costs, stack
from manualgrad.network.forward_pass import Layers

__all__ = ["gradients", "sgd_step"]

_LETTERS = "ABCDEF"  # of the layers' outputs


def gradients(layers: Layers, y: Tensor, cost: Module | None) -> tuple[Tensor, dict[Parameter, Tensor]] | None:
    """Return C and the gradient of each parameter; None if there is no kernel."""
    found = _run("backprop", _gradients, layers, y, cost)
    return None if found is None else (found[0], dict(zip(_parameters(layers), found[1:], strict=True)))


def sgd_step(layers: Layers, y: Tensor, lr: float, cost: Module | None) -> Tensor | None:
    """Take a step of descent and return C; None if there is no kernel, and then nothing has changed."""
    found = _run("sgd_step", _sgd_step, layers, y, cost, lr)
    if found is None:
        return None
    torch.autograd.graph.increment_version(_parameters(layers))  # the kernel wrote to their memory
    return found[0]


def _gradients(x: Tensor, y: Tensor, *others: Any) -> tuple[Tensor, ...]:
    *parameters, activations, has_b, kind = others
    rest = iter(parameters)
    W, b = zip(*((next(rest), next(rest) if has else None) for has in has_b), strict=True)
    a = stack.forward(x, W, b, activations)
    cost = costs.of(kind, a[-1], y)
    C = cost.of_batch()
    found: list[Tensor] = []
    for l, _, delta in stack.backward(a, W, activations, cost.error / cost.divisor):
        found[:0] = [product.mm(delta.t(), a[l])] + ([] if b[l] is None else [delta.sum(0)])
    return C, *found


def _sgd_step(x: Tensor, y: Tensor, lr: Tensor, *others: Any) -> Tensor:
    C, *found = _gradients(x, y, *others)
    for parameter, gradient in zip(others, found, strict=False):
        parameter.sub_(lr * gradient)
    return C


def _run(
    caller: str, formula: Any, layers: Layers, y: Tensor, cost: Module | None, *numbers: float
) -> tuple[Tensor, ...] | None:
    if not _suits(layers, y):
        return None
    x, W, parameters = layers.x, layers.W, _parameters(layers)
    kind = costs.kind_of(caller, cost, y, len(x), len(W[-1]), like=W[-1])
    outputs = _LETTERS[: len(W)]
    shapes = ["NI", "N" + outputs[-1] if y.dim() == 2 else "N", *["1" for _ in numbers]]
    for before, after, b in zip("I" + outputs, outputs, layers.b, strict=False):
        shapes += [after + before] + ([] if b is None else [after])
    scalars = [torch.full((1,), number, dtype=x.dtype) for number in numbers]
    settings = (tuple(layers.activations), tuple(b is not None for b in layers.b), kind)
    return _fused.run(formula, tuple(shapes), (x, y, *scalars, *parameters), settings, threads=1)


def _suits(layers: Layers, y: Tensor) -> bool:
    """Return whether there can be a kernel: for plain, trainable parameters and small products on the CPU."""
    x, W, parameters = layers.x, layers.W, _parameters(layers)
    return (
        0 < len(W) <= len(_LETTERS)
        and all(W_l is not None for W_l in W)
        and x.dtype in (torch.float32, torch.float64)
        and x.device.type == "cpu"
        and min(*x.shape, *map(len, W)) > 1  # Inductor multiplies single rows and columns by code that holds for few sizes
        and unrecorded(x, y, *parameters)
        and all(p.requires_grad and p.is_contiguous() and p.dtype == x.dtype for p in parameters)
        and all(2 * len(x) * W_l.numel() < product.MIN_FLOP for W_l in W)
        and all(W_l.shape[1] == len(before) for before, W_l in pairwise(W))
        and all(b is None or b.shape == W_l.shape[:1] for b, W_l in zip(layers.b, W, strict=True))
        and not layers.is_tied()
    )


def _parameters(layers: Layers) -> list[Parameter]:
    return [p for pair in zip(layers.W, layers.b, strict=True) for p in pair if p is not None]

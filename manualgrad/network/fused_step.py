"""The gradients of a small network, or its step of descent, as one kernel inside `manualgrad.fused`.

In a small network calling an operator takes as long as its arithmetic, and a step has about 30 of them. The kernel has one for
each larger product of matrices, and computes everything else itself. Large networks consist of products, and gain nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
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
_INSIDE = 300_000  # multiplications of a product from which calling MKL takes less time


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
    """Compute C and ∂C/∂W, ∂C/∂b of each layer by the equations of stack.py; `others` are W and b of each, and settings."""
    *parameters, activations, has_b, inside, kind = others
    rest = iter(parameters)
    W, b = zip(*((next(rest), next(rest) if has else 0) for has in has_b), strict=True)
    a = [x]
    for l, activation in enumerate(activations):
        z = _product(a[l], W[l].t(), inside[l]) + b[l]
        a.append(stack.activate(z, activation))
    cost = costs.of(kind, a[-1], y)
    C, dC_da = cost.of_batch(), cost.error / cost.divisor
    found: list[Tensor] = []
    for l in reversed(range(len(W))):
        delta = stack.delta_of(dC_da, a[l + 1], activations[l])
        found[:0] = [_product(delta.t(), a[l], inside[l]), *([delta.sum(0)] if has_b[l] else [])]
        if l:
            dC_da = _product(delta, W[l], inside[l])
    return C, *found


def _sgd_step(x: Tensor, y: Tensor, lr: Tensor, *others: Any) -> Tensor:
    """Compute C and p ← p − lr ∂C/∂p in place."""
    C, *found = _gradients(x, y, *others)
    for parameter, gradient in zip(others, found, strict=False):
        parameter.sub_(lr * gradient)
    return C


def _product(A: Tensor, B: Tensor, inside: bool) -> Tensor:
    """Compute A B, inside the kernel or by a call."""
    return (A[:, :, None] * B[None, :, :]).sum(1) if inside else torch.mm(A, B)


def _run(
    caller: str, formula: Callable[..., Any], layers: Layers, y: Tensor, cost: Module | None, *numbers: float
) -> tuple[Tensor, ...] | None:
    x, W, b, parameters = layers.x, layers.W, layers.b, _parameters(layers)
    if any(W_l is None for W_l in W) or layers.is_tied() or not _are_plain(x, y, parameters):
        return None
    has_b = tuple([b_l is not None for b_l in b])
    inside = _which_products_are_inside(x.shape, has_b, *[p.shape for p in parameters])
    if inside is None:
        return None
    kind = costs.kind_of(caller, cost, y, len(x), len(W[-1]), like=x)
    kernel = _kernel(formula, x.dtype, y.dtype, y.dim(), len(numbers), tuple(layers.activations), has_b, inside, kind)
    if kernel is None:
        return None
    return kernel(x.contiguous(), y.contiguous(), *[x.new_full((1,), number) for number in numbers], *parameters)


def _are_plain(x: Tensor, y: Tensor, parameters: list[Parameter]) -> bool:
    """Return whether all are plain tensors on the CPU, and the parameters trainable and contiguous, of the dtype of x."""
    return (
        x.is_cpu
        and x.dtype in (torch.float32, torch.float64)
        and all(p.requires_grad and p.is_cpu and p.dtype is x.dtype and p.is_contiguous() for p in parameters)
        and unrecorded(x, y, *parameters)
    )


@functools.lru_cache(maxsize=256)
def _which_products_are_inside(x: torch.Size, has_b: tuple[bool, ...], *parameters: torch.Size) -> tuple[bool, ...] | None:
    """Return for each layer whether the kernel computes its products itself; None if there is no kernel for these shapes.

    Inductor multiplies single rows and columns by code that holds for few sizes.
    """
    if not 0 < len(has_b) <= len(_LETTERS):
        return None
    rest = iter(parameters)
    n, inputs = x
    inside = []
    for has in has_b:
        W = next(rest)
        outputs, multiplications = W[0], n * W.numel()
        if W[1:] != (inputs,) or (has and next(rest) != (outputs,)):
            return None
        if min(n, inputs, outputs) < 2 or 2 * multiplications >= product.MIN_FLOP:
            return None
        inside.append(multiplications < _INSIDE)
        inputs = outputs
    return tuple(inside)


@functools.lru_cache(maxsize=256)
def _kernel(
    formula: Callable[..., Any],
    dtype: torch.dtype,
    dtype_of_y: torch.dtype,
    dims_of_y: int,
    numbers: int,
    activations: tuple[str, ...],
    has_b: tuple[bool, ...],
    inside: tuple[bool, ...],
    kind: costs.Kind,
) -> _fused.Kernel | None:
    outputs = _LETTERS[: len(activations)]
    shapes = ["NI", ("N" + outputs[-1])[:dims_of_y], *["1"] * numbers]
    for before, after, has in zip("I" + outputs, outputs, has_b, strict=False):
        shapes += [after + before, after] if has else [after + before]
    dtypes = (dtype, dtype_of_y, *[dtype] * (len(shapes) - 2))
    return _fused.find(formula, tuple(shapes), dtypes, (activations, has_b, inside, kind), threads=1)


def _parameters(layers: Layers) -> list[Parameter]:
    return [p for pair in zip(layers.W, layers.b, strict=True) for p in pair if p is not None]

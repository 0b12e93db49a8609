"""Describe what is wrong with a call, in a message that names the argument.

PyTorch decides what is an error: these functions run only after it has raised. If they return None, its error is unchanged.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def linear_problem(input: Any, weight: Any, bias: Any) -> str | None:
    tensors = {"input": input, "weight": weight} | ({} if bias is None else {"bias": bias})
    problem = _not_tensors("linear", tensors)
    if problem:
        return problem
    if input.dim() == 0 or input.shape[-1] != weight.shape[-1]:
        return (
            f"linear: got input of shape {list(input.shape)} for weight of shape {list(weight.shape)}, "
            f"expected input's last dimension to be {weight.shape[-1]}"
        )
    if weight.dim() != 2:
        return f"linear: got weight of shape {list(weight.shape)}, expected two dimensions, [out, in]"
    if bias is not None and bias.shape != weight.shape[:1]:
        return (
            f"linear: got bias of shape {list(bias.shape)} for weight of shape {list(weight.shape)}, "
            f"expected bias of shape [{weight.shape[0]}]"
        )
    return _differ("linear", tensors)


def mse_loss_problem(input: Any, target: Any, weight: Any) -> str | None:
    tensors = {"input": input, "target": target} | ({} if weight is None else {"weight": weight})
    problem = _not_tensors("mse_loss", tensors)
    if problem:
        return problem
    try:
        torch.broadcast_shapes(input.shape, target.shape)
    except RuntimeError:
        return (
            f"mse_loss: got target of shape {list(target.shape)} for input of shape {list(input.shape)}, "
            "expected the same shape"
        )
    for name, tensor in tensors.items():
        if tensor.is_complex():
            return f"mse_loss: expected {name} to be a real floating-point tensor, got {tensor.dtype}"
    if not input.is_floating_point() and not target.is_floating_point():
        return f"mse_loss: got input {input.dtype} and target {target.dtype}, expected at least one floating-point tensor"
    return _differ("mse_loss", tensors, dtype=False)


def sigmoid_problem(input: Any) -> str | None:
    return _not_tensors("sigmoid", {"input": input})


def relu_problem(input: Any) -> str | None:
    problem = _not_tensors("relu", {"input": input})
    if problem is None and (input.is_complex() or input.dtype == torch.bool):
        return f"relu: expected input to be a tensor of real numbers, got {input.dtype}"
    return problem


def _not_tensors(function: str, arguments: dict[str, Any]) -> str | None:
    for name, value in arguments.items():
        if not isinstance(value, Tensor):
            return f"{function}: expected {name} to be a Tensor, got a {type(value).__name__}"
    return None


def _differ(function: str, tensors: dict[str, Tensor], dtype: bool = True) -> str | None:
    """Return a message if a tensor's device or dtype differs from the first one's."""
    (first, input), *others = tensors.items()
    for name, tensor in others:
        if tensor.device != input.device:
            return f"{function}: got {name} on {tensor.device} and {first} on {input.device}, expected the same device"
        if dtype and tensor.dtype != input.dtype:
            return f"{function}: got {name} {tensor.dtype} and {first} {input.dtype}, expected the same dtype"
    return None

"""Say what is wrong with a call, in a sentence that names the argument.

torch decides what is an error: these are asked only after it has raised, and what they cannot explain is raised as it was.
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
            f"linear: input of shape {list(input.shape)} does not fit weight of shape {list(weight.shape)}: "
            f"its last dimension must be {weight.shape[-1]}"
        )
    if weight.dim() != 2:
        return f"linear: weight has shape {list(weight.shape)}, and must have two dimensions, [out, in]"
    if bias is not None and bias.shape != weight.shape[:1]:
        return (
            f"linear: bias of shape {list(bias.shape)} does not fit weight of shape {list(weight.shape)}: "
            f"it must have shape [{weight.shape[0]}]"
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
            f"mse_loss: target of shape {list(target.shape)} does not fit input of shape {list(input.shape)}: "
            "the two must be alike"
        )
    for name, tensor in tensors.items():
        if tensor.is_complex():
            return f"mse_loss: {name} is {tensor.dtype}, and must be a real floating-point tensor"
    if not input.is_floating_point() and not target.is_floating_point():
        return f"mse_loss: input is {input.dtype} and target {target.dtype}, and one must be a floating-point tensor"
    return _differ("mse_loss", tensors, dtype=False)


def sigmoid_problem(input: Any) -> str | None:
    return _not_tensors("sigmoid", {"input": input})


def relu_problem(input: Any) -> str | None:
    problem = _not_tensors("relu", {"input": input})
    if problem is None and (input.is_complex() or input.dtype == torch.bool):
        return f"relu: input is {input.dtype}, and must be a real number tensor"
    return problem


def _not_tensors(function: str, arguments: dict[str, Any]) -> str | None:
    for name, value in arguments.items():
        if not isinstance(value, Tensor):
            return f"{function}: {name} must be a Tensor, and is a {type(value).__name__}"
    return None


def _differ(function: str, tensors: dict[str, Tensor], dtype: bool = True) -> str | None:
    """Whether another tensor has another device or dtype than the first."""
    (first, input), *others = tensors.items()
    for name, tensor in others:
        if tensor.device != input.device:
            return f"{function}: {name} is on {tensor.device} and {first} on {input.device}, and must be on the same device"
        if dtype and tensor.dtype != input.dtype:
            return f"{function}: {name} is {tensor.dtype} and {first} {input.dtype}, and must have the same dtype"
    return None

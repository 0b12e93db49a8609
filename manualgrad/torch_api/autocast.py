"""Apply torch.autocast to a whole call whose autocast rule differs from those of the Functions inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from manualgrad.function.base import _autocast_is_on_for, _cast, _device_type

__all__ = ["autocast_is_on", "autocast_is_on_for", "cast", "cast_as", "in_float32_on_the_cpu", "in_its_dtype"]

autocast_is_on = torch._C._is_any_autocast_enabled


def autocast_is_on_for(x: Tensor) -> bool:
    return autocast_is_on() and _autocast_is_on_for(x.device.type)


def cast(policy: Any, tensors: tuple[Any, ...]) -> tuple[Any, ...]:
    """Cast the tensors under autocast, as a Function with this policy does (`Function.autocast`)."""
    device_type = _device_type(tensors)
    return _cast(tensors, policy, device_type) if autocast_is_on() and _autocast_is_on_for(device_type) else tensors


def cast_as(policy: dict[str, Any], tensors: tuple[Any, ...], call: Callable[..., Any]) -> Any:
    """Return `call(*tensors)`; under autocast on a device of the policy, cast the tensors and turn autocast off for the call.

    A device's policy of None casts nothing.
    """
    device_type = _device_type(tensors)
    if not autocast_is_on() or device_type not in policy:
        return call(*tensors)
    tensors = cast(policy, tensors)
    with torch.autocast(device_type, enabled=False):
        return call(*tensors)


def in_float32_on_the_cpu(x: Tensor, call: Callable[..., Any]) -> Any:
    """Return `call(x)`, for operators that torch.autocast runs in float32 on the CPU only (aten/src/ATen/autocast_mode.cpp)."""
    return cast_as({"cpu": "float32"}, (x,), call) if autocast_is_on() else call(x)


def in_its_dtype(Function: Any, x: Tensor, dtype: torch.dtype | None, *others: Any) -> Any:
    """Return `Function.apply(x, ...)`, in `dtype` if it is not None: autocast does not override the caller's dtype."""
    if dtype is None:
        return Function.apply(x, *others)
    if not autocast_is_on_for(x):
        return Function.apply(x.to(dtype), *others)
    with torch.autocast(x.device.type, enabled=False):
        return Function.apply(x.to(dtype), *others)

"""Calls that somebody else wants to answer: `__torch_function__`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.overrides import handle_torch_function


def call_override(
    ours: Callable[..., Any], torchs: Callable[..., Any], tensors: tuple[Any, ...], *args: Any, **kwargs: Any
) -> Any:
    """Hand the call to the override that `has_torch_function` found.

    A tensor subclass is given torch's function, the one it knows. A mode is given ours: `torch.set_default_device` is one,
    calls whatever it is given, and would otherwise leave the hand-written gradients out. But the mode of torch.export writes
    torch's own function into the graph, from which no other could be loaded.
    """
    function = torchs if wants_torchs(*tensors) else ours
    return handle_torch_function(function, tensors, *args, **kwargs)


def wants_torchs(*tensors: Any) -> bool:
    """Whether one of the tensors overrides torch functions, or torch.export is at work."""
    return torch.compiler.is_exporting() or any(
        type(tensor) is not torch.Tensor and getattr(type(tensor), "__torch_function__", _disabled) is not _disabled
        for tensor in tensors
    )


_disabled = torch._C._disabled_torch_function_impl

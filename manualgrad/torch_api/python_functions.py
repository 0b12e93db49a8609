"""Copies of PyTorch's Python functions, such as F.multi_head_attention_forward, that run inside the mode.

Each original checks for overrides of PyTorch's functions and dispatches itself to the active mode, which is off during the
call. A copy finds no override and runs inside the mode, so the operators that it calls are differentiated by hand.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

__all__ = ["COPIES", "copied"]

_NOBODY = {name: lambda *_: False for name in ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")}
_globals: dict[str, dict[str, Any]] = {}  # those of the copies, by module


def _copies(module: Any) -> dict[Any, Callable[..., Any]]:
    """Copy the module's functions that dispatch themselves to a mode."""
    found: dict[Any, Callable[..., Any]] = {}
    for function in vars(module).values():
        is_here = isinstance(function, types.FunctionType) and function.__globals__ is vars(module)
        if is_here and "handle_torch_function" in function.__code__.co_names and not _calls_its_namesake(function):
            found[function] = copied(function)
    return found


def copied(function: Any) -> Callable[..., Any]:
    """Return a copy of a Python function of PyTorch's that does not dispatch itself to a mode."""
    # Dynamo skips code whose file name is torch/functional.py.
    code = function.__code__.replace(co_filename=f"{__file__}: {function.__code__.co_filename}")
    names = _globals.get(function.__module__) or _globals.setdefault(function.__module__, {**function.__globals__, **_NOBODY})
    copy = types.FunctionType(code, names, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _calls_its_namesake(function: types.FunctionType) -> bool:
    """Return whether it calls a C function that its own name in torch hides, which Dynamo cannot call; torch.cdist does."""
    names = function.__code__.co_names
    calls_c = "_VF" in names or "_VariableFunctions" in names
    return calls_c and any(isinstance(getattr(torch, name, None), types.FunctionType) for name in names)


COPIES = {**_copies(F), **_copies(torch.functional)}

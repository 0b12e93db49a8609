"""The catalogue: the registry of PyTorch's functions, methods and operators, each with its hand-differentiated call.

A call is a Python function with PyTorch's signature that applies Functions; `@answers` registers it. If it does not support
its arguments, it returns NotImplemented, and PyTorch's function runs or raises instead.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from manualgrad.function.in_place import copy_into
from manualgrad.torch_api.signatures import Signature, rebound, signatures

__all__ = [
    "CALL_ERRORS",
    "CATALOGUE",
    "HAS_OWN_ERRORS",
    "METHODS_IN_PYTHON",
    "SIGNATURES",
    "answered",
    "answers",
    "aten_signature",
    "explained",
    "is_not_about_the_call",
]

_Call = TypeVar("_Call", bound=Callable[..., Any])

CATALOGUE: dict[Any, Callable[..., Any]] = {}
"""Maps PyTorch's function, method or operator to its call."""

SIGNATURES: dict[Any, tuple[Signature, ...]] = {}
"""Maps PyTorch's function to its signatures, for calls that do not match the hand-written one's."""

METHODS_IN_PYTHON: dict[str, Callable[..., Any]] = {}
"""Methods of Tensor that PyTorch writes in Python, by name: Dynamo does not find them in a dict by their identity."""

HAS_OWN_ERRORS: dict[Callable[..., Any], Callable[..., str | None]] = {}
"""Maps a call whose errors name the argument to the function that describes what is wrong."""

_OWN_OBJECTS = (FunctionCtx, types.ModuleType)
_dynamo_is_tracing = torch.compiler.is_dynamo_compiling

CALL_ERRORS = (RuntimeError, TypeError, AttributeError, ValueError, IndexError)


def answers(
    *names: Any, in_place: Any = (), keeps_input: bool = True, explain: Callable[..., str | None] | None = None
) -> Callable[[_Call], _Call]:
    """Decorate a call: register it in the catalogue.

    Args:
        names: PyTorch's functions that the call answers.
        in_place: PyTorch's in-place variants of them, one or several.
        keeps_input: whether the derivative may need the input; the in-place variants then work on a copy of it.
        explain: describes what is wrong with the arguments that it takes as parameters; see errors.py.
    """

    def enter(call: _Call) -> _Call:
        if explain is not None:
            HAS_OWN_ERRORS[call] = explain
        forms = in_place if isinstance(in_place, tuple) else (in_place,)
        changed = _in_place(call, keeps_input)
        answered_by: dict[Any, Callable[..., Any]] = dict.fromkeys(names, call) | dict.fromkeys(forms, changed)
        for name, answer in answered_by.items():
            CATALOGUE[name] = answer
            if name not in (Tensor.__getitem__, Tensor.__setitem__):
                SIGNATURES[name] = signatures(name, answer)
            if isinstance(name, types.FunctionType) and "Tensor" in name.__qualname__:
                METHODS_IN_PYTHON[name.__name__] = answer
        return call

    return enter


def _in_place(call: Callable[..., Any], keeps_input: bool) -> Callable[..., Any]:
    """Make the in-place variant: copy the result into the input, so that versions and views are as in PyTorch."""

    @functools.wraps(call)
    def changed(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        value = call(input.clone() if keeps_input else input, *args, **kwargs)
        if value is NotImplemented or value.shape != input.shape or not _can_cast(value.dtype, input.dtype):
            return NotImplemented
        return copy_into(value, input)

    return changed


def _can_cast(dtype: torch.dtype, to: torch.dtype) -> bool:
    """Return torch.can_cast, which Dynamo cannot trace, for differentiable dtypes."""
    return to.is_complex or (to.is_floating_point and not dtype.is_complex)


def aten_signature(call: Callable[..., Any]) -> Callable[..., Any]:
    """Give a call the signature of the operator in torch._C._nn, which does not have `inplace`."""

    @functools.wraps(call)
    def without_inplace(input: Tensor, *numbers: Any, **named: Any) -> Any:
        return call(input, *numbers, **named)

    return without_inplace


def answered(call: Callable[..., Any], torchs: Any, args: Any, kwargs: Any) -> Any:
    """Return the call's answer for PyTorch's function, rebound to the call's signature if necessary, or NotImplemented.

    Raises:
        Exception: the call's own error, if the call is in `HAS_OWN_ERRORS`.
    """
    try:
        answer = call(*args, **kwargs)
        if answer is not NotImplemented:
            return answer
        error = None
    except CALL_ERRORS as found:
        if is_not_about_the_call(found):
            raise
        error = found
    try:
        bound = rebound(SIGNATURES.get(torchs, ()), args, kwargs)
        if bound is not None:
            return answered(call, torchs, *bound)
        if error is not None and call in HAS_OWN_ERRORS:
            raise explained(error, call, args, kwargs)
        return NotImplemented
    finally:
        error = None  # whose traceback holds this frame, and so the tensors


def is_not_about_the_call(error: Exception) -> bool:
    """Return whether an error must not fall back to PyTorch: out of memory, or a misspelled name in a Function's methods."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, AttributeError) and not _dynamo_is_tracing() and isinstance(error.obj, _OWN_OBJECTS)


def explained(error: Exception, call: Callable[..., Any], args: Any, kwargs: Any) -> Exception:
    """Return the error, or an error of the same type that describes the problem if it is known."""
    explain = HAS_OWN_ERRORS.get(call)
    if explain is None or isinstance(error, torch.OutOfMemoryError):
        return error
    try:
        bound = inspect.signature(call).bind(*args, **kwargs)
    except TypeError:  # Python's own error is clear enough
        return error
    bound.apply_defaults()
    problem = explain(**{name: bound.arguments[name] for name in inspect.signature(explain).parameters})
    if problem is None:
        return error
    better = type(error)(problem)
    better.__cause__ = error
    return better

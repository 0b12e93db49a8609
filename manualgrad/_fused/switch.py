"""What is on in this thread."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["fusing", "is_fusing", "is_on", "is_tracing", "listed", "listing", "set_on", "tracing"]

_VARIABLE = "MANUALGRAD_FUSED"


_asked_for = os.environ.get(_VARIABLE) or "0"
if _asked_for not in ("0", "1"):
    raise ValueError(f"{_VARIABLE} must be 0 or 1, got {_asked_for!r}")


class _Thread(threading.local):
    is_on = _asked_for == "1"  # for the Functions that are called
    is_fusing = False  # in the forward or the backward of such a Function
    is_tracing = False


_lists: list[dict[Any, Any]] = []  # for any thread: a backward runs in another
_thread = _Thread()


def set_on(value: bool) -> bool:
    """Turn `fused` on or off in this thread, and return whether it was on."""
    was_on, _thread.is_on = _thread.is_on, value
    return was_on


def is_on() -> bool:
    """Return whether this thread is inside `fused`."""
    return _thread.is_on


def is_fusing() -> bool:
    """Return whether formulas run as kernels: in a Function whose forward was called inside `fused`."""
    return _thread.is_fusing


def fusing(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the forward or the backward of a Function: its formulas run as kernels, wherever and in whatever thread it runs."""

    @functools.wraps(method)
    def fusing_method(*args: Any) -> Any:
        was_fusing, _thread.is_fusing = _thread.is_fusing, True
        try:
            return method(*args)
        finally:
            _thread.is_fusing = was_fusing

    return fusing_method


def is_tracing() -> bool:
    """Return whether a formula is being traced in this thread."""
    return _thread.is_tracing


def listed() -> dict[Any, Any] | None:
    """Return where kernels that are missing are listed instead of compiled, if they are."""
    return _lists[-1] if _lists else None


@contextmanager
def listing() -> Iterator[dict[Any, Any]]:
    """List the formulas whose kernels are missing, by their keys, and run them as operators."""
    _lists.append({})
    try:
        yield _lists[-1]
    finally:
        _lists.pop()


@contextmanager
def tracing() -> Iterator[None]:
    _thread.is_tracing = True
    try:
        yield
    finally:
        _thread.is_tracing = False

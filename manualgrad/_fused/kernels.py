"""The kernel for a call: looked up, loaded or compiled."""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from manualgrad._fused import store, switch

__all__ = ["Formula", "Kernel", "find", "obtain", "run"]

_SERIAL = 1 << 14  # elements up to which starting threads takes longer than the formula
_LARGEST = 1 << 31  # elements from which 32-bit indices overflow
_MOST = 16  # kernels of a formula for different numbers: a number that changes with every step must not compile with every step

Kernel = Callable[..., tuple[Tensor, ...]]
_kernels: dict[Hashable, Kernel | None] = {}  # None: the operators
_compiled_for: Counter[Callable[..., Any]] = Counter()
_lock = threading.Lock()


class Formula(NamedTuple):
    """What a kernel computes, and for which arguments."""

    function: Callable[..., Any]
    shapes: tuple[str, ...]
    dtypes: tuple[torch.dtype, ...]
    numbers: tuple[Any, ...]
    threads: int


def run(
    function: Callable[..., Any], shapes: tuple[str, ...], arrays: tuple[Tensor, ...], numbers: tuple[Any, ...] = ()
) -> tuple[Tensor, ...] | None:
    """Return the outputs of function(*arrays, *numbers), or None if there is no kernel for these arguments.

    Args:
        shapes: the shape of each array, a letter per dimension, such as ("RM", "RM", "R1", "M"): equal letters are equal sizes
            of at least 2, and the digits 1 and 2 are those sizes.
        arrays: of these shapes.
        numbers: constants of the formula.
    """
    count = max([t.numel() for t in arrays])
    if not 1 < count < _LARGEST:
        return None
    threads = 1 if count <= _SERIAL else torch.get_num_threads()
    kernel = find(function, shapes, tuple([t.dtype for t in arrays]), numbers, threads, arrays[0].device.type)
    return None if kernel is None else kernel(*[t.contiguous() for t in arrays])  # it knows no other strides


def find(
    function: Callable[..., Any],
    shapes: tuple[str, ...],
    dtypes: tuple[torch.dtype, ...],
    numbers: tuple[Any, ...],
    threads: int,
    device: str = "cpu",
) -> Kernel | None:
    """Return the kernel for arrays of these shapes, see `run`; it takes them in contiguous memory."""
    key = (function, shapes, dtypes, threads, device, *map(repr, numbers))
    try:
        return _kernels[key]
    except KeyError:
        return _missing(key, Formula(function, shapes, dtypes, numbers, threads), device)


def _missing(key: Hashable, formula: Formula, device: str) -> Kernel | None:
    if device != "cpu" or any(dtype.is_complex for dtype in formula.dtypes):
        return None
    if (listed := switch.listed()) is not None:
        listed[key] = formula
        return None
    return obtain(key, formula)


def obtain(key: Hashable, formula: Formula) -> Kernel | None:
    """Load or compile a kernel; None if that fails, after a warning, and for the seventeenth kernel of a function."""
    with _lock:
        if key in _kernels:
            return _kernels[key]
        if _compiled_for[formula.function] >= _MOST:
            return None
        try:
            kernel = store.kernel(formula)
        except Exception as error:
            _warn(error)
            kernel = None
        _compiled_for[formula.function] += 1
        _kernels[key] = kernel
        return kernel


_warned = False


def _warn(error: Exception) -> None:
    global _warned
    if not _warned:
        _warned = True
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        warnings.warn(
            f"manualgrad.fused: formulas cannot be compiled here, and run as operators ({reason}). Compiling requires a C++ "
            "compiler, such as g++, that torch.compile finds.",
            stacklevel=6,
        )

"""What PyTorch's operators mean on arrays of expressions, from PyTorch's documentation of each.

The names and the arguments are those of torch.ops.aten, which the functions of `torch` and `torch.nn.functional` consist of.
The definitions are meant to be read, not to be quick: a convolution is its sum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from manualgrad.symbolic.operators import elementary, interpolation, layers, movement, piecewise, rounding, sums, windows

__all__ = ["OPERATORS"]

_TABLES = (elementary, piecewise, rounding, sums, movement, windows, interpolation, layers)
OPERATORS: dict[str, Callable[..., Any]] = {name: meaning for file in _TABLES for name, meaning in file.TABLE.items()}

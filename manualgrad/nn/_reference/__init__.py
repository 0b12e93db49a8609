"""What the reference says of each layer and function: what `help` shows, and the pages that are made from it.

Of a function or class only what is its own is written here. What is said of all of them, and in which form, is in entry.py;
the meaning of each argument of a layer is in arguments.py. Each error stands with a call that raises it, and each example runs:
tests/test_reference.py.
"""

from manualgrad.nn._reference import (
    activations,
    convolution,
    dropout,
    linear,
    losses,
    normalization,
    padding,
    pooling,
    transformer,
    upsampling,
)
from manualgrad.nn._reference.entry import Entry, of_class, of_function

__all__ = ["CLASSES", "FUNCTIONS", "of_class", "of_function"]

_FAMILIES = (
    activations,
    convolution,
    dropout,
    linear,
    losses,
    normalization,
    padding,
    pooling,
    transformer,
    upsampling,
)

FUNCTIONS: dict[str, Entry] = {name: entry for family in _FAMILIES for name, entry in family.FUNCTIONS.items()}
"""By their names in `nn.functional`."""

CLASSES: dict[str, Entry] = {name: entry for family in _FAMILIES for name, entry in family.CLASSES.items()}
"""By their names in `nn`."""

"""The block, such as `by_hand`, whose call is being answered.

PyTorch switches a mode off while the mode answers a call, and so while it runs the `jvp` of a Function that the call applies.
The block switches itself on again there, so that derivatives of the rule are recorded as inside the block.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from torch import Tensor

from manualgrad.function.functorch import transforms_are_active

__all__ = ["answering", "inside_the_block"]

_Block = Callable[[], AbstractContextManager[None]]


class _Answering(threading.local):
    block: _Block | None = None


_answering = _Answering()


class answering:
    """Context manager: inside it, a call of the block is being answered in this thread."""

    def __init__(self, block: _Block) -> None:
        self._block = block

    def __enter__(self) -> None:
        self._outer, _answering.block = _answering.block, self._block

    def __exit__(self, *error: object) -> None:
        _answering.block = self._outer


def inside_the_block(rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the rule, a function of tuples of tensors, to run inside the block if its result is differentiated further."""
    block = _answering.block
    if block is None:
        return rule

    def inside(tensors: Any) -> Any:
        is_recorded = any(isinstance(t, Tensor) and t.requires_grad for group in tensors for t in group)
        if not is_recorded and not transforms_are_active():
            return rule(tensors)
        with block():
            return rule(tensors)

    return inside

"""PyTorch's calls of the autograd engine, run inside the block if they record what they compute.

Each dispatches itself to the mode, which is off during the call. Its copy finds no mode to dispatch to, so the engine runs the
hand-written backwards, hooks and other people's Functions inside the block, in whatever thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from manualgrad.torch_api.python_functions import copied

__all__ = ["ENGINE_CALLS", "recording", "was_recorded_by_the_engine"]

ENGINE_CALLS: dict[Any, Callable[..., Any]] = {
    function: copied(function) for function in (torch.autograd.grad, torch.autograd.backward, Tensor.backward)
}
"""Maps PyTorch's function to its copy."""

_sequence_number: Callable[[], int] = torch._C._autograd._get_sequence_nr
_MOST = 1 << 14  # recorded runs to remember

_runs: deque[tuple[int, int]] = deque(maxlen=_MOST)


class recording:
    """Context manager around a run of the engine that records what it computes."""

    def __enter__(self) -> None:
        self._first = _sequence_number()

    def __exit__(self, *error: object) -> None:
        _runs.append((self._first, _sequence_number()))


def was_recorded_by_the_engine(node: Any) -> bool:
    """Return whether a run of the engine inside the block made the node of an addition, to accumulate gradients.

    Inside the block every addition in Python has a hand-written node.
    """
    number = node._sequence_nr()
    return any(first <= number < end for first, end in _runs)

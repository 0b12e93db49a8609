"""PyTorch's calls of the autograd engine, run inside the block if they record what they compute.

Each dispatches itself to the mode, which is off during the call. Its copy finds no mode to dispatch to, so the engine runs the
hand-written backwards, hooks and other people's Functions inside the block.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch._functorch.eager_transforms import _autograd_grad

from manualgrad.function.functorch import is_differentiated_around
from manualgrad.torch_api.python_functions import copied

__all__ = ["ENGINE_CALLS", "recording", "records_derivatives", "was_recorded_by_the_engine"]

ENGINE_CALLS: dict[Any, Callable[..., Any]] = {
    function: copied(function) for function in (torch.autograd.grad, torch.autograd.backward, Tensor.backward)
}
"""Maps PyTorch's function to its copy."""

_sequence_number: Callable[[], int] = torch._C._autograd._get_sequence_nr
_MOST = 1 << 14  # recorded runs to remember

_runs: deque[tuple[int, int]] = deque(maxlen=_MOST)


def records_derivatives(outputs: Any, kwargs: dict[str, Any]) -> bool:
    """Return whether a call of the engine records what it computes, for a derivative of it.

    torch.func.grad, vjp and jacrev always record, but only transforms and autograd around them differentiate the result.
    """
    if not kwargs.get("create_graph") or kwargs.get("is_grads_batched"):
        return False
    if not _is_called_by_torch_func():
        return True
    return any(is_differentiated_around(t) for t in (*outputs, *(kwargs["grad_outputs"] or ())))


def _is_called_by_torch_func() -> bool:
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code is not torch.autograd.grad.__code__:
        frame = frame.f_back
    return frame is not None and frame.f_back is not None and frame.f_back.f_code is _autograd_grad.__code__


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

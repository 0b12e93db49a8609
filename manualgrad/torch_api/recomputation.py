"""torch.utils.checkpoint inside the block: what it computed by hand is recomputed by hand, wherever the backward runs.

The recomputation runs during the backward, where the block may have ended or a new one begun. So the function that a checkpoint
keeps for it is replaced with one that enters the block. A checkpoint that began outside is left alone, because it compares the
tensors that the recomputation saves with those of the forward. (The reentrant kind compares nothing. If a backward with
create_graph runs one inside the block, it recomputes there.)

PyTorch offers no way to change that function later. It is an attribute of a frame (a ctx, for the reentrant kind), which is
found by the checkpoint's saved-tensor hooks (by the Python frame of its forward).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import CheckpointFunction

__all__ = ["checkpoint_around", "recompute_inside", "recompute_reentrant_inside", "reentrant_checkpoint"]

_Decorator = Callable[[Any], Any]
_saved_tensor_hooks = torch._C._autograd._top_saved_tensors_default_hooks


def checkpoint_around() -> Any:
    """Return the pack hook of the innermost checkpoint that saves tensors here, or None."""
    hooks = _saved_tensor_hooks(True)
    return hooks[0] if hooks and getattr(hooks[0], "__module__", None) == torch.utils.checkpoint.__name__ else None


def recompute_inside(block: _Decorator, pack: Any) -> bool:
    """Have a checkpoint, known by its hook, recompute inside the block; False if it is recomputing what began outside."""
    frame = _variable_of(pack, "frame")
    if frame is None:
        return False
    if not hasattr(frame, "recomputes_by_hand"):
        frame.recompute_fn, frame.recomputes_by_hand = block(frame.recompute_fn), True
    return True


def _variable_of(hook: Any, name: str) -> Any:
    """Return a variable of the function around a hook, or None."""
    function = inspect.unwrap(hook)
    names = function.__code__.co_freevars
    return function.__closure__[names.index(name)].cell_contents if name in names else None


def reentrant_checkpoint() -> FrameType | None:
    """Return the innermost frame of a reentrant checkpoint's forward that encloses this call."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code is not CheckpointFunction.forward.__code__:
        frame = frame.f_back
    return frame


def recompute_reentrant_inside(block: _Decorator, entered_in: FrameType | None, tensors: list[Tensor]) -> None:
    """Have the reentrant checkpoint around this call recompute inside the block, unless the block was entered in it."""
    if not any(tensor.requires_grad for tensor in tensors):
        return
    frame = reentrant_checkpoint()
    if frame is None or frame is entered_in:
        return
    ctx = frame.f_locals["ctx"]
    if not hasattr(ctx, "recomputes_by_hand"):
        ctx.run_function, ctx.recomputes_by_hand = block(ctx.run_function), True

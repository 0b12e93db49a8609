"""Which gradients a backward needs to compute: those that the run of the engine asks for.

`ctx.needs_input_grad` says which inputs require grad. torch.autograd.grad(loss, x) needs the gradient of x alone; PyTorch's
operators then skip those of the weights, but a torch.autograd.Function is not told (pytorch issue 174017).

The engine answers at once, except for a leaf whose gradient torch.autograd.grad returns: that is an exception, which takes as
long as a small gradient. So the engine is asked only where a gradient costs more: in a recorded backward, where it is a
Function, and for large arrays, unless all inputs are leaves.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from manualgrad.function.contexts import ContextView

__all__ = ["told_what_is_needed"]

_is_executed: Callable[[Any], bool] = torch._C._will_engine_execute_node
_LARGE = 1 << 15  # numbers in the incoming gradient
_graph_task: Callable[[], int] = torch._C._current_graph_task_id


def told_what_is_needed(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Return the backward, to be called with a ctx whose `needs_input_grad` says what the engine needs."""
    code = getattr(backward, "__code__", None)  # which a callable object does not have
    if code is None or "needs_input_grad" not in code.co_names:
        return backward

    @functools.wraps(backward)
    def told(ctx: Any, *grad_outputs: Any) -> Any:
        is_recorded = torch.is_grad_enabled()
        if not is_recorded and not any(g is not None and g.numel() >= _LARGE for g in grad_outputs):
            return backward(ctx, *grad_outputs)
        required = ctx.needs_input_grad
        needed = _needed(ctx, required, is_recorded)
        return backward(ctx if needed == required else ContextView(ctx, needs_input_grad=needed), *grad_outputs)

    return told


def _needed(ctx: Any, required: tuple[bool, ...], is_recorded: bool) -> tuple[bool, ...]:
    if _graph_task() == -1 or required.count(True) == 1:
        return required  # called directly, or by compiled autograd; a single gradient is why this backward runs
    nodes = [node for node, _ in ctx.next_functions if node is not None]  # of the inputs that require grad
    if not is_recorded and all(type(node).__name__ == "AccumulateGrad" for node in nodes):
        return required
    answers = map(_is_needed, nodes)
    return tuple([is_required and next(answers) for is_required in required])


def _is_needed(node: Any) -> bool:
    try:
        return _is_executed(node)
    except RuntimeError:  # a leaf whose gradient torch.autograd.grad returns
        return True

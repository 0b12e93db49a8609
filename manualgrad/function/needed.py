"""Which gradients a backward needs to compute: those that the run of the engine asks for.

`ctx.needs_input_grad` says which inputs require grad. torch.autograd.grad(loss, x) needs the gradient of x alone; PyTorch's
operators then skip those of the weights, but a torch.autograd.Function is not told (pytorch issue 174017).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from manualgrad.function.contexts import ContextView

__all__ = ["told_what_is_needed"]

_is_executed: Callable[[Any], bool] = torch._C._will_engine_execute_node
_graph_task: Callable[[], int] = torch._C._current_graph_task_id


def told_what_is_needed(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Return the backward, to be called with a ctx whose `needs_input_grad` says what the engine needs."""
    if "needs_input_grad" not in backward.__code__.co_names:
        return backward

    @functools.wraps(backward)
    def told(ctx: Any, *grad_outputs: Any) -> Any:
        required = ctx.needs_input_grad
        needed = _needed(ctx, required)
        return backward(ctx if needed == required else ContextView(ctx, needs_input_grad=needed), *grad_outputs)

    return told


def _needed(ctx: Any, required: tuple[bool, ...]) -> tuple[bool, ...]:
    if _graph_task() == -1:
        return required  # called directly, or by compiled autograd
    nodes = iter([node for node, _ in ctx.next_functions if node is not None])  # of the inputs that require grad
    return tuple([is_required and _is_needed(next(nodes)) for is_required in required])


def _is_needed(node: Any) -> bool:
    try:
        return _is_executed(node)
    except RuntimeError:  # a leaf whose gradient torch.autograd.grad returns
        return True

"""`with by_hand():` inside it, those of torch's functions, methods and operators that the catalogue has run by hand."""

from __future__ import annotations

import functools
import os
import sys
import types
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._C._dynamo.eval_frame import _FrameAction, _FrameExecStrategy, set_code_exec_strategy
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import CheckpointFunction

from manualgrad.torch_api.catalogue import CATALOGUE, METHODS_IN_PYTHON, answered
from manualgrad.torch_api.python_functions import COPIES

__all__ = ["by_hand"]

_C = TypeVar("_C", bound=Callable[..., Any])

_grad_is_enabled = torch.is_grad_enabled
_transforms_are_active = torch._C._are_functorch_transforms_active
_dynamo_is_tracing = torch.compiler.is_dynamo_compiling
_jit_trace = torch._C._get_tracing_state
_is_exporting = torch.compiler.is_exporting
_saved_tensor_hooks = torch._C._autograd._top_saved_tensors_default_hooks
_disabled = torch._C._disabled_torch_function_impl


class by_hand(TorchFunctionMode):
    """A context manager, and a decorator, that has what is called inside differentiated by hand.

    Each torch function, method and operator of the catalogue that is called from Python, and is to be differentiated, runs its
    hand-written Function: `x + residual`, `F.relu`, `torch.cat`, `q @ k.mT`, `x += y`. It is to be differentiated where an
    argument requires grad, carries a tangent of forward mode, or is wrapped by a transform of torch.func. What has no
    hand-written derivative is torch's own, and `audit` names it. Values, errors, views and version counters are torch's, and
    a call may be written in every way that torch takes: `x.sum(axis=1)`, `torch.mm(x, mat2=y)`, `x[np.array([0, 1])]`.

    A few things to know:

    - The mode belongs to its thread: a thread that is started inside, as those of DataParallel, enters one of its own.
    - What torch.utils.checkpoint computes again is outside the block. Enter one inside the checkpointed function, or pass
      `context_fn=lambda: (nullcontext(), by_hand())`; otherwise the backward raises a CheckpointError, and with
      `use_reentrant=True` the forward raises a RuntimeError.
    - A gradient that is taken with create_graph=True, inside the block or outside it, is recorded by torch's operators: its
      values are those of the hand-written derivative, and its own derivative is torch's.
    - torch.nn.functional.l1_loss hands itself over to any mode without its `weight` (seen in 2.14.1), so that it is lost in the
      block; manualgrad.nn.functional.l1_loss keeps it.
    - Under torch.export, torch.jit.trace and torch.fx, torch's own operators stand in the graph.

    Args:
        trace: remember where in the program each operator was called that has no hand-written derivative, for `audit` to tell.
            It costs some microseconds for each of them.

    Raises:
        RuntimeError: when a reentrant checkpoint computes something inside, as above.

    Example:
        >>> model, x, y = nn.Linear(784, 10), torch.rand(100, 784), torch.rand(100, 10)
        >>> with by_hand():
        ...     loss = (model(x) - y).square().mean()
        >>> audit(loss).coverage
        1.0
    """

    def __init__(self, trace: bool = False) -> None:
        self._trace = trace

    def __enter__(self) -> by_hand:
        self._reentrant = None if _grad_is_enabled() or _dynamo_is_tracing() else _reentrant_checkpoint()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        is_tracing = _dynamo_is_tracing()
        call = (METHODS_IN_PYTHON.get(func.__name__) if is_tracing else None) or CATALOGUE.get(func)
        if call is not None:
            if _is_for_a_function(types, args, kwargs):
                answer = answered(call, func, args, kwargs)
                if answer is not NotImplemented:
                    if not is_tracing and (hooks := _saved_tensor_hooks(True)) and _is_checkpoints(hooks):
                        _mark(answer)
                    return answer
            elif not is_tracing and not _grad_is_enabled():
                self._refuse_reentrant_checkpoint(args, kwargs)
        if func in COPIES:
            reentrant = self._reentrant
            with self:
                self._reentrant = reentrant  # no new block begins
                return COPIES[func](*args, **kwargs)
        result = func(*args, **kwargs)
        if self._trace and not is_tracing:
            _remember_where(result, _tensors(args, kwargs))
        return result

    def __call__(self, function: _C) -> _C:
        """Decorate a function, each call of which is then a block of its own."""

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with by_hand(self._trace):
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]

    def _refuse_reentrant_checkpoint(self, args: Any, kwargs: Any) -> None:
        if any(tensor.requires_grad for tensor in _tensors(args, kwargs)) and _reentrant_checkpoint() is not self._reentrant:
            raise RuntimeError(
                "by_hand: torch.utils.checkpoint with use_reentrant=True computes this again outside the block, with torch's "
                "own derivatives: enter by_hand inside the checkpointed function, or say use_reentrant=False and "
                "context_fn=lambda: (nullcontext(), by_hand())"
            )


# After a graph break, Dynamo would compile the frames of the mode that run in between, each by itself, and tell one `func` from
# another by its address (seen in 2.14.1). That of an attribute (x.device) lives for one call, and the next may have its
# address: the code for x.shape would run. So they are not compiled, nor what they call; where Dynamo traces them, they are.
for _method in (by_hand.__torch_function__, by_hand.__enter__):
    set_code_exec_strategy(_method.__code__, _FrameExecStrategy(_FrameAction.SKIP, _FrameAction.SKIP))


def _is_for_a_function(types: Any, args: Any, kwargs: Any) -> bool:
    """Whether a call is to be differentiated, and on plain arrays alone."""
    if _jit_trace() is not None or _is_exporting() or kwargs.get("out") is not None:
        return False
    for t in types:
        if t is not Tensor and t.__torch_function__ is not _disabled:
            return False
    all_count = _transforms_are_active() or forward_ad._current_level >= 0
    if not all_count and not _grad_is_enabled():
        return False
    differentiated = False
    values = (*args, *kwargs.values()) if kwargs else args
    for value in values:
        for tensor in value if isinstance(value, list | tuple) else (value,):
            if isinstance(tensor, Tensor):
                if tensor.layout is not torch.strided or tensor.is_nested:
                    return False
                differentiated = differentiated or all_count or tensor.requires_grad
    return differentiated


def _tensors(args: Any, kwargs: Any) -> list[Tensor]:
    """The tensors among the arguments, and in lists and tuples among them."""
    values = (value if isinstance(value, list | tuple) else (value,) for value in (*args, *kwargs.values()))
    return [t for group in values for t in group if isinstance(t, Tensor)]


# Where torch's own operators were called.

_NOT_THE_PROGRAM = (os.path.dirname(torch.__file__) + os.sep, os.path.dirname(os.path.dirname(__file__)) + os.sep)


def _remember_where(result: Any, arguments: list[Tensor]) -> None:
    """For audit: the place in the program, in the nodes that lead from the result to the arguments."""
    before = {t.grad_fn for t in arguments}
    waiting = [t.grad_fn for t in (result if isinstance(result, tuple | list) else (result,)) if isinstance(t, Tensor)]
    place = None
    while waiting:
        node: Any = waiting.pop()
        if node is None or node in before or "where" in node.metadata:
            continue
        place = place or _place()
        node.metadata["where"] = place
        waiting += [following for following, _ in node.next_functions]


def _place() -> str:
    """The innermost line that is not of torch's or of this package."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(_NOT_THE_PROGRAM):
        frame = frame.f_back
    if frame is None:
        return "?"
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}, {frame.f_code.co_name}"


# Checkpointing. What is computed again in the backward is not in the block. Its saved tensors would take the places of those
# that the hand-written Functions saved, and where they happen to fit, the gradients would be wrong without a word. So each
# Function saves one more, of a shape that nothing else has: torch.utils.checkpoint compares the shapes, and raises its
# CheckpointError.

_NO_OTHERS_SHAPE = (0, 0, 7, 18, 28)


class _Mark(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, nothing: Tensor) -> Tensor:
        ctx.save_for_backward(nothing)
        return nothing.clone()


def _is_checkpoints(hooks: Any) -> bool:
    """Whether saved tensors go to torch.utils.checkpoint, which says so by an attribute of its hook."""
    return getattr(hooks[0], "_checkpoint_internal", False)


def _mark(answer: Any) -> None:
    """The mark lives as long as the node of the answer, which is what the backward may reach."""
    for output in answer if isinstance(answer, tuple) else (answer,):
        if isinstance(output, Tensor) and output.grad_fn is not None:
            metadata: Any = output.grad_fn.metadata
            metadata["by_hand"] = _Mark.apply(torch.empty(_NO_OTHERS_SHAPE, requires_grad=True)).grad_fn


def _reentrant_checkpoint() -> types.FrameType | None:
    """The innermost call of torch's reentrant checkpoint that this one is inside of."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None and frame.f_code is not CheckpointFunction.forward.__code__:
        frame = frame.f_back
    return frame

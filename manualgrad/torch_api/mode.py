"""The context manager `by_hand`, inside which the torch functions, methods and operators of the catalogue run by hand."""

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
    """Context manager and decorator: inside it, operators are differentiated by hand.

    Each torch function, method and operator of the catalogue that is called from Python runs its hand-written Function, for
    example `x + residual`, `F.relu`, `torch.cat`, `q @ k.mT` and `x += y`. It does so if an argument requires grad, carries a
    forward-mode tangent, or is wrapped by a transform of torch.func. Unsupported operators fall back to PyTorch's derivatives;
    `audit` lists them. Values, errors, views and version counters are PyTorch's, and every signature that PyTorch accepts
    works: `x.sum(axis=1)`, `torch.mm(x, mat2=y)`, `x[np.array([0, 1])]`.

    Limitations:

    - The mode is thread-local: a thread that starts inside the block, such as those of DataParallel, must enter its own.
    - torch.utils.checkpoint recomputes outside the block. Enter one inside the checkpointed function, or pass
      `context_fn=lambda: (nullcontext(), by_hand())`; otherwise the backward raises a CheckpointError, and with
      `use_reentrant=True` the forward raises a RuntimeError.
    - With create_graph=True, inside or outside the block, PyTorch's operators record the gradient: its values are those of the
      hand-written derivative, and its own derivative is PyTorch's.
    - torch.nn.functional.l1_loss passes its arguments to a mode without `weight` (seen in 2.14.1), which is lost in the block;
      manualgrad.nn.functional.l1_loss keeps it.
    - Under torch.export, torch.jit.trace and torch.fx, the graph contains PyTorch's own operators.

    Args:
        trace: record the call site of each operator without a hand-written derivative, for `audit` to report. This costs a few
            microseconds per operator.

    Raises:
        RuntimeError: when a reentrant checkpoint runs inside the block, as described above.

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
                self._reentrant = reentrant  # this is the same block
                return COPIES[func](*args, **kwargs)
        result = func(*args, **kwargs)
        if self._trace and not is_tracing:
            _remember_where(result, _tensors(args, kwargs))
        return result

    def __call__(self, function: _C) -> _C:
        """Decorate a function, so that each call runs in a new block."""

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with by_hand(self._trace):
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]

    def _refuse_reentrant_checkpoint(self, args: Any, kwargs: Any) -> None:
        if any(tensor.requires_grad for tensor in _tensors(args, kwargs)) and _reentrant_checkpoint() is not self._reentrant:
            raise RuntimeError(
                "by_hand: torch.utils.checkpoint with use_reentrant=True recomputes this outside the block, with PyTorch's "
                "derivatives; enter by_hand inside the checkpointed function, or pass use_reentrant=False and "
                "context_fn=lambda: (nullcontext(), by_hand())"
            )


# After a graph break, Dynamo would compile each frame of the mode separately, with a guard on the address of `func` (seen in
# 2.14.1). The `func` of an attribute such as x.device lives for one call, and the next one may get its address: the compiled
# code for x.shape would run. So skip these frames and those that they call; inside a trace, Dynamo still inlines them.
for _method in (by_hand.__torch_function__, by_hand.__enter__):
    set_code_exec_strategy(_method.__code__, _FrameExecStrategy(_FrameAction.SKIP, _FrameAction.SKIP))


def _is_for_a_function(types: Any, args: Any, kwargs: Any) -> bool:
    """Return whether a call must be differentiated and all its tensors are dense."""
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
        for tensor in value if isinstance(value, (list, tuple)) else (value,):
            if isinstance(tensor, Tensor):
                if tensor.layout is not torch.strided or tensor.is_nested:
                    return False
                differentiated = differentiated or all_count or tensor.requires_grad
    return differentiated


def _tensors(args: Any, kwargs: Any) -> list[Tensor]:
    """Return the tensors among the arguments, including those in lists and tuples."""
    values = (value if isinstance(value, (list, tuple)) else (value,) for value in (*args, *kwargs.values()))
    return [t for group in values for t in group if isinstance(t, Tensor)]


# Call sites of PyTorch's own operators.

_NOT_THE_PROGRAM = (os.path.dirname(torch.__file__) + os.sep, os.path.dirname(os.path.dirname(__file__)) + os.sep)


def _remember_where(result: Any, arguments: list[Tensor]) -> None:
    """Record the call site, for `audit`, in the nodes between the result and the arguments."""
    before = {t.grad_fn for t in arguments}
    waiting = [t.grad_fn for t in (result if isinstance(result, (tuple, list)) else (result,)) if isinstance(t, Tensor)]
    place = None
    while waiting:
        node: Any = waiting.pop()
        if node is None or node in before or "where" in node.metadata:
            continue
        place = place or _place()
        node.metadata["where"] = place
        waiting += [following for following, _ in node.next_functions]


def _place() -> str:
    """Return the innermost call site outside torch and this package."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(_NOT_THE_PROGRAM):
        frame = frame.f_back
    if frame is None:
        return "?"
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}, {frame.f_code.co_name}"


# Checkpointing. The recomputation in the backward runs outside the block. Its saved tensors would replace those of the
# hand-written Functions, and if the shapes match, the gradients would be silently wrong. So each Function saves one more
# tensor, with a unique shape: torch.utils.checkpoint compares the shapes and raises its CheckpointError.

_NO_OTHERS_SHAPE = (0, 0, 7, 18, 28)


class _Mark(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, nothing: Tensor) -> Tensor:
        ctx.save_for_backward(nothing)
        return nothing.clone()


def _is_checkpoints(hooks: Any) -> bool:
    """Return whether the saved-tensor hooks are torch.utils.checkpoint's, which have this attribute."""
    return getattr(hooks[0], "_checkpoint_internal", False)


def _mark(answer: Any) -> None:
    """Save the mark in the metadata of the answer's node, so that it lives as long as the backward can reach the node."""
    for output in answer if isinstance(answer, tuple) else (answer,):
        if isinstance(output, Tensor) and output.grad_fn is not None:
            metadata: Any = output.grad_fn.metadata
            metadata["by_hand"] = _Mark.apply(torch.empty(_NO_OTHERS_SHAPE, requires_grad=True)).grad_fn


def _reentrant_checkpoint() -> types.FrameType | None:
    """Return the innermost frame of a reentrant checkpoint that encloses this call."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None and frame.f_code is not CheckpointFunction.forward.__code__:
        frame = frame.f_back
    return frame

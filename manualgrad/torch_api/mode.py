"""The context manager `by_hand`, inside which the torch functions, methods and operators of the catalogue run by hand."""

from __future__ import annotations

import functools
import os
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._C._dynamo.eval_frame import _FrameAction, _FrameExecStrategy, set_code_exec_strategy
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode

from manualgrad.function.block import answering
from manualgrad.torch_api.catalogue import CATALOGUE, METHODS_IN_PYTHON, answered
from manualgrad.torch_api.engine import ENGINE_CALLS, recording, records_derivatives
from manualgrad.torch_api.python_functions import COPIES
from manualgrad.torch_api.recomputation import (
    checkpoint_around,
    recompute_inside,
    recompute_reentrant_inside,
    reentrant_checkpoint,
)

__all__ = ["by_hand"]

_C = TypeVar("_C", bound=Callable[..., Any])

_grad_is_enabled = torch.is_grad_enabled
_transforms_are_active = torch._C._are_functorch_transforms_active
_dynamo_is_tracing = torch.compiler.is_dynamo_compiling
_jit_trace = torch._C._get_tracing_state
_is_exporting = torch.compiler.is_exporting
_unwrapped = torch._C._functorch.unwrap_if_dead  # in the pullback of torch.func.vjp, whose level has ended
_push_mode = torch._C._push_on_torch_function_stack
_pop_mode = torch._C._pop_torch_function_stack
_disabled = torch._C._disabled_torch_function_impl


class by_hand(TorchFunctionMode):
    """Context manager and decorator: inside it, operators are differentiated by hand.

    Each torch function, method and operator of the catalogue that is called from Python runs its hand-written Function, for
    example `x + residual`, `F.relu`, `torch.cat`, `q @ k.mT` and `x += y`. It does so if an argument requires grad, carries a
    forward-mode tangent, or is wrapped by a transform of torch.func. Unsupported operators fall back to PyTorch's derivatives;
    `audit` lists them. Values, errors, views and version counters are PyTorch's, and every signature that PyTorch accepts
    works: `x.sum(axis=1)`, `torch.mm(x, mat2=y)`, `x[np.array([0, 1])]`.

    A gradient that is recorded inside the block, by `create_graph=True` or torch.func, is differentiated by hand as well, in
    every order; hooks and other people's Functions then run inside the block, too. What torch.utils.checkpoint computed inside
    the block is recomputed by hand, wherever the backward runs.

    Limitations:

    - The mode is thread-local: a thread that starts inside the block, such as those of DataParallel, must enter its own.
    - Outside the block, with create_graph=True, PyTorch's operators record the gradient: its values are those of the
      hand-written derivative, and its own derivative is PyTorch's. The same holds inside with is_grads_batched=True.
    - torch.nn.functional.l1_loss passes its arguments to a mode without `weight` (seen in 2.14.1), which is lost in the block;
      manualgrad.nn.functional.l1_loss keeps it.
    - Under torch.export, torch.jit.trace and torch.fx, the graph contains PyTorch's own operators.

    Args:
        trace: record the call site of each operator without a hand-written derivative, for `audit` to report. This costs a few
            microseconds per operator.

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
        is_tracing = _dynamo_is_tracing()
        self._entered_in = None if is_tracing else checkpoint_around()
        self._entered_in_reentrant = None if is_tracing or _grad_is_enabled() else reentrant_checkpoint()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if _rules_run_meanwhile():
            with answering(self._again):
                return self._answer(func, types, args, kwargs)
        return self._answer(func, types, args, kwargs)

    def answer_by(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call a hand-written function outside the mode, which is the only one that is on, and would call it anyway."""
        _pop_mode()
        try:
            if _rules_run_meanwhile():
                with answering(self._again):
                    return function(*args, **kwargs)
            return function(*args, **kwargs)
        finally:
            _push_mode(self)

    def _answer(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        is_tracing = _dynamo_is_tracing()
        if "out" in kwargs and kwargs["out"] is None:
            kwargs = {name: value for name, value in kwargs.items() if name != "out"}
        call = (METHODS_IN_PYTHON.get(func.__name__) if is_tracing else None) or CATALOGUE.get(func)
        if call is not None:
            if _is_for_a_function(types, args, kwargs) and (is_tracing or self._is_to_be_saved_by_hand()):
                answer = answered(call, func, args, kwargs)
                if answer is not NotImplemented:
                    return answer
            elif not is_tracing and not _grad_is_enabled():
                recompute_reentrant_inside(self, self._entered_in_reentrant, _tensors(args, kwargs))
        elif func in ENGINE_CALLS and not is_tracing and records_derivatives(args[0], kwargs):
            with self._again(), recording():
                return ENGINE_CALLS[func](*args, **kwargs)
        if func in COPIES:
            with self if is_tracing else self._again():
                return COPIES[func](*args, **kwargs)
        result = func(*args, **kwargs)
        if self._trace and not is_tracing:
            _remember_where(result, _tensors(args, kwargs))
        return result

    def _is_to_be_saved_by_hand(self) -> bool:
        """Return whether the tensors that a Function saves here are those that a checkpoint around it expects, if any."""
        pack = checkpoint_around()
        return pack is None or pack is self._entered_in or recompute_inside(self, pack)

    @contextmanager
    def _again(self) -> Iterator[None]:
        """Switch the mode on again, while it answers a call."""
        _push_mode(self)
        try:
            yield
        finally:
            _pop_mode()

    def __call__(self, function: _C) -> _C:
        """Decorate a function, so that each call runs in a new block."""

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with by_hand(self._trace):
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]


# After a graph break, Dynamo would compile each frame of the mode separately, with a guard on the address of `func` (seen in
# 2.14.1). The `func` of an attribute such as x.device lives for one call, and the next one may get its address: the compiled
# code for x.shape would run. So skip these frames and those that they call; inside a trace, Dynamo still inlines them.
for _method in (by_hand.__torch_function__, by_hand.__enter__):
    set_code_exec_strategy(_method.__code__, _FrameExecStrategy(_FrameAction.SKIP, _FrameAction.SKIP))


def _rules_run_meanwhile() -> bool:
    """Return whether a call may run the `jvp` of a Function."""
    return not _dynamo_is_tracing() and (_transforms_are_active() or forward_ad._current_level >= 0)


def _is_for_a_function(types: Any, args: Any, kwargs: Any) -> bool:
    """Return whether a call must be differentiated and all its tensors are dense."""
    if _jit_trace() is not None or _is_exporting() or "out" in kwargs:
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
                differentiated = differentiated or all_count or tensor.requires_grad or _unwrapped(tensor).requires_grad
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

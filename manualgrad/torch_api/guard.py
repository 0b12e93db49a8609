"""`nn.functional`: the calls under the names of torch.nn.functional, each behind a guard.

The guard falls back to PyTorch's function if

- an argument overrides torch functions (a `__torch_function__` subclass, or the Proxy of `torch.fx.symbolic_trace`),
- `torch.jit.trace` or `torch.export` is running, whose graphs can be saved only if they contain torch operators alone,
- the input is sparse, nested or mkldnn, for which few of the operators in the derivatives exist,
- nothing is differentiated, or
- the call returns NotImplemented.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import handle_torch_function, has_torch_function

from manualgrad.torch_api.catalogue import CALL_ERRORS, HAS_OWN_ERRORS, answers, explained, is_not_about_the_call
from manualgrad.torch_api.mode import by_hand
from manualgrad.torch_api.python_functions import COPIES
from manualgrad.torch_api.reference import of_function
from manualgrad.torch_api.signatures import rebound, signatures

__all__ = ["FUNCTIONAL", "composed", "functional", "inside_by_hand", "name_of", "overrides"]

_Call = TypeVar("_Call", bound=Callable[..., Any])

FUNCTIONAL: dict[str, Callable[..., Any]] = {}
"""The functions of `nn.functional`, by name."""

_strided = torch.strided
_grad_is_enabled = torch.is_grad_enabled
_transforms_are_active = torch._C._are_functorch_transforms_active
_dynamo_is_tracing = torch.compiler.is_dynamo_compiling
_jit_trace = torch._C._get_tracing_state
_disabled = torch._C._disabled_torch_function_impl
_modes = torch._C._len_torch_function_stack
_mode_at = torch._C._get_function_stack_at


def functional(
    torchs: Any, *names: Any, page: str, otherwise: Callable[..., Any] | None = None, **options: Any
) -> Callable[[_Call], _Call]:
    """Decorate a call: register it in the catalogue, and export it as a function of `nn.functional` under PyTorch's name.

    Args:
        torchs: PyTorch's function of that name.
        names: further functions that the call answers.
        page: the module of `manualgrad.functions` that derives the gradient.
        otherwise: the fallback, if it is not `torchs`.
        options: the options of `answers`.
    """

    def enter(call: _Call) -> _Call:
        answers(torchs, *names, **options)(call)
        _export(name_of(torchs, call), page, call, torchs, otherwise or torchs)
        return call

    return enter


def name_of(torchs: Any, call: Callable[..., Any]) -> str:
    """Return the name in torch.nn.functional, which `__name__` does not always have, as in `F.logsigmoid.__name__`."""
    return call.__name__ if getattr(F, call.__name__, None) is torchs else torchs.__name__


def composed(torchs: Callable[..., Any], page: str, text: str) -> None:
    """Export PyTorch's Python function, whose steps are in the catalogue, as a function of `nn.functional`."""

    call = functools.wraps(torchs)(_in_steps(torchs))
    call.__doc__ = text
    _export(torchs.__name__, page, call, torchs, torchs)


def _in_steps(torchs: Callable[..., Any]) -> Callable[..., Any]:
    """Return PyTorch's function; if it is written in Python, its steps run by hand."""
    if torchs not in COPIES:
        return torchs

    def by_hand_in_steps(*args: Any, **kwargs: Any) -> Any:
        with by_hand():
            return COPIES[torchs](*args, **kwargs)

    return by_hand_in_steps


def inside_by_hand(torchs: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the forward of a PyTorch layer, so that it runs inside by_hand if something is differentiated."""

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        nothing_is_differentiated = not _grad_is_enabled() and not _transforms_are_active()
        if nothing_is_differentiated or any(overrides(value) for value in (*args, *kwargs.values())):
            return torchs(self, *args, **kwargs)
        with by_hand():
            return torchs(self, *args, **kwargs)

    return forward


def _export(name: str, page: str, call: Callable[..., Any], torchs: Callable[..., Any], otherwise: Callable[..., Any]) -> None:
    function = _guarded(call, torchs, otherwise)
    function.__name__ = function.__qualname__ = name
    function.__module__ = "manualgrad.nn.functional"
    function.__doc__ = of_function(name, call.__doc__ or "", page)
    FUNCTIONAL[name] = function


def _guarded(call: Callable[..., Any], torchs: Callable[..., Any], otherwise: Callable[..., Any]) -> Any:
    first = next(iter(inspect.signature(call).parameters))
    known = signatures(torchs, call)
    in_steps = _in_steps(otherwise)

    @functools.wraps(call)
    def function(*args: Any, **kwargs: Any) -> Any:
        if has_torch_function(args) or (kwargs and has_torch_function(tuple(kwargs.values()))):
            return _overridden(function, otherwise, args, kwargs)
        error = None
        try:
            input = args[0] if args else kwargs.get(first)
            if (
                (not _grad_is_enabled() and not _transforms_are_active() and forward_ad._current_level < 0)
                or _jit_trace() is not None
                or (isinstance(input, Tensor) and (input.layout is not _strided or input.is_nested))
            ):
                return otherwise(*args, **kwargs)
            answer = call(*args, **kwargs) if isinstance(input, Tensor) else NotImplemented
        except CALL_ERRORS as found:
            if is_not_about_the_call(found):
                raise
            answer, error = NotImplemented, found
        if answer is not NotImplemented:
            return answer
        try:
            bound = rebound(known, args, kwargs)
            if bound is not None:
                return function(*bound[0], **bound[1])
            if call not in HAS_OWN_ERRORS or error is None:
                try:
                    return in_steps(*args, **kwargs)
                except CALL_ERRORS as found:
                    error = found
            raise explained(error, call, args, kwargs)
        finally:
            error = None  # whose traceback holds this frame, and so the tensors

    return function


def _overridden(function: Callable[..., Any], torchs: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> Any:
    """Dispatch to the override that `has_torch_function` found.

    A tensor subclass receives PyTorch's function, which it knows. A mode receives ours: for example, `torch.set_default_device`
    calls the function that it receives, and PyTorch's would bypass the hand-written gradients. torch.export writes PyTorch's
    function into the graph, because no other could be loaded. by_hand is skipped: the function already runs by hand.
    """
    values = (*args, *kwargs.values())
    if torch.compiler.is_exporting():
        return torchs(*args, **kwargs)
    for value in values:  # `overrides`, inlined for speed
        if type(value) is not Tensor and getattr(type(value), "__torch_function__", _disabled) is not _disabled:
            return torchs(*args, **kwargs)
    if not _dynamo_is_tracing() and _modes() == 1 and type(mode := _mode_at(0)) is by_hand and not mode._trace:
        return mode.answer_by(function, args, kwargs)
    return handle_torch_function(function, values, *args, **kwargs)


def overrides(value: Any) -> bool:
    """Return whether a value overrides torch functions, as a subclass of Tensor or a Proxy of torch.fx does."""
    return type(value) is not Tensor and getattr(type(value), "__torch_function__", _disabled) is not _disabled

"""What every function of `nn.functional` does around its derivation: who answers the call, and what is wrong with it.

Some calls get torch's own function, as a Function could do nothing for them: those with an argument that overrides torch
functions (a `__torch_function__` subclass, the Proxy of `torch.fx.symbolic_trace`); those under `torch.jit.trace` and
`torch.export`, whose graphs can be saved only if they hold torch operators alone; those on tensors that are no plain array
(sparse, nested, mkldnn), for which few of the operators exist that the derivatives are written in; those of the catalogue where
nothing is differentiated; and those to which the call itself answers NotImplemented (see _calls).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import handle_torch_function, has_torch_function

from manualgrad.torch_api.errors import explained
from manualgrad.torch_api.signatures import rebound, signatures

__all__ = ["hand_written", "overrides"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_strided = torch.strided
_transforms_are_active = torch._C._are_functorch_transforms_active
_jit_trace = torch._C._get_tracing_state
_CALL_ERRORS = (RuntimeError, TypeError, AttributeError, ValueError, IndexError)


def hand_written(
    torchs: Callable[..., Any], problem: Callable[..., str | None] | None = None
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Decorate a function that calls a Function, and has the signature of torch's.

    Args:
        torchs: the function of torch's that takes the same calls, and answers those that are not for a Function.
        problem: what is wrong with the arguments, of which it names as parameters those that it asks about; see _arguments.py.
            Without one, what is wrong is said by torch's function.
    """

    def decorate(ours: Callable[_P, _R]) -> Callable[_P, _R]:
        first = next(iter(inspect.signature(ours).parameters))
        known = signatures(torchs, ours)

        @functools.wraps(ours)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if has_torch_function(args) or (kwargs and has_torch_function(tuple(kwargs.values()))):
                return _overridden(guarded, torchs, args, kwargs)
            try:
                input = args[0] if args else kwargs.get(first)
                if (
                    (problem is None and _nothing_is_differentiated())
                    or _jit_trace() is not None
                    or (isinstance(input, Tensor) and (input.layout is not _strided or input.is_nested))
                ):
                    return torchs(*args, **kwargs)
                answer = ours(*args, **kwargs) if isinstance(input, Tensor) else NotImplemented
                error = None
            except _CALL_ERRORS as found:
                if isinstance(found, torch.OutOfMemoryError):
                    raise
                answer, error = NotImplemented, found
            if answer is not NotImplemented:
                return answer
            call = rebound(known, args, kwargs)
            if call is not None:
                return guarded(*call[0], **call[1])
            if problem is None or error is None:
                try:
                    return torchs(*args, **kwargs)
                except _CALL_ERRORS as found:
                    error = found
            raise explained(error, _problem(ours, problem, args, kwargs))

        if problem is None:  # a call of the catalogue's, which stands in nn.functional under torch's name
            guarded.__name__ = guarded.__qualname__ = torchs.__name__
            guarded.__module__ = "manualgrad.nn.functional"
        return guarded

    return decorate


def _nothing_is_differentiated() -> bool:
    return not torch.is_grad_enabled() and not _transforms_are_active() and forward_ad._current_level < 0


def _overridden(ours: Callable[..., Any], torchs: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Let the override answer that `has_torch_function` found.

    A tensor subclass is given torch's function, the one it knows. A mode is given ours: `torch.set_default_device` is one,
    calls whatever it is given, and would otherwise leave the hand-written gradients out. But the mode of torch.export writes
    torch's own function into the graph, from which no other could be loaded.
    """
    tensors = (*args, *kwargs.values())
    if torch.compiler.is_exporting() or any(overrides(tensor) for tensor in tensors):
        return torchs(*args, **kwargs)
    return handle_torch_function(ours, tensors, *args, **kwargs)


def overrides(value: Any) -> bool:
    """Whether a value overrides torch functions, as a subclass of Tensor or a Proxy of torch.fx does."""
    return type(value) is not Tensor and getattr(type(value), "__torch_function__", _disabled) is not _disabled


_disabled = torch._C._disabled_torch_function_impl


def _problem(
    ours: Callable[..., Any], problem: Callable[..., str | None] | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str | None:
    if problem is None:
        return None
    try:
        call = inspect.signature(ours).bind(*args, **kwargs)
    except TypeError:  # of which Python's own error says enough
        return None
    call.apply_defaults()
    return problem(**{name: call.arguments[name] for name in inspect.signature(problem).parameters})

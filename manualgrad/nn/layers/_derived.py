"""Layers derived from torch.nn's: subclasses whose `forward` calls the functions of `nn.functional`."""

from __future__ import annotations

import functools
import sys
from types import FunctionType
from typing import Any, TypeVar

import torch
import torch.nn.functional as F

from manualgrad.nn import functional
from manualgrad.torch_api import FUNCTIONAL
from manualgrad.torch_api.reference import of_layer

__all__ = ["LAYERS", "HandWritten", "derived"]

_Layer = TypeVar("_Layer", bound=torch.nn.Module)

LAYERS: dict[str, type] = {}
"""The layers, by name."""

_METHODS = ("forward", "_conv_forward", "_apply_instance_norm")  # those that call F


class HandWritten:
    """Mixin placed before torch.nn's class."""

    def __repr__(self) -> str:
        """Return `manualgrad.nn.Linear(...)`, to show which layers are swapped; a user's subclass keeps its own name."""
        ours = type(self).__module__.startswith("manualgrad.nn.")
        return f"manualgrad.nn.{super().__repr__()}" if ours else super().__repr__()


def derived(
    torchs: type[_Layer],
    docstring: str = "",
    *,
    of: str = "",
    page: str = "",
    stays_whole: bool = False,
    around: Any = None,
    module: str = "",
) -> type[_Layer]:
    """Make a subclass of a torch.nn class whose forward is torch's code with our functional instead of F.

    Only the names in the code change, and the copy of its globals has both. torch.jit.script, which cannot compile a Function,
    reads the source of the method that is wrapped: torch's, where F is torch's.

    Args:
        docstring: the layer's docstring, if its function's is not enough: summary, Shapes, Raises, Example.
        of: the layer's function in `nn.functional`, if it is not the one that the forward calls.
        page: the module of `manualgrad.functions` that derives the gradient, if the function's docstring does not name it.
        stays_whole: whether the layer stays a `call_module` node under torch.fx, because it has train/eval behaviour,
            counts its calls or has data-dependent branches.
        around: a decorator for the forward.
        module: the module that contains the class, if it is not the caller.
    """
    name = torchs.__name__
    methods = {method: _with_our_functional(torchs, method) for method in _METHODS if _defines(torchs, method)}
    called = [f for method in methods.values() for f in _called(method) if f in FUNCTIONAL]
    if around is not None:
        methods["forward"] = _wrapped(around(methods["forward"]), methods["forward"])
    if stays_whole:
        methods["forward"] = _wrapped(_as_a_node(methods["forward"]), methods["forward"])
    module = module or sys._getframe(1).f_globals["__name__"]
    cls: Any = type(name, (HandWritten, torchs), {"__module__": module, **methods})
    of = of or (called[0] if called else "")
    cls.__doc__ = of_layer(cls, docstring, of, FUNCTIONAL[of].__doc__ or "" if of else "", page)
    LAYERS[name] = cls
    return cls


def _called(method: FunctionType) -> tuple[str, ...]:
    """Return the names after `functional` in the code; the first one is the function that is called first."""
    names = method.__code__.co_names
    return names[names.index("functional") + 1 :] if "functional" in names else ()


def _defines(torchs: type, method: str) -> bool:
    return any(method in vars(cls) for cls in torchs.__mro__ if cls is not torch.nn.Module)


def _with_our_functional(torchs: type, method: str) -> FunctionType:
    theirs: FunctionType = getattr(torchs, method)
    ours = {"F": "functional"}
    if "F" not in theirs.__code__.co_names:  # Sigmoid and Tanh call torch.sigmoid and torch.tanh
        ours["torch"] = "functional"
    code = theirs.__code__.replace(co_names=tuple(ours.get(name, name) for name in theirs.__code__.co_names))
    return _wrapped(FunctionType(code, {}, theirs.__name__, theirs.__defaults__, theirs.__closure__), theirs)


def _wrapped(function: FunctionType, theirs: FunctionType) -> FunctionType:
    """Return the function as a wrapper of torch's, with torch's globals and our functional.

    Older versions of Dynamo look globals up in the module that their `__name__` says: for torch's code this one, which has both
    names, and for a decorator's, the decorator's.
    """
    module = function.__globals__.get("__name__", __name__)
    names = {**theirs.__globals__, **function.__globals__, "F": F, "functional": functional, "__name__": module}
    ours = FunctionType(function.__code__, names, theirs.__name__, function.__defaults__, function.__closure__)
    ours.__kwdefaults__ = theirs.__kwdefaults__
    return functools.update_wrapper(ours, getattr(theirs, "__wrapped__", theirs))  # type: ignore[return-value]


def _as_a_node(forward: FunctionType) -> Any:
    def whole(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            if isinstance(value, torch.fx.Proxy) and value.tracer.root is not self:  # type: ignore[attr-defined]
                tracer: Any = value.tracer
                return tracer.create_proxy("call_module", tracer.path_of_module(self), args, kwargs)
        return forward(self, *args, **kwargs)

    return whole

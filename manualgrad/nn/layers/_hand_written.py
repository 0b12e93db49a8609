"""What every layer has beside its forward."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["HandWritten", "as_a_node"]


class HandWritten:
    """The first base of a layer; the second is torch.nn's class of the same name, of which the methods here are others.

    torch.jit.script, which can compile no Function, reads the source of what a method wraps. So each wraps torch.nn's, whose
    names (F, mostly) are to be found in the layer's module.
    """

    def __init_subclass__(cls) -> None:
        for name in ("forward", "_conv_forward", "_apply_instance_norm"):
            if name in vars(cls):
                vars(cls)[name].__wrapped__ = getattr(super(cls, cls), name)

    def __repr__(self) -> str:
        """`manualgrad.nn.Linear(...)`, so that a printed model shows which layers are swapped; a subclass has its own name."""
        ours = type(self).__module__.startswith("manualgrad.nn.")
        return f"manualgrad.nn.{super().__repr__()}" if ours else super().__repr__()


def as_a_node(layer: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
    """The call of the whole layer in the graph of torch.fx.symbolic_trace; None where no argument is a proxy of it.

    torch.fx traces through the layers that are not torch.nn's. One that is another in evaluation, counts its calls, or asks
    about its input has to stay a layer in the graph.
    """
    proxy: Any = next((value for value in (*args, *kwargs.values()) if isinstance(value, torch.fx.Proxy)), None)
    if proxy is None or proxy.tracer.root is layer:
        return None
    return proxy.tracer.create_proxy("call_module", proxy.tracer.path_of_module(layer), args, kwargs)

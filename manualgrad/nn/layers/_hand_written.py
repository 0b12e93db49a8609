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


def as_a_node(layer: torch.nn.Module, input: Any) -> Any:
    """The call of the whole layer in the graph of torch.fx.symbolic_trace; None where `input` is no proxy of it.

    torch.fx traces through the layers that are not torch.nn's. One that is another in evaluation, or counts its calls, has to
    stay a layer in the graph.
    """
    if not isinstance(input, torch.fx.Proxy):
        return None
    tracer: Any = input.tracer
    return tracer.create_proxy("call_module", tracer.path_of_module(layer), (input,), {})

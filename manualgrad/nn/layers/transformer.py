"""Multi-head attention and the layers of a transformer, which torch.nn writes in functions of torch's: they run inside by_hand.

Where no gradient is recorded they are torch's own, with what it has to be quick there.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: F401 - for torch.jit.script, see HandWritten
from torch import Tensor
from torch.nn.modules.activation import (  # noqa: F401 - likewise
    _arg_requires_grad,
    _check_arg_device,
    _is_make_fx_tracing,
)

from manualgrad.nn.layers._hand_written import HandWritten, as_a_node
from manualgrad.torch_api.guard import overrides
from manualgrad.torch_api.mode import by_hand

__all__ = ["MultiheadAttention", "TransformerDecoderLayer", "TransformerEncoderLayer"]

_grad_is_enabled = torch.is_grad_enabled
_transforms_are_active = torch._C._are_functorch_transforms_active


def _inside_by_hand(layer: Any, torchs: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The forward of torch.nn's class."""
    node = as_a_node(layer, *args, **kwargs)
    if node is not None:
        return node
    no_gradient = not _grad_is_enabled() and not _transforms_are_active()
    if no_gradient or any(overrides(value) for value in (*args, *kwargs.values())):
        return torchs.forward(layer, *args, **kwargs)
    with by_hand():
        return torchs.forward(layer, *args, **kwargs)


class MultiheadAttention(HandWritten, torch.nn.MultiheadAttention):
    """Attention in several heads, between linear layers."""

    def forward(self, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor | None]:
        output: tuple[Tensor, Tensor | None] = _inside_by_hand(self, torch.nn.MultiheadAttention, args, kwargs)
        return output


class TransformerEncoderLayer(HandWritten, torch.nn.TransformerEncoderLayer):
    """Self-attention and two linear layers, each added to its input."""

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        output: Tensor = _inside_by_hand(self, torch.nn.TransformerEncoderLayer, args, kwargs)
        return output


class TransformerDecoderLayer(HandWritten, torch.nn.TransformerDecoderLayer):
    """An encoder layer that also attends to what the encoder made."""

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        output: Tensor = _inside_by_hand(self, torch.nn.TransformerDecoderLayer, args, kwargs)
        return output

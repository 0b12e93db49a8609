"""Dropout: x is multiplied by a random mask m of the numbers 0 and 1/(1 − p), drawn as PyTorch draws it.

    y = x m        ∂C/∂x = m ∂C/∂y        (functions/arithmetic/mul.py)

On the CPU, the same seed gives PyTorch's mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function.in_place import copy_into
from manualgrad.functions.arithmetic.mul import MulFunction
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.guard import functional
from manualgrad.torch_api.reference import in_dimensions


@answers(torch.dropout, in_place=torch.dropout_, keeps_input=False)
def dropout(input: Tensor, p: float, train: bool) -> Any:
    """Implement torch.dropout, which F.dropout calls."""
    return _dropped(input, p, train, input.shape)


@answers(torch.feature_dropout, in_place=torch.feature_dropout_, keeps_input=False)
def feature_dropout(input: Tensor, p: float, train: bool) -> Any:
    """Implement torch.feature_dropout, which F.dropout1d, 2d and 3d call: one random number per example and channel."""
    if input.dim() < 2:
        return NotImplemented
    return _dropped(input, p, train, (*input.shape[:2], *[1] * (input.dim() - 2)))


def _in_layers(dropped: Callable[..., Any], dims: tuple[int, ...] | None = None) -> Callable[..., Any]:
    """Make the function of torch.nn.functional; `dims` are the supported numbers of dimensions, the last one with a batch."""

    def function(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
        if dims is not None and input.dim() not in dims:
            return NotImplemented  # PyTorch warns or raises
        is_a_batch = dims is None or input.dim() == dims[-1]
        y = dropped(input if is_a_batch else input.unsqueeze(0), p, training)
        if y is NotImplemented:
            return y
        y = y if is_a_batch else y.squeeze(0)
        return copy_into(y, input) if inplace else y

    return function


_DOC = """Set each <what> to 0 with probability p in training, and divide the others by 1 − p.

Shapes:
    <shapes>.

Raises:
    ValueError: when p is not between 0 and 1: `nn.functional.<name>(<x>, 1.5)`.
    <error>: when the input is not a Tensor: `nn.functional.<name>([1.0])`.

Example:
    >>> a = nn.functional.<name>(<x>, 0.75)
    >>> a.unique()  # 1 / (1 − p) = 4
    tensor([0., 4.])
"""
_EACH: dict[str, tuple[Any, ...]] = {  # dims, what is set to 0, shapes, an input
    "dropout": (None, "element", "input of any shape; output of the same shape", "torch.ones(1000)"),
    "dropout1d": ((2, 3), "channel", "input and output [n, channels, l] or [channels, l]", "torch.ones(100, 10, 2)"),
    "dropout2d": ((4,), "channel", "input and output [n, channels, h, w]", "torch.ones(100, 10, 2, 2)"),
    "dropout3d": (
        (4, 5),
        "channel",
        "input and output [n, channels, d, h, w] or [channels, d, h, w]",
        "torch.ones(100, 10, 2, 2, 2)",
    ),
}
for _name, (_dims, _what, _shapes, _x) in _EACH.items():
    _call = _in_layers(dropout if _dims is None else feature_dropout, _dims)
    _error = "TypeError" if _dims is None else "AttributeError"
    _call.__doc__ = in_dimensions(_DOC, 1, name=_name, what=_what, shapes=_shapes, x=_x, error=_error)
    functional(getattr(F, _name), page="arithmetic.mul")(_call)


def _dropped(x: Tensor, p: float, train: bool, shape: Any) -> Any:
    if not train or p == 0 or not x.numel() or not 0 <= p <= 1:
        return NotImplemented  # PyTorch returns x itself, or raises for an invalid p
    with torch.no_grad():
        m = torch.empty_like(x) if shape == x.shape else x.new_empty(shape)
        if shape == x.shape and (x.device.type != "cpu" or torch.compiler.is_dynamo_compiling()):
            m, _ = torch.native_dropout(m.fill_(1), p, True)  # torch.dropout calls it there; its random order differs
        else:
            m = m.bernoulli_(1 - p).div_(1 - p) if p < 1 else m.zero_()
    return MulFunction.apply(x, m)

"""Piecewise functions: abs, clamp, maximum, minimum, where and masked_fill."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.functions.arithmetic.piecewise import (
    AbsFunction,
    ClampByFunction,
    ClampFunction,
    MaskedFillFunction,
    MaximumFunction,
    MinimumFunction,
    WhereFunction,
)
from manualgrad.torch_api.catalogue import answers

T = Tensor
_NUMBER = (int, float)


@answers(torch.abs, torch.absolute, T.abs, T.absolute, T.__abs__, in_place=(T.abs_, T.absolute_, torch.abs_))
def abs(input: Tensor) -> Any:
    return AbsFunction.apply(input)


@answers(torch.clamp, torch.clip, T.clamp, T.clip, in_place=(T.clamp_, T.clip_, torch.clamp_, torch.clip_))
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Any:
    if min is None and max is None:
        return NotImplemented
    if all(bound is None or isinstance(bound, _NUMBER) for bound in (min, max)):
        return ClampFunction.apply(input, min, max)
    if not all(bound is None or isinstance(bound, Tensor) for bound in (min, max)):
        return NotImplemented
    if min is None:
        return MinimumFunction.apply(input, max)
    return MaximumFunction.apply(input, min) if max is None else ClampByFunction.apply(input, min, max)


@answers(torch.clamp_min, T.clamp_min, in_place=(T.clamp_min_, torch.clamp_min_))
def clamp_min(input: Tensor, min: Any) -> Any:
    return clamp(input, min)


@answers(torch.clamp_max, T.clamp_max, in_place=(T.clamp_max_, torch.clamp_max_))
def clamp_max(input: Tensor, max: Any) -> Any:
    return clamp(input, max=max)


@answers(torch.maximum, T.maximum)
def maximum(input: Tensor, other: Tensor) -> Any:
    return MaximumFunction.apply(input, other)


@answers(torch.minimum, T.minimum)
def minimum(input: Tensor, other: Tensor) -> Any:
    return MinimumFunction.apply(input, other)


@answers(torch.where)
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    if input is None or other is None:
        return NotImplemented
    return WhereFunction.apply(condition, input, other)


@answers(T.where)
def where_method(self: Tensor, condition: Tensor, other: Any) -> Any:
    return where(condition, self, other)


@answers(torch.masked_fill, T.masked_fill, in_place=T.masked_fill_, keeps_input=False)
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Any:
    return MaskedFillFunction.apply(input, mask, value)

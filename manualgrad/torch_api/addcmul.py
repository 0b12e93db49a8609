"""Operators with three inputs: addcmul, addcdiv and lerp."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.functions.arithmetic.addcmul import AddcdivFunction, AddcmulFunction, LerpFunction
from manualgrad.torch_api.catalogue import answers

T = Tensor


@answers(torch.addcmul, T.addcmul, in_place=T.addcmul_, keeps_input=False)
def addcmul(input: Tensor, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    if not all(isinstance(t, Tensor) for t in (tensor1, tensor2)):
        return NotImplemented
    return AddcmulFunction.apply(input, tensor1, tensor2, value)


@answers(torch.addcdiv, T.addcdiv, in_place=T.addcdiv_, keeps_input=False)
def addcdiv(input: Tensor, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    if not all(isinstance(t, Tensor) for t in (tensor1, tensor2)):
        return NotImplemented
    return AddcdivFunction.apply(input, tensor1, tensor2, value)


@answers(torch.lerp, T.lerp, in_place=T.lerp_)
def lerp(input: Tensor, end: Tensor, weight: Any) -> Any:
    return LerpFunction.apply(input, end, weight)

"""Lower and upper triangles of matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.functions.arithmetic.tril_triu import TrilFunction, TriuFunction
from manualgrad.torch_api.catalogue import answers

T = Tensor


@answers(torch.tril, T.tril, in_place=T.tril_, keeps_input=False)
def tril(input: Tensor, diagonal: int = 0) -> Any:
    return TrilFunction.apply(input, diagonal)


@answers(torch.triu, T.triu, in_place=T.triu_, keeps_input=False)
def triu(input: Tensor, diagonal: int = 0) -> Any:
    return TriuFunction.apply(input, diagonal)

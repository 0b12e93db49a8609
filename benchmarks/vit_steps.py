"""Contestants of vit.py: each function returns a call that runs forward and backward of vit_b_16 and returns the cost."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torchvision
from torch import Tensor

import manualgrad


def original() -> Callable[[], Tensor]:
    torch.manual_seed(0)
    return _step(torchvision.models.vit_b_16())


def swapped() -> Callable[[], Tensor]:
    torch.manual_seed(0)
    return _step(manualgrad.swap(torchvision.models.vit_b_16()))


def _step(model: torch.nn.Module) -> Callable[[], Tensor]:
    x = torch.rand(2, 3, 224, 224)

    def step() -> Tensor:
        model.zero_grad()
        C: Tensor = model(x).square().mean()
        C.backward()
        return C

    return step

"""A training step of a whole model, torch.nn's and by hand, eager and compiled: each function makes one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

import manualgrad

Step = Callable[[], Tensor]


def _lenet() -> nn.Module:
    first, second = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
    linear = nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)
    return nn.Sequential(first, nn.Tanh(), nn.AvgPool2d(2), second, nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), *linear)


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "resnet18": (torchvision.models.resnet18, (8, 3, 224, 224)),
    "mobilenet_v3_small": (torchvision.models.mobilenet_v3_small, (8, 3, 224, 224)),
    "vit_b_16": (torchvision.models.vit_b_16, (2, 3, 224, 224)),
    "lenet": (_lenet, (100, 1, 28, 28)),
}


def torchs(name: str) -> Step:
    return _step(name)


def ours(name: str) -> Step:
    return _step(name, by_hand=True)


def torchs_compiled(name: str) -> Step:
    return _step(name, compiled=True)


def ours_compiled(name: str) -> Step:
    return _step(name, by_hand=True, compiled=True)


def _step(name: str, by_hand: bool = False, compiled: bool = False) -> Step:
    torch.manual_seed(0)
    torch.compiler.reset()
    make, shape = MODELS[name]
    model, x, y = make().train(), torch.rand(shape), torch.arange(shape[0]) % 10
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # so that the costs agree, compiled too
    block: Any = nullcontext
    if by_hand:
        manualgrad.swap(model)
        block = manualgrad.by_hand
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, fused=True)

    def cost(x: Tensor, y: Tensor) -> Tensor:
        with block():
            return F.cross_entropy(model(x), y)

    run = torch.compile(cost) if compiled else cost

    def step() -> Tensor:
        optimizer.zero_grad()
        C = run(x, y)
        C.backward()
        optimizer.step()
        return C

    return step

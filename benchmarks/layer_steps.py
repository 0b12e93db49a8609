"""Contestants of layers.py: each function returns a call that runs forward and backward of one layer."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

import manualgrad.nn

Step = Callable[[], Tensor]

_LAST = torch.channels_last

# By title: a function from torch.nn or manualgrad.nn to the layer, and the shape of its input.
LAYERS: dict[str, tuple[Callable[[ModuleType], Any], tuple[int, ...]]] = {
    **{
        f"conv {c}→{out} {k}×{k} stride {s}, [8, {c}, {n}, {n}]": (
            lambda nn, c=c, out=out, k=k, s=s: nn.Conv2d(c, out, k, s, k // 2, bias=False),
            (8, c, n, n),
        )
        for c, out, k, s, n in (
            (3, 64, 7, 2, 224),
            (64, 64, 3, 1, 56),
            (64, 128, 3, 2, 56),
            (64, 128, 1, 2, 56),
            (128, 128, 3, 1, 28),
            (256, 256, 3, 1, 14),
            (512, 512, 3, 1, 7),
        )
    },
    "conv depthwise 96 5×5, [8, 96, 14, 14]": (lambda nn: nn.Conv2d(96, 96, 5, padding=2, groups=96), (8, 96, 14, 14)),
    "conv transposed 64→32 4×4 stride 2, [8, 64, 16, 16]": (lambda nn: nn.ConvTranspose2d(64, 32, 4, 2, 1), (8, 64, 16, 16)),
    "batch norm, [8, 64, 56, 56]": (lambda nn: nn.BatchNorm2d(64), (8, 64, 56, 56)),
    "group norm of 8, [8, 64, 56, 56]": (lambda nn: nn.GroupNorm(8, 64), (8, 64, 56, 56)),
    "instance norm, [8, 64, 56, 56]": (lambda nn: nn.InstanceNorm2d(64, affine=True), (8, 64, 56, 56)),
    "layer norm, [1024, 768]": (lambda nn: nn.LayerNorm(768), (1024, 768)),
    "layer norm, [8, 197, 768]": (lambda nn: nn.LayerNorm(768), (8, 197, 768)),
    "RMS norm, [1024, 768]": (lambda nn: nn.RMSNorm(768), (1024, 768)),
    "max pool 3×3 stride 2, [8, 64, 112, 112]": (lambda nn: nn.MaxPool2d(3, 2, 1), (8, 64, 112, 112)),
    "average pool 3×3 stride 2, [8, 64, 56, 56]": (lambda nn: nn.AvgPool2d(3, 2, 1), (8, 64, 56, 56)),
    "adaptive average pool to 1, [8, 512, 7, 7]": (lambda nn: nn.AdaptiveAvgPool2d(1), (8, 512, 7, 7)),
    **{
        f"{name}, [8, 64, 56, 56]": (lambda nn, name=name: getattr(nn, name)(), (8, 64, 56, 56))
        for name in ("ReLU", "LeakyReLU", "Hardswish", "Hardsigmoid", "SiLU", "GELU", "Tanh", "Sigmoid", "ELU", "PReLU")
    },
    "GELU, [8, 197, 3072]": (lambda nn: nn.GELU(), (8, 197, 3072)),
    "softmax, [8, 12, 197, 197]": (lambda nn: nn.Softmax(-1), (8, 12, 197, 197)),
    "cross entropy, [256, 10]": (lambda nn: _of_classes(nn, 256, 10), (256, 10)),
    "cross entropy, [8192, 6282]": (lambda nn: _of_classes(nn, 8192, 6282), (8192, 6282)),
    "BCE with logits, [256, 1000]": (lambda nn: _against_itself(nn.BCEWithLogitsLoss()), (256, 1000)),
    "smooth L1, [256, 1000]": (lambda nn: _against_itself(nn.SmoothL1Loss()), (256, 1000)),
    "attention, [8, 12, 197, 64]": (lambda nn: lambda x: nn.functional.scaled_dot_product_attention(x, x, x), (8, 12, 197, 64)),
    "attention, causal, [2, 12, 1024, 64]": (
        lambda nn: lambda x: nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True),
        (2, 12, 1024, 64),
    ),
    "attention, causal, [1, 12, 2048, 64]": (
        lambda nn: lambda x: nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True),
        (1, 12, 2048, 64),
    ),
    "embedding, 1,576 rows of 50,257 × 768": (lambda nn: _of_words(nn, 50_257, 8 * 197), (50_257, 768)),
    "dropout, [1024, 768]": (lambda nn: nn.Dropout(0.1), (1024, 768)),
}


def _of_classes(nn: ModuleType, n: int, classes: int) -> Callable[[Tensor], Tensor]:
    cost, labels = nn.CrossEntropyLoss(), torch.arange(n) % classes
    return lambda x: cost(x, labels)


def _of_words(nn: ModuleType, words: int, n: int) -> Callable[[Tensor], Tensor]:
    i = torch.randint(words, (n,))
    return lambda W: nn.functional.embedding(i, W)


def _against_itself(cost: Any) -> Callable[[Tensor], Tensor]:
    return lambda x: cost(x, x.detach().clamp(0, 1))


def torchs(title: str, channels_last: bool) -> Step:
    return _step(torch.nn, title, channels_last)


def ours(title: str, channels_last: bool) -> Step:
    return _step(manualgrad.nn, title, channels_last)


def fused(title: str, channels_last: bool) -> Step:
    return manualgrad.fused()(ours(title, channels_last))


def _step(nn: ModuleType, title: str, channels_last: bool) -> Step:
    torch.manual_seed(0)
    make, shape = LAYERS[title]
    x, layer = torch.randn(shape), make(nn)
    if channels_last:
        x = x.to(memory_format=_LAST)
        layer = layer.to(memory_format=_LAST)
    x.requires_grad_()
    y = layer(x)
    g = torch.rand_like(y)
    wanted = [x, *(layer.parameters() if isinstance(layer, torch.nn.Module) else ())]

    def step() -> Tensor:
        if isinstance(layer, torch.nn.Dropout):
            torch.manual_seed(1)  # takes 0.1 ms
        y = layer(x)
        gradients = torch.autograd.grad(y, wanted, g)
        return gradients[0][0].flatten()[0]

    return step

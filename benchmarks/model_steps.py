"""Contestants of models.py: each function returns a training step of a whole model, native or by hand, eager or compiled."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
import transformers
from torch import Tensor, nn

import manualgrad

Step = Callable[[], Tensor]
Loss = Callable[[nn.Module], Tensor]
Maker = Callable[[int], tuple[nn.Module, Loss]]  # from the number of examples to a model and its loss function


def _lenet() -> nn.Module:
    first, second = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
    linear = nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10)
    return nn.Sequential(first, nn.Tanh(), nn.AvgPool2d(2), second, nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), *linear)


def _images(make: Callable[[], nn.Module], *shape: int) -> Maker:
    def made(n: int) -> tuple[nn.Module, Loss]:
        model, x, y = make(), torch.rand(n, *shape), torch.arange(n) % 10
        return model, lambda model: F.cross_entropy(model(x), y)

    return made


def _words(make: Callable[[], nn.Module]) -> Maker:
    """Use texts of 128 words from a vocabulary of 5,000."""

    def made(n: int) -> tuple[nn.Module, Loss]:
        model, words = make(), torch.randint(5000, (n, 128))

        def loss(model: nn.Module) -> Tensor:
            logits: Tensor = model(input_ids=words, use_cache=False).logits
            return F.cross_entropy(logits[:, :-1].flatten(0, 1), words[:, 1:].flatten())

        return model, loss

    return made


def _gpt2() -> nn.Module:
    config = transformers.GPT2Config(vocab_size=5000, n_positions=256, n_embd=256, n_layer=2, n_head=4)
    config.attn_pdrop = config.embd_pdrop = config.resid_pdrop = 0.0
    return transformers.GPT2LMHeadModel(config)


def _llama() -> nn.Module:
    config = transformers.LlamaConfig(
        vocab_size=5000,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
    )
    return transformers.LlamaForCausalLM(config)


MODELS: dict[str, tuple[Maker, int]] = {  # with the number of examples in a step on the CPU
    "vit_b_16": (_images(torchvision.models.vit_b_16, 3, 224, 224), 2),
    "GPT-2": (_words(_gpt2), 4),
    "Llama": (_words(_llama), 4),
    "resnet18": (_images(torchvision.models.resnet18, 3, 224, 224), 8),
    "mobilenet_v3_small": (_images(torchvision.models.mobilenet_v3_small, 3, 224, 224), 8),
    "lenet": (_images(_lenet, 1, 28, 28), 100),
}
ON_A_GPU = 16  # times as many examples


def torchs(name: str, *where: str) -> Step:
    return _step(name, *where)


def ours(name: str, *where: str) -> Step:
    return _step(name, *where, by_hand=True)


def fused(name: str, *where: str) -> Step:
    return manualgrad.fused()(ours(name, *where))


def torchs_compiled(name: str, *where: str) -> Step:
    return _step(name, *where, compiled=True)


def ours_compiled(name: str, *where: str) -> Step:
    return _step(name, *where, by_hand=True, compiled=True)


def _step(name: str, device: str = "cpu", dtype: str = "float32", by_hand: bool = False, compiled: bool = False) -> Step:
    """Return a training step on this device; bfloat16 uses autocast."""
    torch.manual_seed(0)
    torch.compiler.reset()
    make, n = MODELS[name]
    with torch.device(device):
        model, loss = make(n if device == "cpu" else n * ON_A_GPU)
    model.train()
    for layer in model.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0  # so that the costs agree, also when compiled
    block: Any = nullcontext
    if by_hand:
        manualgrad.swap(model)
        block = manualgrad.by_hand
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, fused=True)

    def cost() -> Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"), block():
            return loss(model)

    run = torch.compile(cost) if compiled else cost

    def step() -> Tensor:
        optimizer.zero_grad()
        C = run()
        C.backward()
        optimizer.step()
        return C

    return step

"""What is differentiated by hand: writes docs/catalogue.md, the pages of the catalogue and the coverage of models.

    python docs/catalogue.py

Coverage is the share of the arithmetic nodes behind a loss whose derivative is hand-written, as `manualgrad.audit` counts it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
import torchvision
import transformers
from making.sources import is_in_place, pages
from making.written import table
from rich.progress import track
from torch.overrides import resolve_name

from manualgrad import audit, by_hand, swap
from manualgrad.nn import layers
from manualgrad.torch_api.catalogue import CATALOGUE

DOCUMENT = Path(__file__).with_name("catalogue.md")
SOURCE = "../manualgrad/functions"


def names() -> dict[str, list[str]]:
    """The names that by_hand answers, by the file of the call that answers them."""
    found: dict[str, set[str]] = {}
    for function, call in CATALOGUE.items():
        family = inspect.unwrap(call).__module__.rpartition(".")[2]
        name = resolve_name(function) or f"torch.{function.__name__}"
        found.setdefault("in place" if is_in_place(name) else family, set()).add(name)
    return {family: sorted(those) for family, those in sorted(found.items())}


Loss = Callable[[torch.nn.Module], torch.Tensor]
Maker = Callable[[], tuple[torch.nn.Module, Loss]]  # of a model, and of its loss as a function of it


def of_images(make: Callable[[], torch.nn.Module], side: int = 64) -> Maker:
    x, y = torch.rand(2, 3, side, side), torch.tensor([1, 2])
    return lambda: (make(), lambda model: F.cross_entropy(model(x), y))


def of_words(make: Callable[[Any], torch.nn.Module], config: type[Any]) -> Maker:
    """A small one, with its own loss."""
    sizes = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    marks = {"bos_token_id": 1, "eos_token_id": 2}
    words = torch.arange(24).view(2, 12)
    return lambda: (
        make(config(**sizes, **marks)),
        lambda model: model(input_ids=words, labels=words).loss,
    )


MODELS: dict[str, Maker] = {
    **{
        name: of_images(getattr(torchvision.models, name))
        for name in ("resnet18", "mobilenet_v3_small", "vgg11", "densenet121", "efficientnet_b0", "shufflenet_v2_x0_5")
    },
    "squeezenet1_1": of_images(torchvision.models.squeezenet1_1),
    "googlenet": of_images(lambda: torchvision.models.googlenet(init_weights=False, aux_logits=False)),
    "convnext_tiny": of_images(torchvision.models.convnext_tiny),
    "vit_b_16": of_images(lambda: torchvision.models.vit_b_16(image_size=64)),
    "swin_t": of_images(torchvision.models.swin_t),
    **{
        f"{name} (timm)": of_images(partial(timm.create_model, name), 224)
        for name in ("mixer_s32_224", "deit_tiny_patch16_224", "levit_128s")
    },
    "convmixer_768_32 (timm)": of_images(partial(timm.create_model, "convmixer_768_32"), 32),
    "GPT-2 (transformers)": of_words(transformers.GPT2LMHeadModel, transformers.GPT2Config),
    "BERT (transformers)": of_words(transformers.BertForMaskedLM, transformers.BertConfig),
    "Llama (transformers)": of_words(transformers.LlamaForCausalLM, transformers.LlamaConfig),
    "Qwen2 (transformers)": of_words(transformers.Qwen2ForCausalLM, transformers.Qwen2Config),
}


def coverage(make: Maker) -> list[float]:
    """Of a model with torch.nn's layers, swapped, and swapped inside by_hand."""
    model, loss_of = make()
    model.train()
    found = []
    blocks: tuple[Any, ...] = (nullcontext, nullcontext, by_hand)
    for block, is_swapped in zip(blocks, (False, True, True), strict=True):
        model = swap(model) if is_swapped else model
        with block():
            loss = loss_of(model)
        found.append(audit(loss).coverage)
    return found


def percent(share: float) -> str:
    """Rounded down, so that 100% is all of them."""
    return f"{int(share * 100)}%"


def document(shares: dict[str, list[float]]) -> str:
    page = [
        [f"[{page.path}]({SOURCE}/{page.path})", page.first_sentence, ", ".join(cls.__name__ for cls in page.classes)]
        for page in pages()
    ]
    family = [[name, ", ".join(f"`{n}`" for n in those)] for name, those in names().items()]
    model = [[name, *map(percent, found)] for name, found in shares.items()]
    return f"""# The catalogue

This file is written by `python docs/catalogue.py`.

## Whose gradients are by hand

The share of the arithmetic nodes behind a cross entropy in training whose derivative is hand-written, by `manualgrad.audit`.
The models of timm and transformers use few of torch.nn's layers, which `swap` exchanges: most of theirs is `by_hand`'s.

{table(["model", "torch.nn", "swapped", "swapped, inside by_hand"], model)}

## The pages

Each derives its gradients in its docstring, and holds them as code:

{table(["page", "what it is", "Functions"], page)}

## The layers

`manualgrad.nn` has these classes, and `swap` puts them in the place of torch.nn's:

{", ".join(f"`{name}`" for name in sorted(layers.__all__))}.

## The names

What `manualgrad.by_hand` answers, where it is to be differentiated:

{table(["family", "names"], family)}
"""


if __name__ == "__main__":
    text = document({name: coverage(make) for name, make in track(MODELS.items(), description="models")})
    DOCUMENT.write_text(text, encoding="utf-8")
    print(text.split("## The pages")[0])

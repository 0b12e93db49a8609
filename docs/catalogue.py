"""What is differentiated by hand: writes docs/catalogue.md, the pages of the catalogue and the coverage of models.

    python docs/catalogue.py

Coverage is the share of the arithmetic nodes behind a loss whose derivative is hand-written, as `manualgrad.audit` counts it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torchvision
from rich.progress import track
from torch.overrides import resolve_name

from manualgrad import Function, audit, by_hand, functions, swap
from manualgrad._catalogue import CATALOGUE
from manualgrad.nn import layers

DOCUMENT = Path(__file__).with_name("catalogue.md")
SOURCE = "../manualgrad/functions"


def pages() -> Iterator[tuple[str, str, list[str]]]:
    """Of each page with a Function on it: its path in the folder, the first sentence, the Functions."""
    for module_info in sorted(pkgutil.walk_packages(functions.__path__, "manualgrad.functions."), key=lambda info: info.name):
        module = importlib.import_module(module_info.name)
        here = [
            name
            for name, value in vars(module).items()
            if inspect.isclass(value) and issubclass(value, Function) and value.__module__ == module.__name__ and name[0] != "_"
        ]
        if here and "forward" in "".join(f" {m}" for name in here for m in vars(getattr(module, name))):
            path = module.__name__.removeprefix("manualgrad.functions.").replace(".", "/")
            first = " ".join((module.__doc__ or "").split("\n\n")[0].split())
            yield f"{path}.py", first.removesuffix(":"), here


def table(head: list[str], rows: list[list[str]]) -> str:
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


FAMILIES = {"functional": "the first four", "_catalogue": "arithmetic"}  # names of files that say little


def names() -> dict[str, list[str]]:
    """The names that by_hand answers, by the file of the call that answers them."""
    found: dict[str, set[str]] = {}
    for function, call in CATALOGUE.items():
        call = getattr(call, "func", call)
        family = inspect.unwrap(call).__module__.rpartition(".")[2]
        name = resolve_name(function) or f"torch.{function.__name__}"
        in_place = (name.endswith("_") and not name.endswith("__")) or "__i" in name
        found.setdefault("in place" if in_place else FAMILIES.get(family, family), set()).add(name)
    return {family: sorted(those) for family, those in sorted(found.items())}


MODELS: dict[str, Callable[[], torch.nn.Module]] = {
    "resnet18": torchvision.models.resnet18,
    "mobilenet_v3_small": torchvision.models.mobilenet_v3_small,
    "vgg11": torchvision.models.vgg11,
    "densenet121": torchvision.models.densenet121,
    "efficientnet_b0": torchvision.models.efficientnet_b0,
    "shufflenet_v2_x0_5": torchvision.models.shufflenet_v2_x0_5,
    "squeezenet1_1": torchvision.models.squeezenet1_1,
    "googlenet": lambda: torchvision.models.googlenet(init_weights=False, aux_logits=False),
    "convnext_tiny": torchvision.models.convnext_tiny,
    "vit_b_16": lambda: torchvision.models.vit_b_16(image_size=64),
    "swin_t": torchvision.models.swin_t,
}


def coverage(make: Callable[[], torch.nn.Module]) -> list[float]:
    """Of a model with torch.nn's layers, swapped, and swapped inside by_hand; the loss is a cross entropy."""
    model, x, y = make().train(), torch.rand(2, 3, 64, 64), torch.tensor([1, 2])
    found = []
    blocks: tuple[Any, ...] = (nullcontext, nullcontext, by_hand)
    for block, is_swapped in zip(blocks, (False, True, True), strict=True):
        model = swap(model) if is_swapped else model
        with block():
            loss = F.cross_entropy(model(x), y)
        found.append(audit(loss).coverage)
    return found


def percent(share: float) -> str:
    """Rounded down, so that 100% is all of them."""
    return f"{int(share * 100)}%"


def document(shares: dict[str, list[float]]) -> str:
    page = [[f"[{path}]({SOURCE}/{path})", first, ", ".join(those)] for path, first, those in pages()]
    family = [[name, ", ".join(f"`{n}`" for n in those)] for name, those in names().items()]
    model = [[name, *map(percent, found)] for name, found in shares.items()]
    return f"""# The catalogue

This file is written by `python docs/catalogue.py`.

## Whose gradients are by hand

The share of the arithmetic nodes behind a cross entropy in training whose derivative is hand-written, by `manualgrad.audit`:

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

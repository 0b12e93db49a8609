"""The API reference: a page for each public module, with every name of its `__all__`."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from making.written import Folder

__all__ = ["MODULES", "names", "write"]

MODULES = {
    "manualgrad": "The layers in a model, the algorithm, and the base class of Functions.",
    "manualgrad.nn": "torch.nn, with hand-written layers in the place of its own.",
    "manualgrad.nn.functional": "torch.nn.functional, with hand-written functions in the place of its own.",
    "manualgrad.testing": "The checks of a Function.",
}


def names(module: str) -> list[str]:
    """The public names of a module that are not modules themselves."""
    found = importlib.import_module(module)
    return [name for name in found.__all__ if not inspect.ismodule(getattr(found, name))]


def write(folder: Folder) -> None:
    """The pages and their index."""
    for module, what in MODULES.items():
        folder.write(f"reference/{module}.md", _page(module, what))
    listed = "\n".join(f"- [`{module}`]({module}.md): {what}" for module, what in MODULES.items())
    tree = "```{toctree}\n:hidden:\n\n" + "\n".join(MODULES) + "\n```"
    folder.write("reference/index.md", f"# Reference\n\nEvery public name.\n\n{listed}\n\n{tree}\n")


def _page(module: str, what: str) -> str:
    entries = "\n\n".join(_entry(module, name) for name in sorted(names(module), key=str.lower))
    return f"# `{module}`\n\n{what}\n\n{entries}\n"


def _entry(module: str, name: str) -> str:
    value: Any = getattr(importlib.import_module(module), name)
    kind = "class" if inspect.isclass(value) else "function" if callable(value) else "data"
    members = "   :members:\n" if kind == "class" and module in ("manualgrad", "manualgrad.testing") else ""
    return f"## {name}\n\n```{{eval-rst}}\n.. auto{kind}:: {module}.{name}\n{members}```"

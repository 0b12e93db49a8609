"""The API reference: a page for each public module, with every name in its `__all__`."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from making.written import Folder

__all__ = ["MODULES", "names", "write"]

MODULES = {
    "manualgrad": "Hand-written layers in a model, the algorithm without autograd, and the base class of Functions.",
    "manualgrad.nn": "torch.nn with hand-written layers.",
    "manualgrad.nn.functional": "torch.nn.functional with hand-written functions.",
    "manualgrad.testing": "Checks for Functions.",
}


def names(module: str) -> list[str]:
    """Return the public names of a module, except submodules."""
    found = importlib.import_module(module)
    return [name for name in found.__all__ if not inspect.ismodule(getattr(found, name))]


def write(folder: Folder) -> None:
    """Write the pages and their index."""
    for module, what in MODULES.items():
        folder.write(f"reference/{module}.md", _page(module, what))
    listed = "\n".join(f"- [`{module}`]({module}.md): {what}" for module, what in MODULES.items())
    tree = "```{toctree}\n:hidden:\n\n" + "\n".join(MODULES) + "\n```"
    folder.write("reference/index.md", f"# Reference\n\nAll public names.\n\n{listed}\n\n{tree}\n")


def _page(module: str, what: str) -> str:
    entries = "\n\n".join(_entry(module, name) for name in sorted(names(module), key=str.lower))
    return f"# `{module}`\n\n{what}\n\n{entries}\n"


def _entry(module: str, name: str) -> str:
    value: Any = getattr(importlib.import_module(module), name)
    kind = "class" if inspect.isclass(value) else "function" if callable(value) else "data"
    members = "   :members:\n" if kind == "class" and module in ("manualgrad", "manualgrad.testing") else ""
    return f"## {name}\n\n```{{eval-rst}}\n.. auto{kind}:: {module}.{name}\n{members}```"

"""Fall back to the PyTorch module that a module replaces, for the names that it does not define."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

__all__ = ["fall_through"]

_Getattr = Callable[[str], Any]
_Dir = Callable[[], list[str]]


def fall_through(own: dict[str, Any], torchs: ModuleType) -> tuple[_Getattr, _Dir]:
    """Return `__getattr__` and `__dir__` for the module with the globals `own`, which falls back to the names of `torchs`.

    If neither has a name, the AttributeError names the module itself, so that Python suggests the nearest name.
    """

    def __getattr__(name: str) -> Any:
        try:
            return getattr(torchs, name)
        except AttributeError:
            module = sys.modules[own["__name__"]]
            raise AttributeError(f"module {own['__name__']!r} has no attribute {name!r}", name=name, obj=module) from None

    def __dir__() -> list[str]:
        return sorted({*own, *dir(torchs)})

    return __getattr__, __dir__

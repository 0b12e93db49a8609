"""Names that a module takes from the PyTorch module in whose place it stands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

__all__ = ["fall_through"]

_Getattr = Callable[[str], Any]
_Dir = Callable[[], list[str]]


def fall_through(own: dict[str, Any], torchs: ModuleType) -> tuple[_Getattr, _Dir]:
    """Return `__getattr__` and `__dir__` of the module with the globals `own`, which has torch's other names too.

    A name that neither has raises an AttributeError of the module itself, from which Python suggests the nearest name.
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

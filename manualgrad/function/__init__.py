"""`Function`, the base class: write a derivative once, by hand, and have it run in every mode of PyTorch."""

from manualgrad.function.base import Function

__all__ = ["Function"]

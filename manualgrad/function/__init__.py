"""`Function`, the base class: write a derivative by hand once, and it runs in every mode of PyTorch."""

from manualgrad.function.base import Function

__all__ = ["Function"]

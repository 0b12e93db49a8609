"""Neural-network layers for PyTorch whose gradients are derived by hand."""

from manualgrad import nn
from manualgrad.function import Function

__all__ = ["Function", "nn"]
__version__ = "0.1.0"

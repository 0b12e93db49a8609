"""Neural-network layers for PyTorch whose gradients are derived by hand."""

from manualgrad import nn, testing
from manualgrad.audit import audit
from manualgrad.function import Function
from manualgrad.swap import swap, swap_report, unswap

__all__ = ["Function", "audit", "nn", "swap", "swap_report", "testing", "unswap"]
__version__ = "0.1.0"

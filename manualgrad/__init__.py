"""Neural-network layers for PyTorch whose gradients are derived by hand."""

from manualgrad import nn, testing
from manualgrad._audit import audit
from manualgrad._fused import fused
from manualgrad._swap import swap, swap_report, unswap
from manualgrad.function import Function
from manualgrad.network.algorithm import backprop, per_example_grad_norms, per_example_grads, sgd_step, trace
from manualgrad.network.mlp import MLP
from manualgrad.torch_api.mode import by_hand

__all__ = [
    "MLP",
    "Function",
    "audit",
    "backprop",
    "by_hand",
    "fused",
    "nn",
    "per_example_grad_norms",
    "per_example_grads",
    "sgd_step",
    "swap",
    "swap_report",
    "testing",
    "trace",
    "unswap",
]
__version__ = "0.2.0"

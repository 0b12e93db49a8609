"""The derivations: one file per layer, with its equations, their derivatives, and the code that computes them."""

from manualgrad.functions.activations.relu import ReLUFunction
from manualgrad.functions.activations.sigmoid import SigmoidFunction
from manualgrad.functions.linear.linear import LinearFunction
from manualgrad.functions.losses.mse_loss import MSELossFunction

__all__ = ["LinearFunction", "MSELossFunction", "ReLUFunction", "SigmoidFunction"]

"""The calculus: one file a layer, each with its equations, their derivatives, and the code that is those formulas."""

from manualgrad.functions.linear import LinearFunction
from manualgrad.functions.mse_loss import MSELossFunction
from manualgrad.functions.relu import ReLUFunction
from manualgrad.functions.sigmoid import SigmoidFunction

__all__ = ["LinearFunction", "MSELossFunction", "ReLUFunction", "SigmoidFunction"]

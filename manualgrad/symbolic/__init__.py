"""The derivations, done again by SymPy: of whole networks, and of the formulas that the Functions ship."""

from manualgrad.symbolic.expression import cost_expression, derive
from manualgrad.symbolic.proof import prove, symbols

__all__ = ["cost_expression", "derive", "prove", "symbols"]

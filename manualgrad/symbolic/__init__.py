"""Derivations by SymPy: of whole networks, and of the formulas in the shipped Functions."""

from manualgrad.symbolic.expression import cost_expression, derive
from manualgrad.symbolic.proof import prove, symbols

__all__ = ["cost_expression", "derive", "prove", "symbols"]

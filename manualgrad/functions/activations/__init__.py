"""Activation functions: a = σ(z)."""

"""Sums, products and the elementary functions of tensors."""

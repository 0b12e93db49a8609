"""Weighted sums of the previous activations, with learned weights."""

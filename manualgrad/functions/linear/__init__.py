"""Weighted sums of the activations before, with weights that are learned."""

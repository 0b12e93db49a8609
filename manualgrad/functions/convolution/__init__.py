"""Convolutions, transposed convolutions and the gradient of their kernel."""

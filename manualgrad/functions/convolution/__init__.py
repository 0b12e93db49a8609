"""Convolutions and transposed convolutions, and the ways to the gradient of the kernel."""

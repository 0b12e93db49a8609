"""Functions of each element by itself: a = σ(z)."""

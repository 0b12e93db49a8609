"""The figures of a run, and the style of every figure."""

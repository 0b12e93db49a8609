"""A sample of each Function of the catalogue: what it is tested, proven and measured on, one file a family."""

from function_samples import (
    activations,
    arithmetic,
    attention,
    convolution,
    embedding,
    interpolate,
    linear,
    losses,
    normalization,
    pooling,
    table,
)
from function_samples.table import BENCHMARKS, FUNCTIONS, PROOFS, SAMPLES

__all__ = ["BENCHMARKS", "FUNCTIONS", "PROOFS", "SAMPLES"]

table.prove_the_others()

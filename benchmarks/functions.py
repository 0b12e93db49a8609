"""Time forward and backward of every Function, inside by_hand and fused, and of torch's operator, at three sizes.

    python benchmarks/functions.py [names of Functions, such as Sigmoid]

This takes ten minutes.
"""

from __future__ import annotations

import statistics
import sys

from function_steps import BENCHMARKS
from measure import Case, median_ratio, race, show, table

SIZES = {"8": 8, "256": 256, "8,192": 8192}  # rows of 512 numbers: 16 KB, 512 KB and 16 MB
ROUNDS = 5
CONTESTANTS = {
    "torch": ("function_steps", "torchs"),
    "by hand": ("function_steps", "ours"),
    "fused": ("function_steps", "fused"),
}


def main(names: list[str]) -> None:
    names = names or list(BENCHMARKS)
    cases = [Case(f"{name}, {size} rows", (name, n)) for name in names for size, n in SIZES.items()]
    seconds = race("Functions", cases, CONTESTANTS, ROUNDS, alike=False)  # tests/test_benchmarks.py compares the results
    ratios = {
        ours: [median_ratio(*of) for of in zip(seconds[ours], seconds["torch"], strict=True)] for ours in ("by hand", "fused")
    }
    columns = [column for size in SIZES for column in (f"torch at {size} rows", "by hand / torch", "fused / torch")]
    made = table("Forward and backward: median µs", "Function", *columns)
    for i, name in enumerate(names):
        cells = []
        for k in range(len(SIZES) * i, len(SIZES) * (i + 1)):
            cells += [f"{statistics.median(seconds['torch'][k]) * 1e6:,.0f}", *(f"{of[k]:.2f}" for of in ratios.values())]
        made.add_row(name, *cells)
    middle = [[f"{statistics.median(of[k :: len(SIZES)]):.2f}" for of in ratios.values()] for k in range(len(SIZES))]
    made.add_row("median", *(cell for cells in middle for cell in ("", *cells)))
    show(made)


if __name__ == "__main__":
    main(sys.argv[1:])

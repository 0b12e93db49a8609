"""Time forward and backward of every Function, inside by_hand and fused, and of torch's operator, at three sizes.

    python benchmarks/functions.py [names of Functions, such as Sigmoid]

This takes ten minutes.
"""

from __future__ import annotations

import statistics
import sys

import function_steps
from function_steps import BENCHMARKS
from measure import Case, median_ratio, race, show, table

from manualgrad._fused.switch import listing

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
    is_fused = [is_compiled(name) for name in names]
    for title, wanted in (("of the {} that are fused", (True,)), ("of the {} others", (False,)), ("of all {}", (True, False))):
        chosen = [i for i in range(len(names)) if is_fused[i] in wanted]
        if not chosen:
            continue
        middle = [
            [f"{statistics.median(of[len(SIZES) * i + k] for i in chosen):.2f}" for of in ratios.values()]
            for k in range(len(SIZES))
        ]
        made.add_row("median " + title.format(len(chosen)), *(cell for cells in middle for cell in ("", *cells)))
    show(made)


def is_compiled(name: str) -> bool:
    """Return whether the Function has a kernel, in its forward or its backward, at the largest size."""
    step = function_steps.fused(name, max(SIZES.values()))
    with listing() as missing:
        step()
    return bool(missing)


if __name__ == "__main__":
    main(sys.argv[1:])

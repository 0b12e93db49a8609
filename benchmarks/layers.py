"""Time forward and backward of each layer at a typical size, with manualgrad and torch.nn, contiguous and in channels_last.

python benchmarks/layers.py [words of a title]
"""

from __future__ import annotations

import statistics
import sys

from layer_steps import LAYERS
from measure import Case, Seconds, median_ratio, race, show, table

ROUNDS = 15
CONTESTANTS = {
    "torch.nn": ("layer_steps", "torchs"),
    "manualgrad.nn": ("layer_steps", "ours"),
    "fused": ("layer_steps", "fused"),
}
IN_CHANNELS_LAST = ("conv", "batch norm", "group norm", "max pool", "average pool", "ReLU,")
BOUNDS = {  # on the ratio, contiguous and in channels_last
    "conv depthwise": (1.6, 1.6),
    "conv transposed": (3, 3),
    "conv": (1.12, 1.3),
    "batch norm": (1.5, 1.8),
    "group norm": (2.5, 2.5),
    "max pool": (1.05, 1.3),
    "ReLU,": (1.5, 1.5),
    "LeakyReLU": (2, 2),
    "Hardswish": (2.5, 2.5),
    "cross entropy, [256, 10]": (2, 2),
    "cross entropy, [8192": (0.8, 0.8),
    "attention, [8": (1.15, 1.15),
    "attention, causal, [1,": (1.9, 1.9),
    "layer norm, [8": (3.5, 3.5),
    "GELU, [8, 197": (2.5, 2.5),
    "embedding": (1.0, 1.0),
    "": (3, 3),
}
NOT_FUSED = ("conv", "attention")
FUSED_BOUND = 1.2


def main(words: list[str]) -> None:
    titles = [title for title in LAYERS if all(word in title for word in words)]
    cases = [Case(title, (title, False)) for title in titles]
    cases += [Case(f"{title}, channels_last", (title, True)) for title in titles if title.startswith(IN_CHANNELS_LAST)]
    seconds = race("Layers", cases, CONTESTANTS, ROUNDS)
    columns = ("manualgrad / torch", "bound", "fused / torch", "bound")
    made = table("Forward and backward: median µs", "layer", *CONTESTANTS, *columns)
    for i, case in enumerate(cases):
        of_fused = _bound(case) if case.title.startswith(NOT_FUSED) else FUSED_BOUND
        made.add_row(case.title, *_row(seconds, i, _bound(case), of_fused))
    fusible = [i for i, case in enumerate(cases) if not case.title.startswith(NOT_FUSED)]
    of_fused = [median_ratio(seconds["fused"][i], seconds["torch.nn"][i]) for i in fusible]
    made.add_row("median of what is fused", *[""] * 5, *_against(statistics.median(of_fused), 1.05))
    show(made)


def _bound(case: Case) -> float:
    """Return the bound of the first entry of BOUNDS that is a prefix of the title."""
    title, in_channels_last = case.arguments
    return next(bounds for start, bounds in BOUNDS.items() if str(title).startswith(start))[bool(in_channels_last)]


def _row(seconds: Seconds, i: int, bound: float, fused_bound: float) -> list[str]:
    of_rounds = [seconds[name][i] for name in CONTESTANTS]
    ratio = median_ratio(of_rounds[1], of_rounds[0])
    times = [f"{statistics.median(rounds) * 1e6:,.0f}" for rounds in of_rounds]
    fused = median_ratio(of_rounds[2], of_rounds[0])
    return [*times, *_against(ratio, bound), *_against(fused, fused_bound)]


def _against(ratio: float, bound: float) -> list[str]:
    return [f"{ratio:.2f}", f"{bound:.2f}{'' if ratio <= bound else ' not met'}"]


if __name__ == "__main__":
    main(sys.argv[1:])

"""A training step of whole models, by hand beside torch.nn's, eager and compiled.

    python benchmarks/models.py [names of models]

Swapped and inside by_hand, with a cross entropy and SGD. To compile takes a minute or two a model.
"""

from __future__ import annotations

import sys

from measure import Bound, Case, compare
from model_steps import MODELS

CONTESTANTS = {
    "torch.nn": ("model_steps", "torchs"),
    "by hand": ("model_steps", "ours"),
    "torch.nn, compiled": ("model_steps", "torchs_compiled"),
    "by hand, compiled": ("model_steps", "ours_compiled"),
}
AT_MOST = {  # of torch.nn's, eager and compiled
    "vit_b_16": (1.00, 0.98),
    "GPT-2": (1.05, 0.86),
    "Llama": (1.05, 0.95),
    "resnet18": (1.10, 1.08),
    "mobilenet_v3_small": (1.35, 1.1),
    "lenet": (1.25, 1.2),
}


def main(names: list[str]) -> None:
    names = names or list(MODELS)
    bounds = [
        Bound("by hand", ["torch.nn"], [AT_MOST[name][0] for name in names]),
        Bound("by hand, compiled", ["torch.nn, compiled"], [AT_MOST[name][1] for name in names]),
        Bound("by hand, compiled", ["torch.nn"], [None] * len(names)),
    ]
    compare("A training step", [Case(name, (name,)) for name in names], CONTESTANTS, bounds, rounds=7)


if __name__ == "__main__":
    main(sys.argv[1:])

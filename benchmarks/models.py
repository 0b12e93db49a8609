"""Time a training step of whole models, by hand and with torch.nn, eager and compiled.

    python benchmarks/models.py [names of models]
    python benchmarks/models.py --cuda [names of models]    on a GPU, with 16 times the examples, in float32 and bfloat16

By hand means swapped and inside by_hand. The cost is a cross entropy, the optimizer SGD. Compiling takes one or two minutes per
model.
"""

from __future__ import annotations

import sys

import torch
from measure import Bound, Case, compare
from model_steps import MODELS

CONTESTANTS = {
    "torch.nn": ("model_steps", "torchs"),
    "by hand": ("model_steps", "ours"),
    "by hand, fused": ("model_steps", "fused"),
    "torch.nn, compiled": ("model_steps", "torchs_compiled"),
    "by hand, compiled": ("model_steps", "ours_compiled"),
}
AT_MOST = {  # bounds on the ratio to torch.nn, eager and compiled
    "vit_b_16": (1.00, 0.98),
    "GPT-2": (1.05, 0.86),
    "Llama": (1.05, 0.95),
    "resnet18": (1.10, 1.08),
    "mobilenet_v3_small": (1.35, 1.1),
    "lenet": (1.25, 1.2),
}


FUSED_AT_MOST = {"GPT-2": 1.05, "Llama": 1.05, "mobilenet_v3_small": 1.15, "resnet18": 1.10, "vit_b_16": 1.00}
AT_MOST_ON_A_GPU = (None, 1.0)


def main(arguments: list[str]) -> int:
    on_a_gpu = arguments[:1] == ["--cuda"]
    if on_a_gpu and not torch.cuda.is_available():
        print("benchmarks/models.py --cuda: no CUDA device found", file=sys.stderr)
        return 2
    names = arguments[on_a_gpu:] or list(MODELS)
    cases = [Case(name, (name,)) for name in names]
    at_most: list[tuple[float | None, float | None]] = [AT_MOST[name] for name in names]
    if on_a_gpu:
        cases = [Case(f"{name}, {dtype}", (name, "cuda", dtype)) for name in names for dtype in ("float32", "bfloat16")]
        at_most = [AT_MOST_ON_A_GPU] * len(cases)
    bounds = [
        Bound("by hand", ["torch.nn"], [eager for eager, _ in at_most]),
        Bound("by hand, fused", ["torch.nn"], [FUSED_AT_MOST.get(case.title) for case in cases]),
        Bound("by hand, compiled", ["torch.nn, compiled"], [compiled for _, compiled in at_most]),
        Bound("by hand, compiled", ["torch.nn"], [None] * len(cases)),
    ]
    compare("A training step", cases, CONTESTANTS, bounds, rounds=7)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

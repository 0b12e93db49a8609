"""Measure lower bounds on a training step on this machine: its matrix products alone, and sgd_step's operators alone.

    python benchmarks/floors.py

No training in torch can avoid the products, which use torch's default library; only a faster library could meet a lower bound.
"""

from __future__ import annotations

from measure import Bound, compare
from steps import CASES


def main() -> None:
    compare(
        "Lower bounds on a step",
        CASES,
        {
            "torch.nn": ("step_torch", "torch_nn"),
            "sgd_step": ("step_torch", "sgd_step"),
            "its operators alone": ("floor_ways", "operators"),
            "the products alone": ("floor_ways", "products"),
        },
        [Bound(name, ["torch.nn"], [None] * 4) for name in ("sgd_step", "its operators alone", "the products alone")],
        alike=False,
    )


if __name__ == "__main__":
    main()

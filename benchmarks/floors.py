"""How near a training step can come to nothing on this machine: its matrix products alone, and sgd_step's operators alone.

    python benchmarks/floors.py

The products, by torch's default library, are what no way of training in torch does without; a bound below them can only be met
where another library multiplies faster.
"""

from __future__ import annotations

from measure import Bound, compare
from steps import CASES


def main() -> None:
    compare(
        "What a step cannot do without",
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

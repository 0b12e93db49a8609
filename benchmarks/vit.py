"""Time forward and backward of torchvision's vit_b_16 with swapped layers, compared with the original.

python benchmarks/vit.py
"""

from __future__ import annotations

from measure import Bound, Case, compare


def main() -> None:
    compare(
        "vit_b_16, forward and backward",
        [Case("batch 2")],
        {"original": ("vit_steps", "original"), "swapped": ("vit_steps", "swapped")},
        [Bound("swapped", ["original"], [0.75])],
    )


if __name__ == "__main__":
    main()

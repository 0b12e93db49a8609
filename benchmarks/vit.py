"""torchvision's vit_b_16 with its layers swapped for manualgrad's, against the original: forward and backward.

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

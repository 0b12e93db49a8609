"""Time one epoch of the notes' network on MNIST: as train.py draws batches (and tests the network), and with a DataLoader.

python benchmarks/epoch.py
"""

from __future__ import annotations

from measure import Bound, Case, compare


def main() -> None:
    compare(
        "An epoch of 784-16-16-10",
        [Case("batch 100")],
        {"DataLoader": ("epoch_ways", "data_loader"), "train.py": ("epoch_ways", "tensors")},
        [Bound("train.py", ["DataLoader"], [None])],
        rounds=5,
    )


if __name__ == "__main__":
    main()

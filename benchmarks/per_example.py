"""Time per-example gradients and their norms, compared with BackPACK, Opacus and torch.func's vmap(grad).

python benchmarks/per_example.py
"""

from __future__ import annotations

from measure import Bound, Case, compare

CASES = [
    Case("784-16-16-10, batch 100", ([784, 16, 16, 10], 100)),
    Case("784-128-10, batch 256", ([784, 128, 10], 256)),
    Case("784-512-512-10, batch 256", ([784, 512, 512, 10], 256)),
]


def main() -> None:
    compare(
        "Per-example gradient norms",
        CASES,
        {"per_example_grad_norms": ("per_example_peers", "norms"), "BackPACK": ("per_example_peers", "norms_backpack")},
        [Bound("per_example_grad_norms", ["BackPACK"], [None, None, 0.40])],
    )
    peers = {"BackPACK": "gradients_backpack", "Opacus": "gradients_opacus", "vmap(grad)": "gradients_vmap"}
    compare(
        "Per-example gradients",
        CASES,
        {"per_example_grads": ("per_example_peers", "gradients")} | {k: ("per_example_peers", v) for k, v in peers.items()},
        [Bound("per_example_grads", list(peers), [0.95, 0.95, 0.95])],
    )


if __name__ == "__main__":
    main()

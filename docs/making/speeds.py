"""What each page's layers cost beside torch's: of the last run of benchmarks/layers.py, which benchmarks/README.md holds."""

from __future__ import annotations

import functools

from making.sources import ROOT

__all__ = ["speeds"]

PAGES = {  # of the layers whose row begins so, the first that fits
    "conv transposed": "linear/transposed_convolution.py",
    "conv": "linear/convolution.py",
    "batch norm": "normalization/batch_norm.py",
    "group norm": "normalization/group_norm.py",
    "instance norm": "normalization/instance_norm.py",
    "layer norm": "normalization/layer_norm.py",
    "RMS norm": "normalization/rms_norm.py",
    "max pool": "pooling/max_pool.py",
    "average pool": "pooling/avg_pool.py",
    "adaptive average pool": "pooling/adaptive_avg_pool.py",
    "ReLU": "activations/relu.py",
    "LeakyReLU": "activations/leaky_relu.py",
    "ELU": "activations/leaky_relu.py",
    "Hard": "activations/hard.py",
    "SiLU": "activations/silu.py",
    "GELU": "activations/gelu.py",
    "Tanh": "activations/tanh.py",
    "Sigmoid": "activations/sigmoid.py",
    "PReLU": "activations/prelu.py",
    "softmax": "activations/softmax.py",
    "cross entropy": "losses/cross_entropy.py",
    "BCE": "losses/binary_cross_entropy.py",
    "smooth L1": "losses/distances.py",
    "attention": "attention.py",
    "dropout": "",  # which has no page
}


@functools.cache
def speeds() -> dict[str, list[list[str]]]:
    """Of each page: rows of a layer, torch.nn's time, ours, and the ratio."""
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    rows = text.partition("### layers.py")[2].partition("###")[0].splitlines()
    found: dict[str, list[list[str]]] = {}
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if row.startswith("|") and "µ" not in row and cells[0] != "layer" and not cells[0].startswith("-"):
            page = next(page for start, page in PAGES.items() if cells[0].startswith(start))
            found.setdefault(page, []).append(cells[:4])
    return found

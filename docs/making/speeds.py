"""Times of layers and Functions relative to torch's, from the last runs of benchmarks/layers.py and functions.py."""

from __future__ import annotations

import functools

from making.sources import ROOT

__all__ = ["of_functions", "speeds"]

PAGES = {  # by the beginning of a layer's row; the first match counts
    "conv transposed": "convolution/transposed_convolution.py",
    "conv": "convolution/convolution.py",
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
    "embedding": "embedding.py",
    "dropout": "",  # does not have a page
    "median": "",
}


@functools.cache
def speeds() -> dict[str, list[list[str]]]:
    """Return, for each page, rows of a layer, torch.nn's time, manualgrad's time and the ratio."""
    found: dict[str, list[list[str]]] = {}
    for cells in _rows("layers.py"):
        page = next(page for start, page in PAGES.items() if cells[0].startswith(start))
        found.setdefault(page, []).append([*cells[:3], cells[4]])
    return found


@functools.cache
def of_functions() -> dict[str, list[str]]:
    """Map the name of each Function, without "Function", to the ratios at a small, a usual and a large size."""
    return {name: ratios[1::3] for name, *ratios in _rows("functions.py")}


def _rows(script: str) -> list[list[str]]:
    """Return the rows of a script's table in benchmarks/README.md, without its head."""
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").partition(f"### {script}")[2].partition("###")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return rows[2:]

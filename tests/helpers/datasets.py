"""Small data sets, as torchvision lays them out."""

import gzip
import struct
from pathlib import Path

import torch


def write_idx(path, tensor, packed):
    """A file in the format of MNIST's, of a uint8 tensor."""
    content = struct.pack(f">{1 + tensor.dim()}I", 0x0800 + tensor.dim(), *tensor.shape) + bytes(tensor.flatten().tolist())
    path.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{path}.gz").write_bytes(gzip.compress(content)) if packed else path.write_bytes(content)


def write_dataset(root, name="FashionMNIST", train=50, test=20, packed=False):
    """A small data set as torchvision lays it out: an image's brightest row tells its class."""
    for kind, n in (("train", train), ("t10k", test)):
        labels = torch.arange(n, dtype=torch.uint8) % 10
        images = torch.randint(0, 50, (n, 28, 28), dtype=torch.uint8)
        images[torch.arange(n), 2 * labels.int() + 3] = 255
        write_idx(root / name / "raw" / f"{kind}-images-idx3-ubyte", images, packed)
        write_idx(root / name / "raw" / f"{kind}-labels-idx1-ubyte", labels, packed)

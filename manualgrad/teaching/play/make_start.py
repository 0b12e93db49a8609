"""Script that writes start/start.npz, the page's data: `python -m manualgrad.teaching.play.make_start [--data-dir DIR]`.

The file contains MNIST images, equally many of each digit and evenly spread over the data set, and a 784-16-16-10 network
trained on all training images. The same machine writes the same bytes each time.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from manualgrad.teaching.play.lesson import SIZES, START
from manualgrad.training import files
from manualgrad.training.data import CLASSES, Examples, load
from manualgrad.training.loop import Training, accuracy, make_network
from manualgrad.training.steps import BackpropStep

__all__ = ["make_start"]

_TRAIN, _TEST = 1_000, 200  # images per digit
_EPOCHS, _BATCH_SIZE, _RATE = 20, 10, 0.5


def make_start(training: Examples, test: Examples) -> tuple[bytes, float]:
    """Return the content of the file, and the accuracy of its network on all test images."""
    torch.manual_seed(0)
    model = make_network(SIZES)
    job = Training(
        model,
        training,
        test,
        epochs=_EPOCHS,
        batch_size=_BATCH_SIZE,
        lr=_RATE,
        schedule="cosine",
        generator=torch.Generator().manual_seed(0),
        take_step=BackpropStep(model),
    )
    for _ in job.run():
        pass
    arrays = {f"network.{name}": p.detach().numpy() for name, p in model.named_parameters()}
    for split, examples, n in (("train", training, _TRAIN), ("test", test, _TEST)):
        rows = _balanced(examples.labels, n)
        arrays[f"{split}.images"] = (255 * examples.x[rows]).round().to(torch.uint8).numpy()
        arrays[f"{split}.labels"] = examples.labels[rows].to(torch.uint8).numpy()
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue(), accuracy(model, test)


def _balanced(labels: Tensor, n: int) -> Tensor:
    """Return n rows for each digit, evenly spread, in order."""
    chosen = []
    for digit in range(CLASSES):
        rows = (labels == digit).nonzero()[:, 0]
        chosen.append(rows[torch.arange(n) * len(rows) // n])
    return torch.cat(chosen).sort().values


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the data that `manualgrad play` starts with.")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="folder that contains torchvision's MNIST/raw/")
    parser.add_argument("--out", type=Path, default=START, metavar="FILE", help=f"output file (the package's {START.name})")
    options = parser.parse_args()
    torch.set_num_threads(1)  # fixes the order of summation
    content, right = make_start(*load("mnist", options.data_dir))
    files.write(options.out, content)
    print(f"{options.out}: {len(content):,} bytes; its network has an accuracy of {right:.2%} on the 10,000 test images.")


if __name__ == "__main__":
    main()

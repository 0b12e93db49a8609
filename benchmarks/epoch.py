"""One epoch of the notes' network on MNIST: as train.py draws its batches, and through a DataLoader.

    python benchmarks/epoch.py

Both train the same network in the same way; only the way to the images differs.
"""

from __future__ import annotations

import statistics

import torch
from measure import interleaved, median_ratio, show
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader
from torchvision.datasets import MNIST
from torchvision.transforms import ToTensor

from manualgrad import data, nn
from manualgrad.training import make_network, train

ROUNDS = 5


def main() -> None:
    training, test = data.load("mnist")
    root = data._find("mnist", None)
    loader = DataLoader(MNIST(str(root), transform=ToTensor()), batch_size=100, shuffle=True)

    def tensors() -> None:
        model = make_network([784, 16, 16, 10])
        for _ in train(model, training, test, epochs=1, batch_size=100, lr=5.0):
            pass

    def data_loader() -> None:
        model = make_network([784, 16, 16, 10])
        cost, optimizer = nn.MSELoss(reduction="batchmean"), torch.optim.SGD(model.parameters(), lr=5.0, fused=True)
        for images, labels in loader:
            optimizer.zero_grad()
            cost(model(images.flatten(1)), torch.nn.functional.one_hot(labels, 10).float()).backward()
            optimizer.step()

    with Console().status(f"{ROUNDS} rounds of an epoch each"):
        seconds = interleaved({"train.py": tensors, "DataLoader": data_loader}, ROUNDS)
    table = Table("batches from", "seconds", "ratio", title="One epoch of 784-16-16-10, batch 100, median")
    sources = {"train.py": "tensors on the device (and its test)", "DataLoader": "DataLoader(MNIST(transform=ToTensor()))"}
    for name, source in sources.items():
        ratio = median_ratio(seconds[name], seconds["train.py"])
        table.add_row(source, f"{statistics.median(seconds[name]):.2f}", f"{ratio:.1f}")
    show(table)


if __name__ == "__main__":
    main()

"""Train a vision transformer on MNIST, with all gradients derived by hand.

    python examples/vit_mnist.py --epochs 1   # 2 minutes on two shared CPU cores; test accuracy 95.6%
    python examples/vit_mnist.py              # three epochs, 3 minutes on the same cores; 97.9%

The model is a small version of that of Dosovitskiy et al. (2021): an image is split into 16 patches of 7×7, each is embedded as
a vector, residual blocks of attention and of an MLP with two linear layers process them, and their mean is classified.
"""

from __future__ import annotations

import argparse
import sys
import time

import torch
from torch import Tensor

import manualgrad
from manualgrad import nn
from manualgrad.training.data import Examples, load

F = torch.nn.functional
WIDTH, HEADS, BLOCKS, PIECE = 64, 4, 4, 7


class Block(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.before_attention, self.before_mlp = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.queries_keys_values, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        n, pieces, _ = x.shape
        all_three = self.queries_keys_values(self.before_attention(x))
        q, k, v = all_three.view(n, pieces, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(q, k, v)
        x = x + self.out(seen.transpose(1, 2).reshape(n, pieces, WIDTH))
        return x + self.mlp(self.before_mlp(x))


class ViT(torch.nn.Module):
    """Maps images [n, 784] to the logits of the digits, [n, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces = nn.Conv2d(1, WIDTH, PIECE, stride=PIECE)
        self.places = torch.nn.Parameter(0.02 * torch.randn((28 // PIECE) ** 2, WIDTH))
        self.blocks = nn.Sequential(*[Block() for _ in range(BLOCKS)])
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 10)

    def forward(self, images: Tensor) -> Tensor:
        x = self.pieces(images.view(-1, 1, 28, 28)).flatten(2).transpose(1, 2) + self.places
        return self.head(self.norm(self.blocks(x)).mean(1))


@torch.no_grad()
def accuracy(model: ViT, test: Examples) -> float:
    right = [model(x).argmax(1) == labels for x, labels in zip(test.x.split(1000), test.labels.split(1000), strict=True)]
    return torch.cat(right).float().mean().item()


def train(model: ViT, training: Examples, test: Examples, epochs: int, batch_size: int) -> float:
    """Train the model and return its final test accuracy."""
    steps = -(-len(training) // batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * steps)
    start, share = time.perf_counter(), 0.0
    for epoch in range(epochs):
        for i, those in enumerate(torch.randperm(len(training)).split(batch_size)):
            with manualgrad.by_hand():
                cost = F.cross_entropy(model(training.x[those]), training.labels[those])
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
            schedule.step()
            if epoch == i == 0:
                print(f"{manualgrad.audit(cost).coverage:.1%} of the gradients are by hand")
            if i % 100 == 0:
                print(f"epoch {epoch + 1}   step {i:4} of {steps}   cost {cost.item():.3f}", end="\r", flush=True)
        share = accuracy(model, test)
        print(f"epoch {epoch + 1}   {share:.2%} of {len(test):,} test images   {time.perf_counter() - start:4.0f} s")
    return share


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3, help="passes over the training images (default: %(default)s)")
    parser.add_argument("--images", type=int, default=60_000, help="training images (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.epochs < 1 or options.images < 1:
        parser.error("--epochs and --images must be at least 1")
    torch.manual_seed(0)
    training, test = load("mnist")
    model = ViT()
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, {len(training[: options.images]):,} training images")
    train(model, training[: options.images], test, options.epochs, batch_size=100)
    return 0


if __name__ == "__main__":
    sys.exit(main())

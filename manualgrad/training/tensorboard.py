"""A training's logs for TensorBoard."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from manualgrad.training.loop import EpochResult

__all__ = ["Board"]


class Board:
    """Writes, for each epoch, its numbers, each layer's parameters as histograms, and the lengths of their gradients.

    Args:
        folder: what `tensorboard --logdir` is to be pointed at.
        epoch: the first epoch to be logged; what the folder has of it and later ones is hidden.
    """

    def __init__(self, folder: Path, epoch: int) -> None:
        self.writer = SummaryWriter(str(folder), purge_step=epoch)

    def add(self, result: EpochResult, model: torch.nn.Module) -> None:
        """The gradients are those of the epoch's last step (`sgd_step` leaves none), as long as the optimizer saw them."""
        add = self.writer.add_scalar
        for name in ("cost", "test_cost", "accuracy", "training_accuracy", "lr", "seconds"):
            add(name, getattr(result, name), result.epoch)
        for name, parameter in model.named_parameters():
            self.writer.add_histogram(name, parameter.detach(), result.epoch)
            if parameter.grad is not None:
                add(f"gradient norm/{name}", parameter.grad.norm(), result.epoch)
        self.writer.flush()

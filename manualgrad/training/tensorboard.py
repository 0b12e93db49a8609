"""TensorBoard logs of a training."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from manualgrad.training.loop import EpochResult

__all__ = ["Board"]


class Board:
    """Logs the metrics of each epoch, histograms of the parameters, and the norms of their gradients.

    Args:
        folder: the folder for `tensorboard --logdir`.
        epoch: the first epoch to log; existing entries of this epoch and later ones are hidden.
    """

    def __init__(self, folder: Path, epoch: int) -> None:
        self.writer = SummaryWriter(str(folder), purge_step=epoch)

    def add(self, result: EpochResult, model: torch.nn.Module) -> None:
        """Log an epoch. Gradients are those of the last step, as the optimizer used them; `sgd_step` leaves none."""
        add = self.writer.add_scalar
        for name in ("cost", "test_cost", "accuracy", "training_accuracy", "lr", "seconds"):
            add(name, getattr(result, name), result.epoch)
        for name, parameter in model.named_parameters():
            self.writer.add_histogram(name, parameter.detach(), result.epoch)
            if parameter.grad is not None:
                add(f"gradient norm/{name}", parameter.grad.norm(), result.epoch)
        self.writer.flush()

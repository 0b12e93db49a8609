"""Keeps the files of a run up to date during training; a failed write does not stop the training."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from manualgrad.training.loop import Training
from manualgrad.training.runs import Run

if TYPE_CHECKING:
    from manualgrad.training.tensorboard import Board

__all__ = ["Keeper"]


class Keeper:
    """Writes the metrics of a run after each epoch, and a checkpoint when one is due.

    A network whose cost is no longer finite is not saved: the earlier checkpoint stays.

    Args:
        every: the interval of the checkpoints: a number of epochs (an int) or of seconds (a float).
        warn: called with a sentence when a file could not be written.
        board: the TensorBoard log of each epoch, if any.
    """

    def __init__(
        self, run: Run, training: Training, every: int | float, warn: Callable[[str], None], board: Board | None = None
    ) -> None:
        self.run, self.training, self.every, self.warn, self.board = run, training, every, warn, board
        self.saved = time.monotonic()
        self.said: set[str] = set()

    def after_step(self) -> None:
        if isinstance(self.every, float) and time.monotonic() - self.saved >= self.every:
            self._save_finite()

    def after_epoch(self) -> None:
        self.attempt("metrics.jsonl", lambda: self.run.save_metrics(self.training.results))
        if self.board:
            self.board.add(self.training.results[-1], self.training.model)
        if isinstance(self.every, int) and len(self.training.results) % self.every == 0:
            self._save_finite()

    def finish(self) -> bool:
        """Write the network and the last checkpoint; if this fails, write them to a temporary folder.

        Returns:
            whether the run's folder has both, or there is no finite network to save.
        """
        if not self.training.is_finite():
            return True
        kept = self._save_checkpoint()
        if self.attempt("model.pt", lambda: self.run.save_model(self.training.model)) and kept:
            return True
        try:
            elsewhere = Run(Path(tempfile.mkdtemp(prefix="manualgrad-")), self.run.config)
            elsewhere.save_model(self.training.model)
            elsewhere.resume(self.training)
        except OSError as error:
            self.warn(f"the network could not be written to a temporary folder either ({error.strerror})")
        else:
            self.warn(f"the network and its checkpoint are in {elsewhere.folder} instead; move them to a permanent folder")
        return False

    def attempt(self, name: str, write: Callable[[], None]) -> bool:
        """Call `write` for the file of this name; return whether it succeeded, and warn otherwise."""
        try:
            write()
        except OSError as error:
            message = f"{self.run.folder / name} could not be written ({error.strerror or error})"
            if message not in self.said:  # it may fail after each epoch
                self.warn(message)
            self.said.add(message)
            return False
        return True

    def _save_finite(self) -> None:
        if self.training.is_finite():
            self._save_checkpoint()

    def _save_checkpoint(self) -> bool:
        done = self.attempt("checkpoint.pt", lambda: self.run.save_checkpoint(self.training))
        self.saved = time.monotonic()  # also after a failure, so that the next attempt waits as long
        return done

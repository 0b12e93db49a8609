"""Diagnose a training that does not make progress, with advice in a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from manualgrad.training.loop import EpochResult
from manualgrad.training.rates import default_rate

__all__ = ["Watch"]

_HARDLY = 1.5  # an accuracy below this multiple of guessing counts as a guess
_FEW = 200  # steps: the default network needs this many to be better than guessing
_BATCHES = 500  # recommended mini-batches per epoch, each of at most _USUAL examples
_USUAL = 100
_EPOCHS = 3  # the number of epochs without progress that is reported
_PROGRESS = 0.98  # progress: the lowest cost of these epochs is at most this fraction of the lowest cost before them


class Watch:
    """Compares the results of the epochs with a guess that ignores the images.

    Args:
        labels: the labels of the test examples.
        settings: the run's settings: network, hidden, activation, cost, batch_size, optimizer, engine and lr.
        examples: the number of training examples, if known.
    """

    def __init__(self, labels: Tensor, settings: Mapping[str, Any], examples: int | None = None) -> None:
        p = labels.bincount().double() / len(labels)
        self.accuracy = p.max().item()  # always predicting the most frequent class
        # Always predicting the class frequencies p costs Σ_j p_j (1 − p_j), or −Σ_j p_j log p_j.
        self.cost = (1 - p.square().sum() if settings["cost"] == "quadratic" else -p.xlogy(p).sum()).item()
        self.settings, self.examples = settings, examples

    def trouble(self, results: Sequence[EpochResult]) -> str:
        """Return a sentence on what is wrong after these epochs and what to try; "" if nothing is wrong."""
        what = self._trouble(results) if results else ""
        if not what:
            return ""
        few = self._too_few(len(results)) if math.isfinite(results[-1].cost) else ""
        return f"after epoch {len(results)} {what}{few or f': try {self._remedies()}'}"

    def _too_few(self, epochs: int) -> str:
        """Return advice if the steps are too few for any learning rate, otherwise ""."""
        if self.examples is None or self.settings["lr"] >= 2 * self._usual_rate():
            return ""  # at such a high rate, a few steps are enough to diverge
        batch_size = self.settings["batch_size"]
        steps = math.ceil(self.examples / batch_size)
        if epochs * steps >= _FEW:
            return ""
        taken = f"{epochs * steps} steps are" if epochs * steps > 1 else "1 step is"
        smaller = min(_USUAL, max(1, self.examples // _BATCHES))
        more = f"--epochs {math.ceil(_FEW / steps)}"
        if smaller < batch_size:
            more = f"--batch-size {smaller}, which takes {math.ceil(self.examples / smaller)} steps an epoch, or {more}"
        others = self._other_remedies() if self._is_deep() else []
        return f", because {taken} too few to learn from: try {', or '.join([more, *others])}"

    def _trouble(self, results: Sequence[EpochResult]) -> str:
        *before, last = results
        if not math.isfinite(last.cost):
            return "the cost is no longer finite"
        best = max((result.accuracy for result in before), default=0.0)
        if self._is_a_guess(last.accuracy):
            fallen = "" if self._is_a_guess(best) else f"has dropped from {best:.1%} and "
            return f"the accuracy {fallen}is {last.accuracy:.1%}, no better than guessing"
        costs = [result.cost for result in results]
        enough = max(_PROGRESS * min(costs[:-_EPOCHS], default=math.inf), self.cost / 2)
        if min(costs[-_EPOCHS:]) > enough:
            return f"the cost is {last.cost:.3f} and has hardly decreased in {_EPOCHS} epochs"
        return ""

    def _is_a_guess(self, accuracy: float) -> bool:
        return accuracy < _HARDLY * self.accuracy

    def _usual_rate(self) -> float:
        names = ("hidden", "activation", "batch_size", "optimizer", "network", "cost")
        return default_rate(*(self.settings[name] for name in names))[0]

    def _remedies(self) -> str:
        usual, lr = self._usual_rate(), self.settings["lr"]
        rate = f"--lr {lr / 5:.2g}" if usual / 2 < lr < 2 * usual else f"--lr {usual:.2g}, the default here"
        return ", or ".join([rate, *self._other_remedies()])

    def _other_remedies(self) -> list[str]:
        remedies = []
        if self.settings["engine"] == "autograd" and self.settings["optimizer"] not in ("adam", "adamw"):
            remedies.append("--optimizer adamw")
        return [*remedies, "--activation relu"] if self._is_deep() else remedies

    def _is_deep(self) -> bool:
        """Return whether there are so many sigmoid layers that gradients vanish, however many steps are taken."""
        network, hidden, activation = (self.settings[name] for name in ("network", "hidden", "activation"))
        return network == "mlp" and activation == "sigmoid" and len(hidden) > 2

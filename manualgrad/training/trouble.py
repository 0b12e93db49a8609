"""What is wrong with a training that does not train, in a sentence, and what to try."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from manualgrad.training.loop import EpochResult
from manualgrad.training.rates import default_rate

__all__ = ["Watch"]

_HARDLY = 1.5  # times the accuracy of a guess is hardly better than it
_FEW = 200  # steps: the default network needs as many to be better than a guess
_BATCHES = 500  # that an epoch is advised to have, of up to _USUAL examples
_USUAL = 100
_EPOCHS = 3  # without progress are several
_PROGRESS = 0.98  # what the lowest cost of several epochs is at most of the lowest before them, where there is progress


class Watch:
    """Looks at what came of each epoch, beside what can be had without a look at the images.

    Args:
        labels: of the test examples.
        settings: the run's: network, hidden, activation, cost, batch_size, optimizer, engine and lr.
        examples: how many there are to train on, where that is known.
    """

    def __init__(self, labels: Tensor, settings: Mapping[str, Any], examples: int | None = None) -> None:
        p = labels.bincount().double() / len(labels)
        self.accuracy = p.max().item()  # of naming the most frequent class each time
        # Of answering with the frequencies each time: Σ_j p_j (1 − p_j), or −Σ_j p_j log p_j.
        self.cost = (1 - p.square().sum() if settings["cost"] == "quadratic" else -p.xlogy(p).sum()).item()
        self.settings, self.examples = settings, examples

    def trouble(self, results: Sequence[EpochResult]) -> str:
        """What is wrong after these epochs and what to try, in a sentence; "" where nothing is."""
        what = self._trouble(results) if results else ""
        if not what:
            return ""
        few = self._too_few(len(results)) if math.isfinite(results[-1].cost) else ""
        return f"after epoch {len(results)} {what}{few or f': try {self._remedies()}'}"

    def _too_few(self, epochs: int) -> str:
        """Where so few steps have been taken that no learning rate makes up for it, that it is so, and what to try."""
        if self.examples is None or self.settings["lr"] >= 2 * self._usual_rate():
            return ""  # at a rate so high, few steps are enough to run away
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
        return f", as {taken} too few to learn from: try {', or '.join([more, *others])}"

    def _trouble(self, results: Sequence[EpochResult]) -> str:
        *before, last = results
        if not math.isfinite(last.cost):
            return "the cost is no longer a number"
        best = max((result.accuracy for result in before), default=0.0)
        if self._is_a_guess(last.accuracy):
            fallen = "" if self._is_a_guess(best) else f"has fallen from {best:.1%} and "
            return f"the accuracy {fallen}is {last.accuracy:.1%}, no better than a guess"
        costs = [result.cost for result in results]
        enough = max(_PROGRESS * min(costs[:-_EPOCHS], default=math.inf), self.cost / 2)
        if min(costs[-_EPOCHS:]) > enough:
            return f"the cost is {last.cost:.3f}, and has made no progress in {_EPOCHS} epochs"
        return ""

    def _is_a_guess(self, accuracy: float) -> bool:
        return accuracy < _HARDLY * self.accuracy

    def _usual_rate(self) -> float:
        names = ("hidden", "activation", "batch_size", "optimizer", "network", "cost")
        return default_rate(*(self.settings[name] for name in names))[0]

    def _remedies(self) -> str:
        usual, lr = self._usual_rate(), self.settings["lr"]
        rate = f"--lr {lr / 5:.2g}" if usual / 2 < lr < 2 * usual else f"--lr {usual:.2g}, which is the default here"
        return ", or ".join([rate, *self._other_remedies()])

    def _other_remedies(self) -> list[str]:
        remedies = []
        if self.settings["engine"] == "autograd" and self.settings["optimizer"] not in ("adam", "adamw"):
            remedies.append("--optimizer adamw")
        return [*remedies, "--activation relu"] if self._is_deep() else remedies

    def _is_deep(self) -> bool:
        """Whether sigmoids lie so deep that little of a nudge comes through them, however many the steps."""
        network, hidden, activation = (self.settings[name] for name in ("network", "hidden", "activation"))
        return network == "mlp" and activation == "sigmoid" and len(hidden) > 2

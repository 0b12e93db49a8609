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
_EPOCHS = 3  # without progress are several
_PROGRESS = 0.98  # what the lowest cost of several epochs is at most of the lowest before them, where there is progress


class Watch:
    """Looks at what came of each epoch, beside what can be had without a look at the images.

    Args:
        labels: of the test examples.
        settings: the run's: network, hidden, activation, cost, batch_size, optimizer, engine and lr.
    """

    def __init__(self, labels: Tensor, settings: Mapping[str, Any]) -> None:
        p = labels.bincount().double() / len(labels)
        self.accuracy = p.max().item()  # of naming the most frequent class each time
        # Of answering with the frequencies each time: Σ_j p_j (1 − p_j), or −Σ_j p_j log p_j.
        self.cost = (1 - p.square().sum() if settings["cost"] == "quadratic" else -p.xlogy(p).sum()).item()
        self.settings = settings

    def trouble(self, results: Sequence[EpochResult]) -> str:
        """What is wrong after these epochs and what to try, in a sentence; "" where nothing is."""
        what = self._trouble(results) if results else ""
        return f"after epoch {len(results)} {what}: try {self._remedies()}" if what else ""

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

    def _remedies(self) -> str:
        names = ("network", "hidden", "activation", "cost", "batch_size", "optimizer", "engine", "lr")
        network, hidden, activation, cost, batch_size, optimizer, engine, lr = (self.settings[name] for name in names)
        usual, _ = default_rate(hidden, activation, batch_size, optimizer, network, cost)
        remedies = [f"--lr {lr / 5:.2g}" if usual / 2 < lr < 2 * usual else f"--lr {usual:.2g}, which is the default here"]
        if engine == "autograd" and optimizer not in ("adam", "adamw"):
            remedies.append("--optimizer adamw")
        if network == "mlp" and activation == "sigmoid" and len(hidden) > 2:
            remedies.append("--activation relu")
        return ", or ".join(remedies)

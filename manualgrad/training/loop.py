"""Gradient descent on a data set held on the training device: the loop that every command shares."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from manualgrad import nn
from manualgrad._swap import unswap
from manualgrad.network.mlp import MLP
from manualgrad.training.data import Examples
from manualgrad.training.distortion import Distortion
from manualgrad.training.processes import ALONE, Processes
from manualgrad.training.steps import AutogradStep, Step

__all__ = ["SCHEDULES", "EpochResult", "Training", "accuracy", "make_network"]


def make_network(sizes: Sequence[int], activation: str = "sigmoid", layers: str = "manualgrad") -> torch.nn.Sequential:
    """Linear layers of these sizes, each followed by its activation: `activation`, and after the last one sigmoid.

    Args:
        sizes: the number of neurons in each layer, from the inputs to the outputs: [784, 16, 16, 10].
        activation: "sigmoid" or "relu".
        layers: whose: "manualgrad", or "torch" for torch.nn's; the same seed gives both the same parameters.
    """
    network = nn.Sequential(*MLP(sizes, [*[activation] * (len(sizes) - 2), "sigmoid"]))
    return network if layers == "manualgrad" else unswap(network)


# What the learning rate of epoch e (0, 1, ...) of E is multiplied by. Those of torch.optim.lr_scheduler need an optimizer.
SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "constant": lambda e, E: 1.0,
    # half a cosine wave: Loshchilov and Hutter, 2017, "SGDR", equation 5, without restarts
    "cosine": lambda e, E: (1 + math.cos(math.pi * e / E)) / 2,
    # a tenth in the second third of the epochs, a hundredth in the last
    "step": lambda e, E: 0.1 ** (3 * e // E),
}


@dataclass(frozen=True)
class EpochResult:
    """What one pass over the training examples came to.

    Attributes:
        epoch: counted from 1.
        cost: the average cost of a training example, each as it was when its mini-batch came up.
        accuracy: the share of the test examples that are classified right afterwards, from 0 to 1.
        seconds: the time the epoch took, its test included.
        lr: the learning rate of the epoch.
    """

    epoch: int
    cost: float
    accuracy: float
    seconds: float
    lr: float


class Training:
    """A training of `model`, in place, by stochastic gradient descent on the notes' quadratic cost.

    In each epoch the examples are shuffled anew, and the learning rate is `lr` times the schedule's factor. Whenever
    `after_step` is called, and between epochs, `state_dict` holds all that the rest depends on: a Training made alike that
    loads it goes on to the same result, bit for bit. Nothing in a step waits for the device.

    Args:
        model: with its parameters on the device of the examples.
        take_step: what a step is; `AutogradStep(model)` unless given.
        schedule: a key of `SCHEDULES`.
        generator: of all that is random here, on the examples' device.
        distort: the strength of the `Distortion` of each training image; 0 for none.
        processes: among which each mini-batch is divided. They have the same generator, so that they draw alike.

    Attributes:
        results: those of the epochs that are over.
        step: the steps taken in the epoch under way.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        training: Examples,
        test: Examples,
        *,
        epochs: int,
        batch_size: int,
        lr: float,
        generator: torch.Generator,
        take_step: Step | None = None,
        schedule: str = "cosine",
        distort: float = 0.0,
        processes: Processes = ALONE,
    ) -> None:
        self.model, self.training, self.test = model, training, test
        self.epochs, self.batch_size, self.lr, self.schedule = epochs, batch_size, lr, schedule
        self.generator, self.processes = generator, processes
        self.take_step: Step = take_step or AutogradStep(model, processes=processes)
        device = training.x.device
        self.distortion = Distortion(training.x.shape[1], distort, device) if distort else None
        self.results: list[EpochResult] = []
        self.step = 0
        self._cost_sum = torch.zeros((), device=device)
        self._start = time.perf_counter()
        self._random_before_shuffle = generator.get_state()

    @property
    def epoch(self) -> int:
        """The epoch under way, counted from 1; `epochs` + 1 when the training is over."""
        return len(self.results) + 1

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.training) / self.batch_size)

    def run(self, after_step: Callable[[], None] = lambda: None) -> Iterator[EpochResult]:
        """Do what is left of the training, and yield the result of each epoch when it is over."""
        while self.epoch <= self.epochs:
            if self.step == 0:
                self._cost_sum.zero_()
                self._start = time.perf_counter()
                self._shuffle()
            rate = self.lr * SCHEDULES[self.schedule](self.epoch - 1, self.epochs)
            for batch in self._order.split(self.batch_size)[self.step :]:
                cost = self.take_step(*self._examples(batch), rate, len(batch))
                # Added up in each step, as any may be the last before a checkpoint, which one process writes for all.
                self._cost_sum.add_(self.processes.add_up(cost), alpha=len(batch))
                self.step += 1
                after_step()
            result = EpochResult(
                epoch=self.epoch,
                cost=self._cost_sum.item() / len(self.training),
                accuracy=accuracy(self.model, self.test, self.processes),
                seconds=time.perf_counter() - self._start,
                lr=rate,
            )
            self.results.append(result)
            self.step = 0
            yield result

    def _shuffle(self) -> None:
        self._random_before_shuffle = self.generator.get_state()
        self._order = torch.randperm(len(self.training), generator=self.generator, device=self.training.x.device)

    def _examples(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs and the desired outputs of this process's share of the mini-batch, the inputs distorted."""
        share = self.processes.share(batch)
        x, y = self.training.x.index_select(0, share), self.training.y.index_select(0, share)
        if self.distortion:
            x = self.distortion(x, self.processes.share(self.distortion.draw(len(batch), self.generator)))
        return x, y

    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the training depends on, alike in every process."""
        return {
            "model": self.model.state_dict(),
            "take_step": self.take_step.state_dict(),
            "results": [dataclasses.asdict(result) for result in self.results],
            "step": self.step,
            "cost_sum": self._cost_sum,
            "seconds": time.perf_counter() - self._start,
            "random_before_shuffle": self._random_before_shuffle,
            "random": self.generator.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Be where the Training was whose state this is."""
        self.model.load_state_dict(state["model"])
        self.take_step.load_state_dict(state["take_step"])
        self.results = [EpochResult(**result) for result in state["results"]]
        self.step = state["step"]
        self._cost_sum.copy_(state["cost_sum"])
        self._start = time.perf_counter() - state["seconds"]
        if self.step > 0:
            self.generator.set_state(state["random_before_shuffle"])
            self._shuffle()
        self.generator.set_state(state["random"])


@torch.no_grad()
def accuracy(
    model: torch.nn.Module,
    examples: Examples,
    processes: Processes = ALONE,
    batch_size: int = 10_000,
) -> float:
    """The share of the examples whose brightest output is the right one; the processes divide them among themselves."""
    right = torch.zeros((), device=examples.x.device)
    x, labels = processes.share(examples.x), processes.share(examples.labels)
    for some_x, some_labels in zip(x.split(batch_size), labels.split(batch_size), strict=True):
        right += (model(some_x).argmax(1) == some_labels).sum()
    return processes.add_up(right).item() / len(examples)

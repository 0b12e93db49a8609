"""Gradient descent on a data set held on the training device: the loop that every command shares."""

from __future__ import annotations

import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from manualgrad import nn
from manualgrad._swap import unswap
from manualgrad.network.mlp import MLP
from manualgrad.training import costs
from manualgrad.training.cuda_graph import GraphedStep
from manualgrad.training.data import Examples
from manualgrad.training.distortion import Distortion
from manualgrad.training.processes import ALONE, Processes
from manualgrad.training.steps import AutogradStep, Step

__all__ = ["SCHEDULES", "EpochResult", "Training", "accuracy", "make_network"]

_EVALUATED = 500  # examples at once: what the six maps of so many images take stays in the cache


def make_network(
    sizes: Sequence[int], activation: str = "sigmoid", layers: str = "manualgrad", cost: str = "quadratic"
) -> torch.nn.Sequential:
    """Linear layers of these sizes, each followed by its activation: `activation`, and after the last one the cost's.

    Args:
        sizes: the number of neurons in each layer, from the inputs to the outputs: [784, 16, 16, 10].
        activation: "sigmoid", "relu" or "tanh".
        layers: whose: "manualgrad", or "torch" for torch.nn's; the same seed gives both the same parameters.
        cost: "quadratic", whose outputs are sigmoids; or "cross-entropy", which takes the softmax of the outputs z itself.
    """
    last = "sigmoid" if cost == "quadratic" else "identity"
    network = nn.Sequential(*MLP(sizes, [*[activation] * (len(sizes) - 2), last]))
    for l in range(0, len(network) - 2, 2):
        if activation == "sigmoid":
            _initialize(network[l], gain=4, a_prev=0.5 if l else 0.0)
        elif activation == "tanh":
            _initialize(network[l], gain=1, a_prev=0.0)
    return network if layers == "manualgrad" else unswap(network)


@torch.no_grad()
def _initialize(hidden: Any, gain: float, a_prev: float) -> None:
    """Random weights that let what tells two examples apart through a layer of sigmoids or tanh: Glorot and Bengio's.

    A sigmoid passes on a quarter of a small difference, and nn.Linear's own weights, of variance 1/(3 inputs), 1/√3 of it:
    after three layers a three-hundredth is left, all examples look alike, and descent stays where it is. Weights from
    U(−r, r) with r = 4 √(6 / (inputs + outputs)) pass on all of it, forward and backward (Glorot and Bengio, 2010,
    "Understanding the difficulty of training deep feedforward neural networks", equation 16; 4 is 1/σ′(0)). The biases put z
    at 0, where the sigmoid is steepest, for inputs of `a_prev` (the black background, or half active neurons). For tanh,
    whose slope at 0 is 1, the gain is 1.
    """
    W, b = hidden.weight, hidden.bias
    torch.nn.init.xavier_uniform_(W, gain=gain)
    b.copy_(-a_prev * W.sum(1))


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
        training_accuracy: the share of training examples, of as many as there are test examples, that are then classified
            right; nan where an older version wrote the result. They are shown as they are, also where training distorts them.
        test_cost: the average cost of a test example afterwards; nan likewise.
    """

    epoch: int
    cost: float
    accuracy: float
    seconds: float
    lr: float
    training_accuracy: float = math.nan
    test_cost: float = math.nan


class Training:
    """A training of `model`, in place, by stochastic gradient descent on a cost, the notes' quadratic one unless given.

    In each epoch the examples are shuffled anew, and the learning rate is `lr` times the schedule's factor. Whenever
    `after_step` is called, and between epochs, `state_dict` holds all that the rest depends on: a Training made alike that
    loads it resumes to the same result, bit for bit. Nothing in a step waits for the device, and on a GPU one process takes
    each as a CUDA graph, with the same result.

    Args:
        model: with its parameters on the device of the examples.
        take_step: what a step is; `AutogradStep(model, cost=cost)` unless given.
        cost: a name in `costs.COSTS`, that of the step.
        schedule: a key of `SCHEDULES`.
        generator: of all that is random here, on the examples' device.
        distort: the strength of the `Distortion` of each training image; 0 for none.
        processes: among which each mini-batch is divided. They have the same generator, so that they draw alike.
        graphed: whether a step on a GPU is a CUDA graph, where that is possible.
        warn: is told, in a sentence, where it is not.

    Attributes:
        results: those of the epochs that are over.
        step: the steps taken in the epoch under way.
        cost: that of the last mini-batch as it came up, a 0-d tensor, which the next step may write over.
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
        cost: str = "quadratic",
        schedule: str = "cosine",
        distort: float = 0.0,
        processes: Processes = ALONE,
        graphed: bool = True,
        warn: Callable[[str], None] = warnings.warn,
    ) -> None:
        self.model, self.training, self.test = model, training, test
        self.epochs, self.batch_size, self.lr, self.schedule = epochs, batch_size, lr, schedule
        self.generator, self.processes = generator, processes
        self.take_step: Step = take_step or AutogradStep(model, cost=cost, processes=processes)
        self.cost_name = cost
        device = training.x.device
        self.distortion = Distortion(training.x.shape[1], distort, device) if distort else None
        self.results: list[EpochResult] = []
        self.step = 0
        self.cost = torch.zeros((), device=device)
        self._cost_sum = torch.zeros((), device=device)
        self.graphed, self.warn = graphed and device.type == "cuda" and processes.size == 1, warn
        self._current_step = self._as_graph()
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
        """Do what is left of the training, and yield the result of each epoch when it is over.

        It ends early with an epoch whose cost is not a number, which no later step would change.
        """
        while self.epoch <= self.epochs:
            if self.step == 0:
                self._cost_sum.zero_()
                self._start = time.perf_counter()
                self._shuffle()
            rate = self.lr * SCHEDULES[self.schedule](self.epoch - 1, self.epochs)
            for batch in self._order.split(self.batch_size)[self.step :]:
                self.cost = self._current_step(batch, rate)
                self.step += 1
                after_step()
            test_cost, right = _evaluate(self.model, self.test, self.processes, self.cost_name)
            _, training_accuracy = _evaluate(self.model, self.training[: len(self.test)], self.processes, self.cost_name)
            result = EpochResult(
                epoch=self.epoch,
                cost=self._cost_sum.item() / len(self.training),
                accuracy=right,
                seconds=time.perf_counter() - self._start,
                lr=rate,
                training_accuracy=training_accuracy,
                test_cost=test_cost,
            )
            self.results.append(result)
            self.step = 0
            yield result
            if not math.isfinite(result.cost):
                return

    def is_finite(self) -> bool:
        """Whether the epoch's cost and all parameters are numbers; this waits for the device."""
        return all(bool(tensor.isfinite().all()) for tensor in (self._cost_sum, *self.model.parameters()))

    def _shuffle(self) -> None:
        self._random_before_shuffle = self.generator.get_state()
        self._order = torch.randperm(len(self.training), generator=self.generator, device=self.training.x.device)

    def _as_graph(self) -> Callable[[Tensor, float], Tensor]:
        """`_eager_step`, on a GPU as a CUDA graph that is not recorded yet."""
        if not self.graphed:
            return self._eager_step
        return GraphedStep(self._eager_step, min(self.batch_size, len(self.training)), self.generator, self.warn)

    def _eager_step(self, batch: Tensor, rate: float) -> Tensor:
        """The step of the mini-batch of these rows, and its cost before."""
        cost = self.processes.add_up(self.take_step(*self._examples(batch), rate, len(batch)))
        # Added up in each step, as any may be the last before a checkpoint, which one process writes for all.
        self._cost_sum.add_(cost, alpha=len(batch))
        return cost

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
        self._current_step = self._as_graph()  # the optimizer's state is in other tensors now
        self.results = [EpochResult(**result) for result in state["results"]]
        self.step = state["step"]
        self._cost_sum.copy_(state["cost_sum"])
        self._start = time.perf_counter() - state["seconds"]
        if self.step > 0:
            self.generator.set_state(state["random_before_shuffle"])
            self._shuffle()
        self.generator.set_state(state["random"])


def accuracy(model: torch.nn.Module, examples: Examples) -> float:
    """The share of the examples whose brightest output is the right one."""
    return _evaluate(model, examples, ALONE, "quadratic")[1]


@torch.no_grad()
def _evaluate(model: torch.nn.Module, examples: Examples, processes: Processes, cost: str) -> tuple[float, float]:
    """The average cost of an example, and the share of them that are classified right; the processes divide the examples."""
    found = torch.zeros(2, device=examples.x.device)
    shares = (processes.share(tensor).split(_EVALUATED) for tensor in (examples.x, examples.y, examples.labels))
    for x, y, labels in zip(*shares, strict=True):
        output = model(x)
        found += torch.stack([costs.total(cost, output, y), (output.argmax(1) == labels).sum()])
    average, right = processes.add_up(found) / len(examples)
    return average.item(), right.item()

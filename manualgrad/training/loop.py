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

_EVALUATED = 500  # examples at once: the six maps of this many images fit in the cache


def make_network(
    sizes: Sequence[int], activation: str = "sigmoid", layers: str = "manualgrad", cost: str = "quadratic"
) -> torch.nn.Sequential:
    """Make a network of Linear layers, each followed by `activation`; the last activation depends on the cost.

    Args:
        sizes: the number of neurons in each layer, from the inputs to the outputs: [784, 16, 16, 10].
        activation: "sigmoid", "relu" or "tanh".
        layers: "manualgrad", or "torch" for torch.nn's layers; the same seed gives both the same parameters.
        cost: "quadratic", with sigmoid outputs; or "cross-entropy", which applies softmax to the outputs z itself.
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
    """Initialize a layer of sigmoid or tanh so that differences between examples pass through (Glorot and Bengio).

    A sigmoid passes on a quarter of a small difference, and nn.Linear's default weights, of variance 1/(3 inputs), 1/√3 of it:
    after three layers 1/300 is left, all examples look alike, and descent makes no progress. Weights from
    U(−r, r) with r = 4 √(6 / (inputs + outputs)) preserve it, forward and backward (Glorot and Bengio, 2010,
    "Understanding the difficulty of training deep feedforward neural networks", equation 16; 4 is 1/σ′(0)). The biases make z
    equal 0, where the sigmoid is steepest, for inputs of `a_prev` (the black background, or half active neurons). For tanh,
    whose slope at 0 is 1, the gain is 1.
    """
    W, b = hidden.weight, hidden.bias
    torch.nn.init.xavier_uniform_(W, gain=gain)
    b.copy_(-a_prev * W.sum(1))


# The factor of the learning rate in epoch e (0, 1, ...) of E. torch.optim.lr_scheduler would need an optimizer.
SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "constant": lambda e, E: 1.0,
    # half a cosine wave: Loshchilov and Hutter, 2017, "SGDR", equation 5, without restarts
    "cosine": lambda e, E: (1 + math.cos(math.pi * e / E)) / 2,
    # a tenth in the second third of the epochs, a hundredth in the last
    "step": lambda e, E: 0.1 ** (3 * e // E),
}


@dataclass(frozen=True)
class EpochResult:
    """The result of one pass over the training examples.

    Attributes:
        epoch: counted from 1.
        cost: the average cost of a training example, measured when its mini-batch was processed.
        accuracy: the fraction of test examples classified correctly after the epoch, from 0 to 1.
        seconds: the duration of the epoch, including the test.
        lr: the learning rate of the epoch.
        training_accuracy: the fraction classified correctly after the epoch, without distortion, of the first training
            examples, as many as there are test examples; nan if an older version wrote the result.
        test_cost: the average cost of a test example after the epoch; nan if an older version wrote the result.
    """

    epoch: int
    cost: float
    accuracy: float
    seconds: float
    lr: float
    training_accuracy: float = math.nan
    test_cost: float = math.nan


class Training:
    """Trains `model` in place by stochastic gradient descent on a cost, by default the notes' quadratic cost.

    Each epoch shuffles the examples, and its learning rate is `lr` times the schedule's factor. Between epochs, and whenever
    `after_step` is called, `state_dict` holds the complete state: another Training with the same arguments that loads it
    resumes bit for bit. A step does not synchronize with the device; on a GPU, a single process runs each step as a CUDA graph,
    with the same result.

    Args:
        model: the network, with its parameters on the device of the examples.
        take_step: takes a step; by default `AutogradStep(model, cost=cost)`.
        cost: a name in `costs.COSTS`, the same as that of the step.
        schedule: a key of `SCHEDULES`.
        generator: generates all random numbers, on the examples' device.
        distort: the strength of the `Distortion` of each training image; 0 for none.
        processes: the processes that share each mini-batch. Their generators must have the same state.
        graphed: whether a step on a GPU is captured as a CUDA graph, if possible.
        warn: called with a sentence if it cannot be captured.

    Attributes:
        results: the results of the finished epochs.
        step: the number of steps taken in the current epoch.
        cost: the cost of the last mini-batch before its step, a 0-d tensor, which the next step may overwrite.
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
        """The current epoch, counted from 1; `epochs` + 1 when the training is finished."""
        return len(self.results) + 1

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.training) / self.batch_size)

    def run(self, after_step: Callable[[], None] = lambda: None) -> Iterator[EpochResult]:
        """Run the remaining training, and yield the result of each finished epoch.

        Stop early after an epoch whose cost is not finite, since no later step could repair it.
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
        """Return whether the epoch's cost and all parameters are finite; this synchronizes with the device."""
        return all(bool(tensor.isfinite().all()) for tensor in (self._cost_sum, *self.model.parameters()))

    def _shuffle(self) -> None:
        self._random_before_shuffle = self.generator.get_state()
        self._order = torch.randperm(len(self.training), generator=self.generator, device=self.training.x.device)

    def _as_graph(self) -> Callable[[Tensor, float], Tensor]:
        """Return `_eager_step`, on a GPU wrapped as a CUDA graph that is not captured yet."""
        if not self.graphed:
            return self._eager_step
        return GraphedStep(self._eager_step, min(self.batch_size, len(self.training)), self.generator, self.warn)

    def _eager_step(self, batch: Tensor, rate: float) -> Tensor:
        """Take the step of the mini-batch of these rows; return the mini-batch's cost before the step."""
        cost = self.processes.add_up(self.take_step(*self._examples(batch), rate, len(batch)))
        # Summed in each step, since a checkpoint, which one process writes for all, may follow any step.
        self._cost_sum.add_(cost, alpha=len(batch))
        return cost

    def _examples(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inputs, distorted, and the desired outputs of this process's share of the mini-batch."""
        share = self.processes.share(batch)
        x, y = self.training.x.index_select(0, share), self.training.y.index_select(0, share)
        if self.distortion:
            x = self.distortion(x, self.processes.share(self.distortion.draw(len(batch), self.generator)))
        return x, y

    def state_dict(self) -> dict[str, Any]:
        """Return the complete state of the training, which is the same in every process."""
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
        """Restore a state returned by `state_dict`."""
        self.model.load_state_dict(state["model"])
        self.take_step.load_state_dict(state["take_step"])
        self._current_step = self._as_graph()  # the optimizer's state is in new tensors
        self.results = [EpochResult(**result) for result in state["results"]]
        self.step = state["step"]
        self._cost_sum.copy_(state["cost_sum"])
        self._start = time.perf_counter() - state["seconds"]
        if self.step > 0:
            self.generator.set_state(state["random_before_shuffle"])
            self._shuffle()
        self.generator.set_state(state["random"])


def accuracy(model: torch.nn.Module, examples: Examples) -> float:
    """Return the fraction of the examples that the model classifies correctly."""
    return _evaluate(model, examples, ALONE, "quadratic")[1]


@torch.no_grad()
def _evaluate(model: torch.nn.Module, examples: Examples, processes: Processes, cost: str) -> tuple[float, float]:
    """Return the average cost of an example and the accuracy; the processes share the examples."""
    found = torch.zeros(2, device=examples.x.device)
    shares = (processes.share(tensor).split(_EVALUATED) for tensor in (examples.x, examples.y, examples.labels))
    for x, y, labels in zip(*shares, strict=True):
        output = model(x)
        found += torch.stack([costs.total(cost, output, y), (output.argmax(1) == labels).sum()])
    average, right = processes.add_up(found) / len(examples)
    return average.item(), right.item()

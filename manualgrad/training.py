"""Stochastic gradient descent on a data set held on the training device: the loop that every command shares."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from manualgrad import nn
from manualgrad.backprop import sgd_step
from manualgrad.data import Examples
from manualgrad.network import MLP

__all__ = ["EpochResult", "accuracy", "make_network", "train"]


def make_network(sizes: Sequence[int], activation: str = "sigmoid") -> torch.nn.Sequential:
    """Linear layers of these sizes, each followed by its activation: `activation`, and after the last one sigmoid.

    Args:
        sizes: the number of neurons in each layer, from the inputs to the outputs: [784, 16, 16, 10].
        activation: "sigmoid" or "relu".
    """
    return nn.Sequential(*MLP(sizes, [*[activation] * (len(sizes) - 2), "sigmoid"]))


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


def train(
    model: torch.nn.Module,
    training: Examples,
    test: Examples,
    *,
    epochs: int,
    batch_size: int,
    lr: float,
    engine: Literal["autograd", "backprop"] = "autograd",
    after_step: Callable[[int], None] = lambda step: None,
) -> Iterator[EpochResult]:
    """Train `model` in place by stochastic gradient descent, and yield the result of each epoch when it is over.

    The cost is the notes' quadratic one. The learning rate falls from epoch to epoch, from `lr` towards 0 along half a cosine
    wave (Loshchilov and Hutter, 2017, "SGDR", equation 5, without restarts). The examples are shuffled anew in each epoch,
    by torch's default random generator. Nothing in a step waits for the device.

    Args:
        model: with its parameters on the device of the examples.
        engine: what a step is: autograd, running the backward methods of the layers, and torch.optim's SGD; or
            `manualgrad.sgd_step`, which is the same step by backpropagation alone, and takes a Sequential of Linear, Sigmoid
            and ReLU.
        after_step: called after each step with the number of steps so far.
    """
    make_step = _autograd_step if engine == "autograd" else _backprop_step
    take_step, device, step = make_step(model), training.x.device, 0
    for epoch in range(1, epochs + 1):
        start = time.perf_counter()
        rate = lr * (1 + math.cos(math.pi * (epoch - 1) / epochs)) / 2
        cost_sum = torch.zeros((), device=device)
        for batch in torch.randperm(len(training), device=device).split(batch_size):
            cost = take_step(training.x.index_select(0, batch), training.y.index_select(0, batch), rate)
            cost_sum.add_(cost, alpha=len(batch))
            step += 1
            after_step(step)
        yield EpochResult(
            epoch=epoch,
            cost=cost_sum.item() / len(training),
            accuracy=accuracy(model, test),
            seconds=time.perf_counter() - start,
            lr=rate,
        )


# A step of gradient descent, from a mini-batch's x, y and the learning rate to its cost.

_Step = Callable[[Tensor, Tensor, float], Tensor]


def _autograd_step(model: torch.nn.Module) -> _Step:
    quadratic_cost = nn.MSELoss(reduction="batchmean")
    parameters = list(model.parameters())
    # One kernel for all parameters on a GPU; on a CPU, a loop over so few of them is quicker than gathering them.
    optimizer = torch.optim.SGD(parameters, fused=parameters[0].device.type != "cpu", foreach=False)

    def step(x: Tensor, y: Tensor, rate: float) -> Tensor:
        optimizer.param_groups[0]["lr"] = rate
        cost: Tensor = quadratic_cost(model(x), y)
        for parameter in parameters:
            parameter.grad = None  # what optimizer.zero_grad() does, without the time it takes around that
        cost.backward()
        optimizer.step()
        return cost.detach()

    return step


def _backprop_step(model: torch.nn.Module) -> _Step:
    # No optimizer, nor a schedule of torch.optim: the first that is made imports torch._dynamo, which takes seconds.
    return functools.partial(sgd_step, model)


@torch.no_grad()
def accuracy(model: torch.nn.Module, examples: Examples, batch_size: int = 10_000) -> float:
    """The share of the examples whose brightest output is the right one."""
    right = torch.zeros((), device=examples.x.device)
    for x, labels in zip(examples.x.split(batch_size), examples.labels.split(batch_size), strict=True):
        right += (model(x).argmax(1) == labels).sum()
    return right.item() / len(examples)

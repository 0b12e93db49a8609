"""The wishes of many examples for one weight, their mean, and how sensitive the cost of all of them is to each weight."""

from __future__ import annotations

import copy
import threading
from typing import Annotated, Any

import torch
from fastapi import APIRouter
from pydantic import Field
from torch import Tensor
from torch.nn import Sequential

from manualgrad.teaching import sensitivity
from manualgrad.teaching.play.answer import Answer
from manualgrad.teaching.play.drawing import desired, example
from manualgrad.teaching.play.faults import Fault
from manualgrad.teaching.play.here import TheLesson, TheTab
from manualgrad.teaching.play.lesson import Lesson
from manualgrad.teaching.play.requests import Places, Wanted, WeightFields
from manualgrad.teaching.sensitivity import EPSILON, Weight, most_wanted, nudge, rank, wishes

__all__ = ["ManyExamples", "examples_of", "router", "weight_of"]

router = APIRouter(prefix="/api")

_one_at_a_time = threading.Lock()  # per-example gradients of 200 examples take 200 times the network's memory
_RANKS = [1, 2, 3, 10, 30, 100, 300, 1000, 3000]


class ManyExamples(Wanted):
    """The image, and the indices of training images."""

    examples: Places = Field(default_factory=list)


class Average(ManyExamples):
    weight: WeightFields | None = None


class Nudge(ManyExamples):
    weight: WeightFields
    epsilon: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] = EPSILON


@router.post("/average")
def average(asked: Average, tab: TheTab, lesson: TheLesson) -> Answer:
    """Compute each example's wish for a weight, and the gradient of the cost of all of them."""
    model = copy.deepcopy(tab.model)  # its .grad is overwritten
    x, y, labels = examples_of(asked, lesson)
    with _one_at_a_time:
        named = most_wanted(model, x, y)[0] if asked.weight is None else weight_of(asked.weight, model)
        found = wishes(model, x, y, named)
    _, nudges = rank(model, x, y, _RANKS)
    return Answer(
        {
            "weight": _fields(named),
            "wishes": [
                {"index": index, "label": label, "wish": wish}
                for index, label, wish in zip([None, *asked.examples], labels, found.tolist(), strict=True)
            ],
            "mean": found.mean(),
            "gradient": _gradient(nudges),
            "nudges": [
                {
                    "rank": n.rank,
                    "weight": _fields(n.weight),
                    "derivative": n.derivative,
                    "predicted": n.predicted,
                    "measured": n.measured,
                }
                for n in nudges
            ],
            "epsilon": EPSILON,
        }
    )


@router.post("/nudge")
def nudged(asked: Nudge, tab: TheTab, lesson: TheLesson) -> Answer:
    """Nudge a weight: predict the change of the cost of all these examples from its derivative, and measure it."""
    model = copy.deepcopy(tab.model)
    x, y, _ = examples_of(asked, lesson)
    named = weight_of(asked.weight, model)
    derivative, cost, measured = nudge(model, x, y, named, asked.epsilon)
    return Answer({"derivative": derivative, "predicted": asked.epsilon * derivative, "measured": measured, "cost": cost})


def examples_of(asked: ManyExamples, lesson: Lesson) -> tuple[Tensor, Tensor, list[int]]:
    """Return x, y and the labels of the image, followed by those of the training images."""
    training = lesson.training
    beyond = next((index for index in asked.examples if index >= len(training)), None)
    if beyond is not None:
        raise Fault(422, f"examples must be indices of training images, from 0 to {len(training) - 1}, got {beyond}.")
    rows = torch.tensor(asked.examples, dtype=torch.long)
    x = torch.cat([example(asked.image, lesson).x[None], training.x[rows].double()])
    y = torch.cat([desired(asked.target)[None], training.y[rows].double()])
    return x, y, [asked.target, *training.labels[rows].tolist()]


def weight_of(fields: WeightFields, model: Sequential) -> Weight:
    named = Weight(fields.l, fields.j, fields.k)
    try:
        return sensitivity.weight(str(named), model)
    except ValueError as error:
        raise Fault(422, f"weight: {error}.") from error


def _gradient(nudges: list[sensitivity.Nudge]) -> dict[str, Any]:
    """Return the largest component, the smallest of `_RANKS` that is at least a thousandth of it, and their ratio."""
    largest = nudges[0]
    worth_it = (n for n in reversed(nudges) if abs(n.derivative) >= abs(largest.derivative) / 1000)
    small = next(worth_it, largest)  # in a network that diverged to NaN, no comparison holds
    return {
        "largest": {"weight": _fields(largest.weight), "derivative": largest.derivative},
        "small": {"weight": _fields(small.weight), "derivative": small.derivative},
        "ratio": abs(largest.derivative / small.derivative) if small.derivative else None,
    }


def _fields(weight: Weight) -> dict[str, int]:
    return {"l": weight.l, "j": weight.j, "k": weight.k}

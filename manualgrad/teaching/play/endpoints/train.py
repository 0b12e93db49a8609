"""Live gradient descent: as many steps as fit into some milliseconds."""

from __future__ import annotations

import copy
import time
from typing import Annotated

import torch
from fastapi import APIRouter
from pydantic import Field

from manualgrad.teaching.descent import average_cost
from manualgrad.teaching.play.answer import Answer
from manualgrad.teaching.play.batches import train
from manualgrad.teaching.play.drawing import example
from manualgrad.teaching.play.here import TheLesson, TheTab
from manualgrad.teaching.play.measure import in_float32
from manualgrad.teaching.play.requests import Batch, Fields, Image, Rate, Seed
from manualgrad.training.loop import accuracy

__all__ = ["router"]

router = APIRouter(prefix="/api")

_MOST = 10_000  # steps per request, even on a fast machine
_LONGEST = 100  # milliseconds
_JUDGED = 1_000  # training images, and as many test images, for the cost and the accuracy


class Train(Fields):
    batch: Batch
    rate: Rate
    seed: Seed = 0
    milliseconds: Annotated[int, Field(ge=1, le=100)] = 25
    steps: Annotated[int | None, Field(ge=1, le=100)] = None
    image: Image | None = None


@router.post("/train")
def training(asked: Train, tab: TheTab, lesson: TheLesson) -> Answer:
    """Train for about `milliseconds`, at least one step; or for `steps`, cut off after 100 milliseconds."""
    x = None if asked.image is None else example(asked.image, lesson).x
    with tab.lock:
        until = time.perf_counter() + (asked.milliseconds if asked.steps is None else _LONGEST) / 1000
        model, costs = copy.deepcopy(tab.model), []
        descent = train(model, lesson.training, asked.batch, asked.rate, asked.seed, tab.steps, asked.steps or _MOST)
        for batch_cost in descent:
            costs.append(batch_cost)
            if time.perf_counter() >= until:
                break
        descent.close()
        tab.change(model, len(costs), stretch=(asked.batch, asked.rate, asked.seed))
        steps = tab.steps
    quick, judged = in_float32(model), lesson.training[:_JUDGED]
    with torch.no_grad():
        a = None if x is None else model(x[None])[0]
    return Answer(
        {
            "steps": steps,
            "done": len(costs),
            "examples": len(costs) * (asked.batch or len(lesson.training)),
            "cost": average_cost(quick, judged.x, judged.y),
            "batch_costs": costs,
            "accuracy": round(accuracy(quick, lesson.test[:_JUDGED]), 6),
            "a": a,
        }
    )

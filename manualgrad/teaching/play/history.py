"""A network's history done again: what a page asks for that was sent as a link, or whose tab was dropped."""

from __future__ import annotations

import copy

from torch.nn import Sequential

from manualgrad.network.algorithm import sgd_step
from manualgrad.teaching.play.batches import train
from manualgrad.teaching.play.drawing import desired, example
from manualgrad.teaching.play.faults import Fault
from manualgrad.teaching.play.lesson import Lesson
from manualgrad.teaching.play.requests import Image, StartFields, StepOp

__all__ = ["LIMITS", "replayed"]

LIMITS = {"ops": 200, "steps": 20_000, "examples": 2_000_000}  # of a history: a few seconds


def replayed(model: Sequential, start: StartFields, lesson: Lesson) -> tuple[Sequential, int]:
    """The model after the history of the start, and the number of steps in it.

    Raises:
        Fault: when the history is too long.
    """
    _check_length(start, lesson)
    model, steps = copy.deepcopy(model), 0
    for op in start.history:
        if isinstance(op, StepOp):
            x, y = example(_image(op, start), lesson).x, desired(op.target)
            for _ in range(op.times):
                sgd_step(model, x[None], y[None], op.rate)
            steps += op.times
        else:
            for _ in train(model, lesson.training, op.batch, op.rate, op.seed, steps, most=op.steps):
                pass
            steps += op.steps
    return model, steps


def _image(op: StepOp, start: StartFields) -> Image:
    if isinstance(op.image, Image):
        return op.image
    if op.image >= len(start.images):
        raise Fault(422, f"history: image should be one of the {len(start.images)} images sent, and is {op.image}.")
    return start.images[op.image]


def _check_length(start: StartFields, lesson: Lesson) -> None:
    steps = examples = 0
    for op in start.history:
        count, each = (op.times, 1) if isinstance(op, StepOp) else (op.steps, op.batch or len(lesson.training))
        steps, examples = steps + count, examples + count * each
    for name, came in (("steps", steps), ("examples", examples)):
        if came > LIMITS[name]:
            raise Fault(422, f"history should have up to {LIMITS[name]:,} {name} in all, and has {came:,}.")

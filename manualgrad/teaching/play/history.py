"""Replay of a network's history, for a page that was opened from a link or whose tab was dropped."""

from __future__ import annotations

import copy

from manualgrad.network.algorithm import sgd_step
from manualgrad.teaching.play.batches import train
from manualgrad.teaching.play.drawing import desired, example
from manualgrad.teaching.play.faults import Fault
from manualgrad.teaching.play.lesson import Lesson
from manualgrad.teaching.play.requests import Image, StartFields, StepOp
from manualgrad.teaching.play.tabs import Tab

__all__ = ["LIMITS", "replay"]

LIMITS = {"ops": 200, "steps": 20_000, "examples": 1_000_000}  # per history: a few seconds of work


def replay(tab: Tab, start: StartFields, lesson: Lesson) -> None:
    """Apply the start's history to the tab, change by change, so that it can be undone.

    Raises:
        Fault: if the history is too long, or names an image that does not exist.
    """
    _check_length(start, lesson)
    for op in start.history:
        model = copy.deepcopy(tab.model)
        if isinstance(op, StepOp):
            x, y = example(_image(op, start), lesson).x[None], desired(op.target)[None]
            for _ in range(op.times):
                sgd_step(model, x, y, op.rate)
            tab.change(model, op.times)
        else:
            for _ in train(model, lesson.training, op.batch, op.rate, op.seed, tab.steps, op.steps):
                pass
            tab.change(model, op.steps, stretch=(op.batch, op.rate, op.seed))


def _image(op: StepOp, start: StartFields) -> Image:
    if isinstance(op.image, Image):
        return op.image
    if op.image >= len(start.images):
        raise Fault(422, f"history: image must be the index of one of the {len(start.images)} images sent, got {op.image}.")
    return start.images[op.image]


def _check_length(start: StartFields, lesson: Lesson) -> None:
    steps = examples = 0
    for op in start.history:
        count, each = (op.times, 1) if isinstance(op, StepOp) else (op.steps, op.batch or len(lesson.training))
        steps, examples = steps + count, examples + count * each
    for name, came in (("steps", steps), ("examples", examples)):
        if came > LIMITS[name]:
            raise Fault(422, f"history must have at most {LIMITS[name]:,} {name} in total, got {came:,}.")

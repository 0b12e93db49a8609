"""Gradient steps for one image: the change of the cost predicted by its derivatives, and the measured change."""

from __future__ import annotations

import copy
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from torch.nn import Sequential

from manualgrad.network.algorithm import Trace, per_example_grad_norms, sgd_step, trace
from manualgrad.teaching.play.answer import Answer
from manualgrad.teaching.play.drawing import desired, example
from manualgrad.teaching.play.endpoints.network import parameters
from manualgrad.teaching.play.here import TheLesson, TheTab
from manualgrad.teaching.play.measure import measured
from manualgrad.teaching.play.requests import Rate, Wanted

__all__ = ["router"]

router = APIRouter(prefix="/api")


class Step(Wanted):
    rate: Rate
    times: Annotated[int, Field(ge=1, le=50)] = 1
    take: bool = False


@router.post("/step")
def step(asked: Step, tab: TheTab, lesson: TheLesson) -> Answer:
    """Try or take some steps for this image alone.

    `foretold` is the first-order change −rate |∇C|², summed over the steps; `happened` is the measured change of the cost.
    """
    x, y = example(asked.image, lesson).x[None], desired(asked.target)[None]
    with tab.lock:
        model = copy.deepcopy(tab.model)
        before, lengths = trace(model, x, y).average(), []
        for _ in range(asked.times):
            lengths.append(per_example_grad_norms(model, x, y).item())
            sgd_step(model, x, y, asked.rate)
        after = trace(model, x, y).average()
        if asked.take:
            tab.change(model, asked.times)
        steps = tab.steps
    return Answer(
        {
            "before": _outcome(before),
            "after": {**_outcome(after), "layers": [{"z": layer.z, "a": layer.a} for layer in after.layers]},
            "foretold": -asked.rate * sum(length**2 for length in lengths),
            "happened": (after.cost - before.cost).item(),
            "gradient_length": lengths[0],
            **measured(model, lesson),
            "steps": steps,
            **_network(model, asked.take),
        }
    )


def _outcome(t: Trace) -> dict[str, Any]:
    return {"cost": t.cost, "a": t.layers[-1].a}


def _network(model: Sequential, is_taken: bool) -> dict[str, Any]:
    return {"network": parameters(model)} if is_taken else {}

"""The wishes of one image for every activation, weight and bias: the backward pass."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from torch import Tensor

from manualgrad.network.algorithm import trace
from manualgrad.teaching.explain import Explanation
from manualgrad.teaching.play.answer import Answer
from manualgrad.teaching.play.drawing import desired, example
from manualgrad.teaching.play.here import TheLesson, TheTab
from manualgrad.teaching.play.requests import Wanted

__all__ = ["router"]

router = APIRouter(prefix="/api")


@router.post("/wishes")
def wishes(asked: Wanted, tab: TheTab, lesson: TheLesson) -> Answer:
    """Return the cost and, for each layer, every derivative and every wish, its negative."""
    x, y = example(asked.image, lesson).x, desired(asked.target)
    # explain() would also measure steps, for which it swaps the parameters of a model that other requests read.
    e = Explanation(x, y, asked.target, trace(tab.model, x[None], y[None]).average(), [])
    return Answer({"cost": e.trace.cost, "y": y, "layers": [_layer(e, l) for l in range(len(e.trace.layers))]})


def _layer(e: Explanation, l: int) -> dict[str, Any]:
    layer = e.trace.layers[l]
    assert layer.dC_dW is not None
    found: dict[str, str | Tensor] = {
        "name": f"layer {l + 1}",
        "z": layer.z,
        "a": layer.a,
        "dC_da": layer.dC_da,
        "da_dz": layer.da_dz,
        "delta": layer.delta,
        "wish_a": -layer.dC_da,
        "wish_b": -layer.delta,
        "wish_W": -layer.dC_dW,
    }
    if l > 0:  # the image does not change
        found |= {"wish_before": e.wishes_before(l), "wish_before_sum": -layer.dC_da_prev}
    return found

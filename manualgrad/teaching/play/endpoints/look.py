"""The forward pass of an image, neuron by neuron."""

from __future__ import annotations

from fastapi import APIRouter

from manualgrad.network.algorithm import trace
from manualgrad.teaching.play.answer import Answer
from manualgrad.teaching.play.drawing import desired, example
from manualgrad.teaching.play.here import TheLesson, TheTab
from manualgrad.teaching.play.requests import Fields, Image
from manualgrad.training.verdict import verdict

__all__ = ["router"]

router = APIRouter(prefix="/api")


class Look(Fields):
    image: Image


@router.post("/look")
def look(asked: Look, tab: TheTab, lesson: TheLesson) -> Answer:
    """Return the image as the network receives it, the predicted digit, and z and a of each layer."""
    seen = example(asked.image, lesson)
    layers = trace(tab.model, seen.x[None], desired(0)[None]).layers
    a = layers[-1].a[0]
    return Answer(
        {
            "x": seen.x,
            "prediction": int(a.argmax()),
            "verdict": "" if seen.is_empty else verdict(a),
            "done": seen.done,
            "label": seen.label,
            "layers": [{"z": layer.z[0], "a": layer.a[0]} for layer in layers],
        }
    )

"""The images to choose from."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

import torch
from fastapi import APIRouter, Query
from torch import Tensor

from manualgrad.teaching.play.answer import Answer
from manualgrad.teaching.play.here import TheLesson

__all__ = ["router"]

router = APIRouter(prefix="/api")


@router.get("/images")
def images(
    lesson: TheLesson,
    split: Literal["train", "test"] = "train",
    digit: Annotated[int | None, Query(ge=0, le=9)] = None,
    start: Annotated[int, Query(ge=0)] = 0,
    count: Annotated[int, Query(ge=1, le=200)] = 24,
) -> Answer:
    """Return some of the images of a digit, or of all digits, in order."""
    examples = lesson.examples(split)
    rows = torch.arange(len(examples)) if digit is None else (examples.labels == digit).nonzero()[:, 0]
    shown = rows[start : start + count].tolist()
    found = [{"index": row, "label": int(examples.labels[row]), "pixels": _in_base64(examples.x[row])} for row in shown]
    return Answer({"images": found, "of": len(rows)})


def _in_base64(x: Tensor) -> str:
    """Encode an image as 784 bytes, from 0 to 255, in base64."""
    return base64.b64encode((255 * x).round().to(torch.uint8).numpy().tobytes()).decode()

"""The image named by a request, in the form that the network takes."""

from __future__ import annotations

import base64
import binascii
import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from manualgrad.teaching.play.faults import Fault
from manualgrad.teaching.play.lesson import Lesson
from manualgrad.teaching.play.requests import Image
from manualgrad.training.data import CLASSES
from manualgrad.training.images import normalized

__all__ = ["SIDE", "Example", "desired", "example"]

SIDE = 112  # width and height of the page's canvas, in pixels


@dataclass(frozen=True)
class Example:
    """An image as the network receives it.

    Attributes:
        x: [784], in float64.
        done: the preprocessing steps, in words.
        label: the digit, for an image of MNIST; None for a drawing.
    """

    x: Tensor
    done: list[str]
    label: int | None

    @property
    def is_empty(self) -> bool:
        return self.label is None and not bool(self.x.any())


def example(image: Image, lesson: Lesson) -> Example:
    """Return the image: an image of MNIST unchanged, a drawing preprocessed as `manualgrad predict` does.

    Raises:
        Fault: if the image does not exist or cannot be decoded.
    """
    if image.split is None or image.index is None:
        return _drawn(image.drawing or "")
    examples = lesson.examples(image.split)
    if image.index >= len(examples):
        raise Fault(422, f"image.index must be from 0 to {len(examples) - 1} for split {image.split}, got {image.index}.")
    return Example(examples.x[image.index].double(), [], int(examples.labels[image.index]))


def _drawn(text: str) -> Example:
    grey = _bytes(text)
    if len(grey) != SIDE * SIDE:
        raise Fault(422, f"image.drawing must have {SIDE}×{SIDE} = {SIDE * SIDE} bytes, got {len(grey)} or more.")
    ink = np.frombuffer(grey, dtype=np.uint8).reshape(SIDE, SIDE).astype(np.float32)
    if not ink.any():
        return Example(torch.zeros(28 * 28, dtype=torch.float64), ["nothing is drawn yet"], None)
    x, done = normalized(ink / ink.max())
    return Example(torch.from_numpy(x).flatten().double(), done, None)


def _bytes(text: str) -> bytes:
    """Decode base64, and inflate a zlib stream; a drawing that is too large is cut one byte above the limit."""
    try:
        content = base64.b64decode(text, validate=True)
        if len(content) == SIDE * SIDE:
            return content
        return zlib.decompressobj().decompress(content, SIDE * SIDE + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        wanted = f"the base64 of {SIDE}×{SIDE} = {SIDE * SIDE} bytes, or of a zlib stream of them"
        raise Fault(422, f"image.drawing must be {wanted}, got {text[:20]!r}….") from error


def desired(target: int) -> Tensor:
    """Return y, [10]: 1 for the digit and 0 for the others."""
    return torch.nn.functional.one_hot(torch.tensor(target), CLASSES).double()

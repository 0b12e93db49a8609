"""The image that a request names, as a network is given it."""

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

SIDE = 112  # pixels of the page's canvas


@dataclass(frozen=True)
class Example:
    """An image as the network gets it.

    Attributes:
        x: [784], in float64.
        done: what was done to it, in words.
        label: the digit that MNIST says it is; None of a drawing.
    """

    x: Tensor
    done: list[str]
    label: int | None

    @property
    def is_empty(self) -> bool:
        return self.label is None and not bool(self.x.any())


def example(image: Image, lesson: Lesson) -> Example:
    """The image: of MNIST as it is, a drawing as `manualgrad predict` reads a file of it.

    Raises:
        Fault: when there is none.
    """
    if image.split is None or image.index is None:
        return _drawn(image.drawing or "")
    examples = lesson.examples(image.split)
    if image.index >= len(examples):
        raise Fault(422, f"image.index should be 0 to {len(examples) - 1} of {image.split}, and is {image.index}.")
    return Example(examples.x[image.index].double(), [], int(examples.labels[image.index]))


def _drawn(text: str) -> Example:
    grey = _bytes(text)
    if len(grey) != SIDE * SIDE:
        raise Fault(422, f"image.drawing should be {SIDE}×{SIDE} = {SIDE * SIDE} bytes, and is {len(grey)} or more.")
    ink = np.frombuffer(grey, dtype=np.uint8).reshape(SIDE, SIDE).astype(np.float32)
    if not ink.any():
        return Example(torch.zeros(28 * 28, dtype=torch.float64), ["nothing is drawn yet"], None)
    x, done = normalized(ink / ink.max())
    return Example(torch.from_numpy(x).flatten().double(), done, None)


def _bytes(text: str) -> bytes:
    """What is written in base64, inflated if it is a zlib stream; one byte more than a drawing has, if it has too many."""
    try:
        content = base64.b64decode(text, validate=True)
        if len(content) == SIDE * SIDE:
            return content
        return zlib.decompressobj().decompress(content, SIDE * SIDE + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        wanted = f"the base64 of {SIDE}×{SIDE} = {SIDE * SIDE} bytes, or of a zlib stream of them"
        raise Fault(422, f"image.drawing should be {wanted}, and is {text[:20]!r}….") from error


def desired(target: int) -> Tensor:
    """y: [10], 1 for the digit and 0 for the others."""
    return torch.nn.functional.one_hot(torch.tensor(target), CLASSES).double()

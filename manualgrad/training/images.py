"""Convert image files to MNIST's format: 28×28, bright on black, the digit 20 pixels long, centred on its centre of mass.

(LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/, describe this normalization.)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor
from torch.nn.functional import max_pool2d

from manualgrad.training.pixels import read_grey

__all__ = ["Picture", "normalized", "read"]

_SIDE = 28
_CENTRE = 14  # centre of mass of MNIST's images, in pixels counted from 0 (a test measures it)
_INK = 0.3  # threshold of the drawing, on a scale from the background (0) to the darkest pixel (1)
_SMALL, _EDGES = 56, 0.02  # up to this size and without noise, a lower threshold keeps the edges of the strokes
_LOOKED_AT = 200  # pixels: the longer side is scaled down to this, which averages out noise and saves time
_KEPT = 400  # pixels: the longer side of the copy for pictures, so that a folder of photographs fits in memory
_WINDOW = 0.5  # of the longer side: narrower strokes are separated from the background
_SPREAD = 6  # times `_noise`: pixels that differ less from the paper count as paper
_NOISE = 30  # times `_noise`: the darkest pixel of a blank sheet differs by 8 to 26, that of a drawing by 50 or more
_EVEN = 0.95  # of the border in one grey: the light is even, and strokes may have any width
_OFF_CENTRE = 0.6  # pixels, by rows or by columns; the centre of mass of MNIST's 70,000 images is off the middle by up to 0.52
_LONG = (19, 20)  # pixels: the longer side of the digit in MNIST's images
_TALL = 0.6  # of the height: two such parts side by side are two digits (60 of MNIST's 70,000 images have two)


@dataclass(frozen=True)
class Picture:
    """An image file and the network input made from it.

    Attributes:
        size: width and height in pixels.
        original: [height, width], grey values from 0 to 1, scaled down so that the longer side has at most 400 pixels.
        x: [784], the network's input.
        done: the conversions that were applied, in words.
    """

    size: tuple[int, int]
    original: Tensor
    x: Tensor
    done: list[str]


def read(path: Path, strokes: bool = True, length: int | None = None) -> Picture:
    """Read an image file of any size: in colour or grey, dark on light or light on dark, or drawn on a transparent canvas.

    Args:
        strokes: whether the image shows a drawing, whose background may be unevenly lit, or an object, as in Fashion-MNIST.
        length: the length in pixels that the longer side is scaled to: 20 for strokes, as in MNIST, and 28 for objects. An
            image that looks as if it came from such a data set is used unchanged.

    Raises:
        OSError: when the file cannot be read.
        ValueError: when it is not an image, is too large, has pixels that are not finite numbers, or shows nothing.
    """
    length = length or (20 if strokes else _SIDE)
    image, done = read_grey(path, strokes)
    found = _as_it_is(image, length) or _drawn(image, strokes, length)
    if found is None:
        raise ValueError(f"{path} shows nothing that stands out from its background")
    x, more = found
    height, width = image.shape
    original = torch.from_numpy(_shrunk(image, _KEPT))
    return Picture((width, height), original, torch.from_numpy(x).flatten(), done + more or ["taken as it is"])


def _as_it_is(image: np.ndarray, length: int) -> tuple[np.ndarray, list[str]] | None:
    """Return an image that looks like the data set's, bright on exactly 0, and the conversions; None for other images."""
    if image.shape != (_SIDE, _SIDE):
        return None
    inverted = np.median(_border(image)) > 0.5
    x = 1 - image if inverted else image
    return (x, ["inverted"] if inverted else []) if _is_normalized(x, length) or _is_noise(x) else None


def _is_normalized(x: np.ndarray, length: int) -> bool:
    if length == _SIDE:  # the object fills the image; nothing else is known about it
        return bool((_border(x) == 0).any())
    rows, columns = np.nonzero(x)
    if len(rows) == 0 or np.median(x) > 0:
        return False
    places = np.arange(_SIDE)
    off = max(abs((x.sum(axis) * places).sum() / x.sum() - _CENTRE) for axis in (0, 1))
    return max(np.ptp(rows), np.ptp(columns)) + 1 in _LONG and bool(off < _OFF_CENTRE)


def _is_noise(x: np.ndarray) -> bool:
    """Return whether a 28×28 image shows no drawing but has pixels of exactly 0, like the data set with noise added."""
    return bool(0 == x.min() < x.max()) and not _drawing(x, True, []).any()


def _drawn(image: np.ndarray, strokes: bool, length: int) -> tuple[np.ndarray, list[str]] | None:
    """Return the drawing in the data set's format, and the conversions; None for a blank image."""
    done: list[str] = []
    drawing = _drawing(_shrunk(image, _LOOKED_AT), strokes, done)
    if not drawing.any():
        return None
    edges = _EDGES if max(image.shape) <= _SMALL and _noise(image) == 0 else _INK
    x, more = normalized(drawing, length, edges)
    parts = _parts(drawing) if strokes else 1
    several = [f"it shows {parts} parts side by side, but one digit is expected"] if parts > 1 else []
    return x, done + more + several


def _border(grey: np.ndarray) -> np.ndarray:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _drawing(grey: np.ndarray, strokes: bool, done: list[str]) -> np.ndarray:
    """Return [height, width]: 0 in the background, up to 1 in the strokes."""
    light_on_dark = _is_light_on_dark(grey)
    if light_on_dark:
        grey = 1 - grey
    else:
        done.append("inverted")
    if strokes:
        background = _closing(grey)
        if _is_uneven(background, grey):
            # Uneven light multiplies dark ink and paper alike; on a dark board it adds.
            grey = 1 + grey - background if light_on_dark else grey / background.clip(1 / 255)
            done.append("uneven background removed")
    noise, paper, ink = _noise(grey), np.median(_border(grey)), grey.min()
    if paper - ink < max(1 / 255, _NOISE * noise):
        return np.zeros_like(grey)
    paper -= _SPREAD * noise
    return ((paper - grey) / (paper - ink)).clip(0, 1).astype(np.float32)


def _shrunk(image: np.ndarray, largest: int) -> np.ndarray:
    """Return a copy whose longer side has at most `largest` pixels."""
    scale = min(1.0, largest / max(image.shape))
    height, width = (max(1, round(scale * side)) for side in image.shape)
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))


def _is_light_on_dark(grey: np.ndarray) -> bool:
    """Return whether the border, relative to its neighbourhood, is nearer to the darkest pixel than to the brightest."""
    blur = ImageFilter.GaussianBlur(0.3 * max(grey.shape))
    neighbourhood = np.asarray(Image.fromarray((255 * grey).astype(np.uint8)).filter(blur), dtype=np.float32) / 255
    relief = grey - neighbourhood
    return bool(np.median(_border(relief)) < (relief.min() + relief.max()) / 2)


def _closing(grey: np.ndarray) -> np.ndarray:
    """Compute the background of a drawing that is dark on light: the grey-scale closing fills strokes narrower than the window.

    Each window that contains a pixel has a brightest pixel; the closing is the darkest of these. Gradients of light and edges
    of shadows stay unchanged (Serra, 1982, "Image Analysis and Mathematical Morphology").
    """
    half = int(_WINDOW * max(grey.shape)) // 2
    return -_brightest(-_brightest(np.pad(grey, 2 * half, constant_values=-np.inf), half), half)


def _brightest(grey: np.ndarray, half: int) -> np.ndarray:
    """Return the maximum over each square window of 2 half + 1 pixels a side inside the image; first columns, then rows."""
    windows, side = torch.from_numpy(grey)[None], 2 * half + 1
    return max_pool2d(max_pool2d(windows, (side, 1), 1), (1, side), 1)[0].numpy()


def _is_uneven(background: np.ndarray, grey: np.ndarray) -> bool:
    """Return whether the light is uneven, rather than strokes lying along the border, where a window may see only strokes."""
    border = _border(grey)
    if (abs(border - np.median(border)) <= 1 / 255).mean() > _EVEN:
        return False
    paper, ink = np.median(background), grey.min()
    half = max(grey.shape) // 40
    nearby = -_brightest(np.pad(-grey, half, constant_values=-np.inf), half)
    off = abs(background - paper) > 0.1 * (paper - ink)
    stroke = nearby < ink + 0.25 * (paper - ink)
    return bool((off & ~stroke).mean() > 0.03 or off.mean() > 0.15)


def _noise(grey: np.ndarray) -> float:
    """Return the difference of neighbouring pixels in the quietest quarter of the image, which is background."""
    differences = np.concatenate([np.diff(grey, axis=axis).flatten() for axis in (0, 1)])
    return float(np.quantile(abs(differences), 0.25)) if differences.size else 0.0


def _parts(drawing: np.ndarray) -> int:
    """Count the parts that stand side by side with a gap between them and are nearly as tall as the whole drawing."""
    ink = drawing > _INK
    columns = np.flatnonzero(ink.any(0))
    parts = [np.flatnonzero(ink[:, part].any(1)) for part in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)]
    rows = np.flatnonzero(ink.any(1))
    return sum(bool(np.ptp(part) + 1 > _TALL * (np.ptp(rows) + 1)) for part in parts)


def normalized(drawing: np.ndarray, length: int = 20, ink: float = _INK) -> tuple[np.ndarray, list[str]]:
    """Crop the drawing, scale its longer side to this length, and centre it on its centre of mass.

    Args:
        drawing: [height, width] float32: 0 in the background, up to 1 in the strokes; at least one pixel is a stroke.
        length: the length in pixels, at most 28.
        ink: values above this threshold belong to the drawing.

    Returns:
        [28, 28] float32, and the conversions in words.
    """
    rows, columns = np.nonzero(drawing > ink)
    cut = drawing[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = length / max(cut.shape)
    height, width = (max(1, round(scale * side)) for side in cut.shape)
    method = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    scaled = np.asarray(Image.fromarray(cut).resize((width, height), method))
    mass = scaled.sum()
    centre_y = (scaled.sum(1) * np.arange(height)).sum() / mass
    centre_x = (scaled.sum(0) * np.arange(width)).sum() / mass
    top = int(np.clip(round(_CENTRE - centre_y), 0, _SIDE - height))
    left = int(np.clip(round(_CENTRE - centre_x), 0, _SIDE - width))
    x = np.zeros((_SIDE, _SIDE), dtype=np.float32)
    x[top : top + height, left : left + width] = scaled / scaled.max()  # thin strokes have a maximum below 1
    return x, [f"the drawing scaled to {width}×{height}", "its centre of mass moved to the middle"]

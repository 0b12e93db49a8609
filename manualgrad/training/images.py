"""Image files, made into what MNIST's images are: 28×28, bright on black, the digit 20 pixels long, about its centre of mass.

(LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/, on how the images were normalized.)
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
_CENTRE = 14  # where the centre of mass of MNIST's images is, in pixels counted from 0 (a test measures it)
_INK = 0.3  # darker than this, from the background (0) to the darkest pixel (1), is part of the drawing
_SMALL, _EDGES = 56, 0.02  # in an image of so few pixels, whose paper has no noise, the edges of a stroke are part of it, too
_LOOKED_AT = 200  # a larger image is scaled to so many pixels at the longer side: that averages noise out, and is quick
_KEPT = 400  # likewise what pictures show of it, as a folder of photographs does not fit into the memory
_WINDOW = 0.5  # of the longer side: strokes narrower than this are told from the background
_SPREAD = 6  # times `_noise`: what is no darker than the paper by more is paper
_NOISE = 30  # times `_noise`: the darkest spot of a blank sheet is off it by 8 to 26, that of a drawing by 50 and more
_EVEN = 0.95  # of the border in one grey: the light is even, and strokes may be of any width
_OFF_CENTRE = 0.6  # pixels, by rows or by columns; the centre of mass of MNIST's 70,000 images is off the middle by up to 0.52
_LONG = (19, 20)  # pixels: the longer side of the digit in each of them
_TALL = 0.6  # of the height: two such parts side by side are two digits (of MNIST's 70,000, 60 have two)


@dataclass(frozen=True)
class Picture:
    """An image file, and what is made of it.

    Attributes:
        size: its width and height, in pixels.
        original: [height, width], its grey values, from 0 to 1; of a larger one, scaled to 400 pixels at the longer side.
        x: [784], what a network is given.
        done: what was done to it, in words.
    """

    size: tuple[int, int]
    original: Tensor
    x: Tensor
    done: list[str]


def read(path: Path, strokes: bool = True, length: int | None = None) -> Picture:
    """Read an image file of any size: in colour or grey, dark on light or light on dark, or drawn on a transparent canvas.

    Args:
        strokes: it shows something drawn, whose background may be unevenly lit; otherwise a thing, as in Fashion-MNIST.
        length: in pixels, what the longer side is scaled to: 20 of strokes, as in MNIST, and 28 of things. An image is taken
            as it is where it looks as if it came from such a data set.

    Raises:
        OSError: when it cannot be read.
        ValueError: when it is not an image, is too large, has pixels that are not numbers, or shows nothing.
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
    """The image, bright on a background of exactly 0, and what was done to it; None where it does not look like the data's."""
    if image.shape != (_SIDE, _SIDE):
        return None
    inverted = np.median(_border(image)) > 0.5
    x = 1 - image if inverted else image
    return (x, ["inverted"] if inverted else []) if _is_normalized(x, length) or _is_noise(x) else None


def _is_normalized(x: np.ndarray, length: int) -> bool:
    if length == _SIDE:  # it fills the image, of which little else is known
        return bool((_border(x) == 0).any())
    rows, columns = np.nonzero(x)
    if len(rows) == 0 or np.median(x) > 0:
        return False
    places = np.arange(_SIDE)
    off = max(abs((x.sum(axis) * places).sum() / x.sum() - _CENTRE) for axis in (0, 1))
    return max(np.ptp(rows), np.ptp(columns)) + 1 in _LONG and bool(off < _OFF_CENTRE)


def _is_noise(x: np.ndarray) -> bool:
    """Whether an image of 28×28 shows no drawing and yet has pixels of exactly 0, as the data's with noise added."""
    return bool(0 == x.min() < x.max()) and not _drawing(x, True, []).any()


def _drawn(image: np.ndarray, strokes: bool, length: int) -> tuple[np.ndarray, list[str]] | None:
    """What is drawn in the image, as the data has it, and what was done; None where nothing is."""
    done: list[str] = []
    drawing = _drawing(_shrunk(image, _LOOKED_AT), strokes, done)
    if not drawing.any():
        return None
    edges = _EDGES if max(image.shape) <= _SMALL and _noise(image) == 0 else _INK
    x, more = normalized(drawing, length, edges)
    parts = _parts(drawing) if strokes else 1
    several = [f"it shows {parts} parts side by side where one digit is expected"] if parts > 1 else []
    return x, done + more + several


def _border(grey: np.ndarray) -> np.ndarray:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _drawing(grey: np.ndarray, strokes: bool, done: list[str]) -> np.ndarray:
    """[height, width]: 0 where the background is, up to 1 in the strokes."""
    light_on_dark = _is_light_on_dark(grey)
    if light_on_dark:
        grey = 1 - grey
    else:
        done.append("inverted")
    if strokes:
        background = _closing(grey)
        if _is_uneven(background, grey):
            # Light falls on dark ink as on the paper; on a dark board it adds.
            grey = 1 + grey - background if light_on_dark else grey / background.clip(1 / 255)
            done.append("uneven background removed")
    noise, paper, ink = _noise(grey), np.median(_border(grey)), grey.min()
    if paper - ink < max(1 / 255, _NOISE * noise):
        return np.zeros_like(grey)
    paper -= _SPREAD * noise
    return ((paper - grey) / (paper - ink)).clip(0, 1).astype(np.float32)


def _shrunk(image: np.ndarray, largest: int) -> np.ndarray:
    """A copy whose longer side has `largest` pixels at most."""
    scale = min(1.0, largest / max(image.shape))
    height, width = (max(1, round(scale * side)) for side in image.shape)
    return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BOX))


def _is_light_on_dark(grey: np.ndarray) -> bool:
    """Whether the border is nearer to the darkest than to the brightest, once each is held against its neighbourhood."""
    blur = ImageFilter.GaussianBlur(0.3 * max(grey.shape))
    neighbourhood = np.asarray(Image.fromarray((255 * grey).astype(np.uint8)).filter(blur), dtype=np.float32) / 255
    relief = grey - neighbourhood
    return bool(np.median(_border(relief)) < (relief.min() + relief.max()) / 2)


def _closing(grey: np.ndarray) -> np.ndarray:
    """The background of what is dark on light: the grey-scale closing, which fills all that is narrower than the window.

    Of the windows that a pixel lies in, each has a brightest pixel; the closing is the darkest of these. A slope of light, or
    the edge of a shadow, stays as it is (Serra, 1982, "Image Analysis and Mathematical Morphology").
    """
    half = int(_WINDOW * max(grey.shape)) // 2
    return -_brightest(-_brightest(np.pad(grey, 2 * half, constant_values=-np.inf), half), half)


def _brightest(grey: np.ndarray, half: int) -> np.ndarray:
    """In each square window that lies inside, of 2 half + 1 pixels a side; by columns, then by rows."""
    windows, side = torch.from_numpy(grey)[None], 2 * half + 1
    return max_pool2d(max_pool2d(windows, (side, 1), 1), (1, side), 1)[0].numpy()


def _is_uneven(background: np.ndarray, grey: np.ndarray) -> bool:
    """Whether it has light and shade, or is a paper with strokes that lie along the border, where windows see them alone."""
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
    """How much neighbours differ in the quietest quarter of the image, which is background."""
    differences = np.concatenate([np.diff(grey, axis=axis).flatten() for axis in (0, 1)])
    return float(np.quantile(abs(differences), 0.25)) if differences.size else 0.0


def _parts(drawing: np.ndarray) -> int:
    """How many parts stand side by side, with nothing between them, nearly as tall as the whole."""
    ink = drawing > _INK
    columns = np.flatnonzero(ink.any(0))
    parts = [np.flatnonzero(ink[:, part].any(1)) for part in np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1)]
    rows = np.flatnonzero(ink.any(1))
    return sum(bool(np.ptp(part) + 1 > _TALL * (np.ptp(rows) + 1)) for part in parts)


def normalized(drawing: np.ndarray, length: int = 20, ink: float = _INK) -> tuple[np.ndarray, list[str]]:
    """The drawing, cut out, its longer side scaled to this length, and put about its centre of mass.

    Args:
        drawing: [height, width] float32: 0 where the background is, up to 1 in the strokes, of which there is one at least.
        length: in pixels, of the 28.
        ink: what is above is part of the drawing, to which it is cut.

    Returns:
        [28, 28] float32, and what was done, in words.
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
    x[top : top + height, left : left + width] = scaled / scaled.max()  # which is less than 1 where strokes are thin
    return x, [f"the drawing scaled to {width}×{height}", "its centre of mass put in the middle"]

"""Image files, made into what MNIST's images are: 28×28, bright on black, the digit 20 pixels long, about its centre of mass.

(LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/, on how the images were normalized.)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from torch import Tensor
from torch.nn.functional import max_pool2d

__all__ = ["Picture", "normalized", "read"]

_SIDE = 28
_CENTRE = 14  # where the centre of mass of MNIST's images is, in pixels counted from 0 (a test measures it)
_INK = 0.3  # darker than this, from the background (0) to the darkest pixel (1), is part of the drawing
_LOOKED_AT = 200  # a larger image is scaled to so many pixels at the longer side: that averages noise out, and is quick
_KEPT = 400  # likewise what pictures show of it, as a folder of photographs does not fit into the memory
_WINDOW = 0.5  # of the longer side: strokes narrower than this are told from the background
_SPREAD = 6  # times `_noise`: what is no darker than the paper by more is paper
_NOISE = 30  # times `_noise`: the darkest spot of a blank sheet is off it by 8 to 26, that of a drawing by 50 and more


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


def read(path: Path, strokes: bool = True) -> Picture:
    """Read an image file of any size, in colour or grey, dark on light or light on dark.

    Args:
        strokes: it shows something drawn, whose longer side is scaled to 20 pixels, as in MNIST, and whose background may be
            unevenly lit; otherwise a thing, scaled to 28 pixels, as in Fashion-MNIST. An image of 28×28 is not scaled.

    Raises:
        OSError: when it cannot be read.
        ValueError: when it is no image, or shows nothing.
    """
    try:
        image, done = _grey(path)
    except Exception as error:  # Pillow's decoders raise what they will
        if isinstance(error, OSError) and error.errno is not None:  # the system's have a number
            raise
        raise ValueError(f"{path} is no image that can be read") from error
    if image.shape == (_SIDE, _SIDE):
        x = image
        if np.median(_border(image)) > 0.5:
            x = 1 - image
            done.append("inverted")
    else:
        x = _drawing(_shrunk(image, _LOOKED_AT), strokes, done)
    if x.max() == 0:
        raise ValueError(f"{path} shows nothing that stands out from its background")
    if x.shape != (_SIDE, _SIDE):
        x, more = normalized(x, 20 if strokes else 28)
        done += more
    height, width = image.shape
    original = torch.from_numpy(_shrunk(image, _KEPT))
    return Picture((width, height), original, torch.from_numpy(x).flatten(), done or ["taken as it is"])


def _grey(path: Path) -> tuple[np.ndarray, list[str]]:
    """[height, width] float32, from 0 to 1."""
    done = []
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
            done.append("laid on white")
        if image.mode[0] in "IF":  # numbers of more than 8 bits, whose range the file does not tell
            values = np.asarray(image, dtype=np.float32)
            return (values - values.min()) / max(float(np.ptp(values)), 1e-30), done
        if image.mode not in ("1", "L"):
            colours = np.asarray(image.convert("RGB"))
            if (colours != colours[..., :1]).any():
                done.append("turned grey")
        return np.asarray(image.convert("L"), dtype=np.float32) / 255, done


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


def normalized(drawing: np.ndarray, length: int = 20) -> tuple[np.ndarray, list[str]]:
    """The drawing, cut out, its longer side scaled to this length, and put about its centre of mass.

    Args:
        drawing: [height, width] float32: 0 where the background is, up to 1 in the strokes, of which there is one at least.
        length: in pixels, of the 28.

    Returns:
        [28, 28] float32, and what was done, in words.
    """
    rows, columns = np.nonzero(drawing > _INK)
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
    x[top : top + height, left : left + width] = scaled
    return x, [f"the drawing scaled to {width}×{height}", "its centre of mass put in the middle"]

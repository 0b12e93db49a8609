"""Image files, made into what MNIST's images are: 28×28, bright on black, the digit 20 pixels long, about its centre of mass.

(LeCun, Cortes and Burges, http://yann.lecun.com/exdb/mnist/, on how the images were normalized.)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

__all__ = ["Picture", "read"]

_SIDE = 28
_CENTRE = 14  # where the centre of mass of MNIST's images is, in pixels counted from 0 (a test measures it)
_INK = 0.3  # brighter than this, between background and the brightest pixel, is part of the drawing


@dataclass(frozen=True)
class Picture:
    """An image file, and what is made of it.

    Attributes:
        original: [height, width], its grey values, from 0 to 1.
        x: [784], what a network is given.
        done: what was done to it, in words.
    """

    original: Tensor
    x: Tensor
    done: list[str]


def read(path: Path, length: int = 20) -> Picture:
    """Read an image file of any size, in colour or grey, dark on light or light on dark.

    Args:
        length: the pixels that the longer side of the drawing is scaled to. An image of 28×28 is not scaled.

    Raises:
        OSError: when it cannot be read.
        ValueError: when it is no image, or shows nothing.
    """
    try:
        image, done = _grey(path)
    except (OSError, Image.DecompressionBombError, SyntaxError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # Pillow's own have no number
            raise
        raise ValueError(f"{path} is no image that can be read") from error
    original = torch.from_numpy(image)
    grey = _bright_on_dark(image, done)
    if grey.max() == 0:
        raise ValueError(f"{path} shows nothing: all its pixels are alike")
    x = grey if grey.shape == (_SIDE, _SIDE) else _normalized(grey, length, done)
    return Picture(original, torch.from_numpy(x).flatten(), done or ["taken as it is"])


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


def _bright_on_dark(grey: np.ndarray, done: list[str]) -> np.ndarray:
    """Inverted where the border is bright; and but for an image of MNIST's size, the border black and the brightest pixel 1."""
    border = np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]]))
    if border > 0.5:
        grey, border = 1 - grey, 1 - border
        done.append("inverted")
    if grey.shape == (_SIDE, _SIDE):
        return grey
    brightest = grey.max()
    if brightest - border < 1 / 255:
        return np.zeros_like(grey)
    return ((grey - border) / (brightest - border)).clip(0, 1).astype(np.float32)


def _normalized(grey: np.ndarray, length: int, done: list[str]) -> np.ndarray:
    """The drawing, cut out, scaled, and put about its centre of mass."""
    rows, columns = np.nonzero(grey > _INK)
    cut = grey[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
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
    done.append(f"the drawing of {cut.shape[1]}×{cut.shape[0]} pixels scaled to {width}×{height}")
    done.append("its centre of mass put in the middle")
    return x

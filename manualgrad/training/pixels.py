"""The grey values of an image file: of its colours, or of its alpha channel where that is what was drawn in."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

__all__ = ["read_grey"]

_SAME = 0.1  # alpha that varies by less is one value
_OTHER = 0.2  # a grey this far from the median of what is opaque is not its paper
_FEW = 0.002  # of what is opaque: fewer pixels than the thinnest drawing has
_HIDES = 4  # times as many levels of a colour as of grey: its greys hide what is drawn
_SOLID = 0.4  # of the longer side: a square this large fits into a sheet of paper, and not into strokes


def read_grey(path: Path, strokes: bool = True) -> tuple[np.ndarray, list[str]]:
    """Read the grey values of an image file, [height, width] float32 from 0 to 1, and what was done to get them, in words.

    Args:
        strokes: what is opaque on a transparent canvas is a drawing; otherwise a thing, which keeps its greys.

    Raises:
        OSError: when it cannot be read.
        ValueError: when it is not an image, is too large, or has pixels that are not numbers.
    """
    try:
        image, done = _open(path)
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        size = f"at most {most:,} pixels, such as {int(most**0.5):,}×{int(most**0.5):,}"
        raise ValueError(f"{path} is too large: an image may have {size}; scale it down") from error
    except Exception as error:  # Pillow's decoders raise what they will
        if isinstance(error, OSError) and error.errno is not None:  # the system's have a number
            raise
        if path.stat().st_size == 0:
            raise ValueError(f"{path} is empty, and so not an image") from error
        raise ValueError(f"{path} is not an image that can be read") from error
    if image.mode == "RGBA":
        return _of_transparent(image, strokes, done)
    if image.mode in ("L", "RGB"):
        return _of_colours(image, done)
    return _of_numbers(image, path), done


def _open(path: Path) -> tuple[Image.Image, list[str]]:
    """An image of mode RGBA where any of it is transparent; of L, RGB, or one with more than 8 bits a pixel."""
    done = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow warns of is refused, or it can be read all the same
        with Image.open(path) as opened:
            if (n := getattr(opened, "n_frames", 1)) > 1:
                done.append(f"the first of its {n} images")
            image = ImageOps.exif_transpose(opened)
            if image.mode[0] in "IF":
                image.load()
                return image, done
            if image.has_transparency_data:
                return image.convert("RGBA"), done
            return image.convert("L" if image.mode in ("1", "L") else "RGB"), done


def _of_colours(image: Image.Image, done: list[str]) -> tuple[np.ndarray, list[str]]:
    """As bright as the eye sees them, or, where that hides what is drawn (yellow on white), the colour that shows it."""
    grey = np.asarray(image.convert("L"))
    if image.mode == "RGB":
        colours = np.asarray(image)
        spreads = np.ptp(colours, axis=(0, 1)).astype(int)
        if spreads.max() > _HIDES * np.ptp(grey).astype(int):
            shows = int(spreads.argmax())
            return colours[..., shows].astype(np.float32) / 255, [*done, f"its {('red', 'green', 'blue')[shows]} taken"]
        if (colours != colours[..., :1]).any():
            done = [*done, "turned grey"]
    return grey.astype(np.float32) / 255, done


def _of_numbers(image: Image.Image, path: Path) -> np.ndarray:
    """Scaled to be from 0 to 1, as the file does not tell the range of numbers of more than 8 bits."""
    values = np.asarray(image, dtype=np.float64)
    rows, columns = np.nonzero(~np.isfinite(values))
    if len(rows):
        first = f"the first, {values[rows[0], columns[0]]:g}, in row {rows[0]}, column {columns[0]}, counted from 0"
        raise ValueError(f"{path} has pixels that are not finite numbers: {len(rows):,} of {values.size:,}, {first}")
    return ((values - values.min()) / max(float(np.ptp(values)), 1e-300)).astype(np.float32)


def _of_transparent(image: Image.Image, strokes: bool, done: list[str]) -> tuple[np.ndarray, list[str]]:
    """The alpha channel, unless the drawing is in the colours of what is opaque."""
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32) / 255
    grey, coloured = _of_colours(image.convert("RGB"), done)
    if np.ptp(alpha) < _SAME:
        return (grey, coloured) if alpha.max() > _SAME else (np.zeros_like(grey), done)
    opaque = alpha > alpha.max() / 2
    paper = float(np.median(grey[opaque]))
    if not strokes:
        ground, name = (1, "white") if paper < 0.5 else (0, "black")
        return alpha * grey + (1 - alpha) * ground, [*coloured, f"laid on {name}"]
    if (abs(grey[opaque] - paper) > _OTHER).mean() > _FEW and _is_sheet(opaque):
        return np.where(opaque, grey, np.float32(paper)), [*coloured, "laid on paper of its own grey"]
    return alpha, [*done, "read from its transparency"]


def _is_sheet(opaque: np.ndarray) -> bool:
    """Whether what is opaque is too thick for strokes: a sheet, whose corners, margins or surroundings are transparent."""
    rows, columns = np.nonzero(opaque)
    side = max(1, int(_SOLID * (max(np.ptp(rows), np.ptp(columns)) + 1)))
    if side > min(opaque.shape):
        return False
    sums = np.pad(opaque.cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    squares = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return bool(squares.max() == side * side)

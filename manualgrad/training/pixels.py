"""The grey values of an image file, from its colours, or from its alpha channel if that contains the drawing."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

__all__ = ["read_grey"]

_SAME = 0.1  # an alpha channel that varies less is constant
_OTHER = 0.2  # a grey this far from the median of the opaque pixels is not paper
_FEW = 0.002  # of the opaque pixels: fewer than in the thinnest drawing
_HIDES = 4  # if one colour has this many times the range of grey, grey hides the drawing
_SOLID = 0.4  # of the longer side: a square of this size fits in a sheet of paper, but not in strokes


def read_grey(path: Path, strokes: bool = True) -> tuple[np.ndarray, list[str]]:
    """Read the grey values of an image file, [height, width] float32 from 0 to 1; also return the conversions in words.

    Args:
        strokes: whether the opaque part of a transparent canvas is a drawing, or an object, which keeps its grey values.

    Raises:
        OSError: when the file cannot be read.
        ValueError: when it is not an image, is too large, or has pixels that are not finite numbers.
    """
    try:
        image, done = _open(path)
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        size = f"at most {most:,} pixels, such as {int(most**0.5):,}×{int(most**0.5):,}"
        raise ValueError(f"{path} is too large: an image may have {size}; scale it down") from error
    except Exception as error:  # Pillow's decoders raise many types
        if isinstance(error, OSError) and error.errno is not None:  # an error of the operating system
            raise
        if path.stat().st_size == 0:
            raise ValueError(f"{path} is empty, not an image") from error
        raise ValueError(f"{path} is not an image that can be read") from error
    if image.mode == "RGBA":
        return _of_transparent(image, strokes, done)
    if image.mode in ("L", "RGB"):
        return _of_colours(image, done)
    return _of_numbers(image, path), done


def _open(path: Path) -> tuple[Image.Image, list[str]]:
    """Open an image in mode RGBA if it has transparency, else in L, RGB, or a mode with more than 8 bits per pixel."""
    done = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such images are either rejected below or can be read
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
    """Return perceived brightness, or, if that hides the drawing (yellow on white), the colour channel that shows it."""
    grey = np.asarray(image.convert("L"))
    if image.mode == "RGB":
        colours = np.asarray(image)
        spreads = np.ptp(colours, axis=(0, 1)).astype(int)
        if spreads.max() > _HIDES * np.ptp(grey).astype(int):
            shows = int(spreads.argmax())
            return colours[..., shows].astype(np.float32) / 255, [*done, f"{('red', 'green', 'blue')[shows]} channel used"]
        if (colours != colours[..., :1]).any():
            done = [*done, "converted to grey"]
    return grey.astype(np.float32) / 255, done


def _of_numbers(image: Image.Image, path: Path) -> np.ndarray:
    """Scale the values to 0 to 1, since the file does not give the range of values with more than 8 bits."""
    values = np.asarray(image, dtype=np.float64)
    rows, columns = np.nonzero(~np.isfinite(values))
    if len(rows):
        first = f"the first, {values[rows[0], columns[0]]:g}, in row {rows[0]}, column {columns[0]}, counted from 0"
        raise ValueError(f"{path} has pixels that are not finite numbers: {len(rows):,} of {values.size:,}, {first}")
    return ((values - values.min()) / max(float(np.ptp(values)), 1e-300)).astype(np.float32)


def _of_transparent(image: Image.Image, strokes: bool, done: list[str]) -> tuple[np.ndarray, list[str]]:
    """Return the alpha channel, or the colours if the drawing is in the colours of the opaque part."""
    alpha = np.asarray(image.getchannel("A"), dtype=np.float32) / 255
    grey, coloured = _of_colours(image.convert("RGB"), done)
    if np.ptp(alpha) < _SAME:
        return (grey, coloured) if alpha.max() > _SAME else (np.zeros_like(grey), done)
    opaque = alpha > alpha.max() / 2
    paper = float(np.median(grey[opaque]))
    if not strokes:
        ground, name = (1, "white") if paper < 0.5 else (0, "black")
        return alpha * grey + (1 - alpha) * ground, [*coloured, f"placed on {name}"]
    if (abs(grey[opaque] - paper) > _OTHER).mean() > _FEW and _is_sheet(opaque):
        return np.where(opaque, grey, np.float32(paper)), [*coloured, "placed on the grey of its paper"]
    return alpha, [*done, "read from its alpha channel"]


def _is_sheet(opaque: np.ndarray) -> bool:
    """Return whether the opaque part is too thick for strokes: a sheet with transparent corners, margins or surroundings."""
    rows, columns = np.nonzero(opaque)
    side = max(1, int(_SOLID * (max(np.ptp(rows), np.ptp(columns)) + 1)))
    if side > min(opaque.shape):
        return False
    sums = np.pad(opaque.cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    squares = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return bool(squares.max() == side * side)

"""What the pictures have in common: their width, their colours, and how they are written.

Every plot function takes a path last, and returns its Figure, which a notebook shows: the path is None there.
"""

from __future__ import annotations

import io
import textwrap
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from torch import Tensor

from manualgrad.training import files

__all__ = ["DOWN", "SERIES", "UP", "UP_AND_DOWN", "WIDTH", "colors", "heading", "image", "red_and_blue", "save", "side"]

WIDTH = 10  # inches: what a page of 830 pixels shows of it has letters of 10 points 11 pixels high
_DPI = 150

# The ends of ColorBrewer's RdBu, which people who confuse red and green tell apart (https://colorbrewer2.org).
UP, DOWN = "#ca0020", "#0571b0"
UP_AND_DOWN = "Red: up. Blue: down."

# For what has no direction. Okabe and Ito's orange, green and purple (https://jfly.uni-koeln.de/color/).
SERIES = ("#e69f00", "#009e73", "#cc79a7", "0.35")


def colors(values: Tensor) -> list[str]:
    """UP for each value above 0, DOWN for the others."""
    return [UP if value > 0 else DOWN for value in values.tolist()]


def heading(figure: Figure, title: str) -> None:
    """Above all of it, in lines that fit."""
    figure.suptitle("\n".join(textwrap.fill(line, 80) for line in title.splitlines()), fontsize=13)


def side(pixels: int) -> int | None:
    """Of a square image with so many pixels; None where there is none."""
    root = round(pixels**0.5)
    return root if root * root == pixels else None


def red_and_blue(values: Tensor) -> dict[str, Any]:
    """imshow's options for values of either sign, white being 0."""
    largest = max(values.abs().max().item(), 1e-300)
    return {"cmap": "RdBu_r", "norm": TwoSlopeNorm(0, -largest, largest)}


def image(axes: Axes, pixels: Tensor, **options: Any) -> Any:
    """Pixels in rows, without ticks."""
    axes.set_xticks([])
    axes.set_yticks([])
    width = side(pixels.numel())
    return axes.imshow(pixels.reshape(-1, width or pixels.numel()).numpy(), **options)


def save(figure: Figure, path: Path | None) -> Figure:
    """Write the figure, whole or not at all, in the format that the path ends in; and return it.

    Raises:
        OSError: when it cannot be written.
        ValueError: when matplotlib has no such format.
    """
    if path is not None:
        content = io.BytesIO()
        figure.savefig(content, dpi=_DPI, format=path.suffix[1:])
        files.write(path, content.getvalue())
    return figure

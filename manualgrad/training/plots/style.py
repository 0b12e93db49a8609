"""What the pictures have in common: their width, their colours, and how they are written.

Every plot function takes a path last, and returns its Figure, which a notebook shows: the path is None there.
"""

from __future__ import annotations

import io
import textwrap
import warnings
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure
from torch import Tensor

from manualgrad.training import files

__all__ = ["DOWN", "SERIES", "UP", "UP_AND_DOWN", "WIDTH", "colors", "heading", "image", "save", "side", "signed"]

WIDTH = 10  # inches: what a page of 830 pixels shows of it has letters of 10 points 11 pixels high
_DPI = 150

# Above 0 and below it, of a weight, of a wish and of any other number; teaching/play/page/css/base.css has the same. The two
# are told apart, and from what SERIES has, with any kind of colour blindness: tests/training/plots/test_style.py.
UP, DOWN = "#2163c9", "#b8550b"
UP_AND_DOWN = "Blue: up. Orange: down."
_SIGNS = LinearSegmentedColormap.from_list("signs", [DOWN, "white", UP])

# For what has no sign: green, after Okabe and Ito (https://jfly.uni-koeln.de/color/), purple and grey.
SERIES = ("#009e73", "#a63d83", "0.35")


def colors(values: Tensor) -> list[str]:
    """UP for each value above 0, DOWN for the others."""
    return [UP if value > 0 else DOWN for value in values.tolist()]


def heading(figure: Figure, title: str) -> None:
    """Above all of it, in lines that fit."""
    figure.suptitle("\n".join(textwrap.fill(line, 80) for line in title.splitlines()), fontsize=13, parse_math=False)


def side(pixels: int) -> int | None:
    """Of a square image with so many pixels; None where there is none."""
    root = round(pixels**0.5)
    return root if root * root == pixels else None


def signed(values: Tensor) -> dict[str, Any]:
    """imshow's options for values of either sign: from DOWN over white, which is 0, to UP."""
    largest = max(values.abs().max().item(), 1e-300)
    return {"cmap": _SIGNS, "norm": TwoSlopeNorm(0, -largest, largest)}


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
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # of a file's name, say: a box is drawn for it
            figure.savefig(content, dpi=_DPI, format=path.suffix[1:])
        files.write(path, content.getvalue())
    return figure

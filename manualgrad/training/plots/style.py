"""The common style of the figures: their width, their colours, and how they are saved.

Every plot function takes a path, and returns its Figure. In a notebook the path is None, and the Figure is displayed.
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

WIDTH = 10  # inches: on a page of 830 pixels, 10-point letters are 11 pixels high
_DPI = 150

# For values above 0 and below 0, the same as in teaching/play/page/css/base.css. They can be distinguished from each other and
# from SERIES with any kind of colour blindness: tests/training/plots/test_style.py.
UP, DOWN = "#2163c9", "#b8550b"
UP_AND_DOWN = "Blue: up. Orange: down."
_SIGNS = LinearSegmentedColormap.from_list("signs", [DOWN, "white", UP])

# For values without a sign: green, after Okabe and Ito (https://jfly.uni-koeln.de/color/), purple and grey.
SERIES = ("#009e73", "#a63d83", "0.35")


def colors(values: Tensor) -> list[str]:
    """Return UP for each value above 0, DOWN for the others."""
    return [UP if value > 0 else DOWN for value in values.tolist()]


def heading(figure: Figure, title: str) -> None:
    """Set the figure's title, wrapped to its width."""
    figure.suptitle("\n".join(textwrap.fill(line, 80) for line in title.splitlines()), fontsize=13, parse_math=False)


def side(pixels: int) -> int | None:
    """Return the side of a square image with this number of pixels; None if it is not square."""
    root = round(pixels**0.5)
    return root if root * root == pixels else None


def signed(values: Tensor) -> dict[str, Any]:
    """Return imshow's options for values of either sign: colours from DOWN over white, which is 0, to UP."""
    largest = max(values.abs().max().item(), 1e-300)
    return {"cmap": _SIGNS, "norm": TwoSlopeNorm(0, -largest, largest)}


def image(axes: Axes, pixels: Tensor, **options: Any) -> Any:
    """Show pixels, given row by row, as an image without ticks."""
    axes.set_xticks([])
    axes.set_yticks([])
    width = side(pixels.numel())
    return axes.imshow(pixels.reshape(-1, width or pixels.numel()).numpy(), **options)


def save(figure: Figure, path: Path | None) -> Figure:
    """Save the figure atomically, in the format of the path's suffix, and return it.

    Raises:
        OSError: when the file cannot be written.
        ValueError: when matplotlib does not support the format.
    """
    if path is not None:
        content = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # in a file name, say: a box is drawn instead
            figure.savefig(content, dpi=_DPI, format=path.suffix[1:])
        files.write(path, content.getvalue())
    return figure

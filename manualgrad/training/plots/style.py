"""What the pictures have in common: red is up, blue is down."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from torch import Tensor

from manualgrad.training import files

__all__ = ["DOWN", "UP", "colors", "image", "red_and_blue", "save", "side"]

UP, DOWN = "tab:red", "tab:blue"


def colors(values: Tensor) -> list[str]:
    return [UP if value > 0 else DOWN for value in values.tolist()]


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


def save(figure: Figure, path: Path) -> None:
    """As a PNG file, whole or not at all."""
    content = io.BytesIO()
    figure.savefig(content, dpi=120, format="png")
    files.write(path, content.getvalue())

"""Plots of the examples' wishes for one weight and their average, and of a network trained on one digit alone."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from manualgrad.teaching.number import number
from manualgrad.training.plots.style import DOWN, SERIES, UP, UP_AND_DOWN, WIDTH, heading, save

__all__ = ["plot_only", "plot_wishes"]

_POWERS = 3  # powers of ten on each side of 0


def plot_wishes(wishes: Tensor, labels: Tensor, title: str, path: Path | None = None) -> Figure:
    """Plot one point per example, sorted within each digit, with the mean of each digit and the mean of all."""
    figure = Figure(figsize=(WIDTH, 6), layout="constrained")
    heading(figure, title)
    axes = figure.subplots()
    _scale(axes, wishes.abs().max().item())
    digits = labels.unique().tolist()
    for place, digit in enumerate(digits):
        own = wishes[labels == digit].sort().values
        across = torch.linspace(place - 0.35, place + 0.35, len(own) + 2)[1:-1]
        axes.scatter(across.tolist(), own.tolist(), s=26, color=_colors(own), zorder=3)
        mean = own.mean().item()
        label = "mean of a digit's examples" if place == 0 else None
        axes.plot([place - 0.4, place + 0.4], [mean, mean], color="black", lw=2, zorder=2, label=label)
        if place:
            axes.axvline(place - 0.5, color="0.85", lw=1, zorder=0)
    mean = wishes.mean().item()
    axes.axhline(mean, color=SERIES[0], ls="--", lw=2, label=f"mean of all, {number(mean)}: the nudge that descent takes")
    axes.set(
        xlabel=f"digit: a point for each example, from the least nudge to the greatest. {UP_AND_DOWN} Grey: neither.",
        ylabel="nudge wanted, $-\\partial C_k/\\partial w$ (each mark is 10 times the one before)",
        xticks=range(len(digits)),
        xticklabels=digits,
        xlim=(-0.5, len(digits) - 0.5),
    )
    figure.legend(loc="outside lower center", ncols=2)
    return save(figure, path)


def _colors(wishes: Tensor) -> list[str]:
    return [UP if wish > 0 else DOWN if wish < 0 else SERIES[-1] for wish in wishes.tolist()]


def _scale(axes: Axes, largest: float) -> None:
    """Set a symmetric log scale with 0 in the middle and powers of ten up to the largest value."""
    top = math.ceil(math.log10(largest)) if largest else 0
    powers = [10.0**power for power in range(top - _POWERS, top + 1)]
    axes.set_yscale("symlog", linthresh=powers[0], linscale=0.5)
    axes.set_yticks([*(-power for power in reversed(powers)), 0, *powers])
    axes.yaxis.set_major_formatter(
        lambda value, _: f"{value:+g}".replace("-", "−", 1) if value < 0 else f"{value:+g}" if value else "0"
    )
    axes.set_ylim(-1.2 * largest or -1, 1.2 * largest or 1)
    axes.axhline(0, color="black", lw=0.8, zorder=1)
    axes.grid(axis="y", alpha=0.3)


def plot_only(digit: int, seen: dict[str, tuple[Tensor, float]], title: str, path: Path | None = None) -> Figure:
    """Plot how many test images are classified as each digit, one panel per network: name -> (counts, accuracy)."""
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    heading(figure, title)
    panels = figure.subplots(1, len(seen), sharey=True)
    for axes, (name, (counts, accuracy)) in zip(panels, seen.items(), strict=True):
        shown = [SERIES[0] if d == digit else SERIES[-1] for d in range(len(counts))]
        axes.bar(range(len(counts)), counts.tolist(), color=shown)
        axes.set(title=f"{name}\n{accuracy:.1%} right", xlabel="taken for a", xticks=range(len(counts)))
    panels[0].set_ylabel("test images")
    panels[0].yaxis.set_major_formatter("{x:,.0f}")
    return save(figure, path)

"""Single examples' wishes for one weight and their average; a network that listens to one digit alone."""

from __future__ import annotations

from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from manualgrad.training.plots.style import save

__all__ = ["plot_only", "plot_wishes"]


def plot_wishes(wishes: Tensor, labels: Tensor, title: str, path: Path | None = None) -> Figure:
    """A bar for each example, by digit, and their mean."""
    order = labels.argsort(stable=True)
    wishes, labels = wishes[order], labels[order]
    figure = Figure(figsize=(14, 5.5), layout="constrained")
    figure.suptitle(title, fontsize=14)
    axes = figure.subplots()
    places = torch.arange(len(wishes))
    axes.bar(places.tolist(), wishes.tolist(), width=0.9, color=[f"C{int(label)}" for label in labels])
    for digit in labels.unique().tolist():
        own = places[labels == digit]
        axes.axvline(own[-1].item() + 0.5, color="0.85", lw=1, zorder=0)
        axes.text(
            own.float().mean().item(), 1.01, str(digit), transform=axes.get_xaxis_transform(), ha="center", color=f"C{digit}"
        )
    mean = wishes.mean().item()
    axes.axhline(0, color="black", lw=0.8)
    axes.axhline(mean, color="black", ls="--", label=f"their mean, {mean:+.4g}: the nudge that descent takes")
    axes.set(xlabel="examples, by digit", ylabel="nudge wanted, $-\\partial C_k/\\partial w$", xticks=[])
    axes.set_xlim(-0.7, len(wishes) - 0.3)
    axes.legend()
    return save(figure, path)


def plot_only(digit: int, seen: dict[str, tuple[Tensor, float]], title: str, path: Path | None = None) -> Figure:
    """How often each output wins on the test images: a panel for each network, name -> (counts, accuracy)."""
    figure = Figure(figsize=(14, 4.6), layout="constrained")
    figure.suptitle(title, fontsize=14)
    panels = figure.subplots(1, len(seen), sharey=True)
    for axes, (name, (counts, accuracy)) in zip(panels, seen.items(), strict=True):
        axes.bar(range(len(counts)), counts.tolist(), color=["tab:red" if d == digit else "0.6" for d in range(len(counts))])
        axes.set(title=f"{name}\n{accuracy:.1%} right", xlabel="classified as", xticks=range(len(counts)))
    panels[0].set_ylabel("test images")
    return save(figure, path)

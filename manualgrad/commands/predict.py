"""`manualgrad predict`: what a trained network takes images for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from manualgrad.commands.errors import BadInput
from manualgrad.commands.network import add_picture, run_path
from manualgrad.training.verdict import LEAD, UNSURE, verdict

if TYPE_CHECKING:
    from rich.table import Table

    from manualgrad.training.images import Picture

__all__ = ["add"]

_SHOWN = 12  # images in the picture


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="what a trained network takes images for",
        description="Classify image files of any size, in colour or grey, dark on light or light on dark. "
        f"An image is marked unsure where the brightest output is less than {LEAD} above the second. "
        "The exit code is 2 where an image could not be read, after all the others were shown.",
    )
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="a PNG, JPEG, ... file that shows one digit")
    parser.add_argument("--checkpoint", type=run_path, required=True, metavar="RUN", help="a run's folder or model.pt")
    add_picture(parser, "predict.png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from manualgrad.commands.terminal import console, save
    from manualgrad.training.network import name_of
    from manualgrad.training.plots.predict import plot_predictions
    from manualgrad.training.runs import run_name

    model, config = _network(options.checkpoint)
    pictures, problems = _read(options.images, strokes=config["dataset"] != "fashion-mnist")
    if pictures:
        screen = console()
        with torch.no_grad():
            a = model(torch.stack([picture.x for _, picture in pictures]))
        title = f"What {name_of(config['network'], config['sizes'])} of {run_name(options.checkpoint)} takes them for"
        names, verdicts = [path.name for path, _ in pictures], [verdict(row) for row in a]
        unsure = any(taken_for.startswith("unsure") for taken_for in verdicts)
        screen.print(title, style="bold", markup=False, soft_wrap=True)
        screen.print(_table(names, a, verdicts))
        if unsure:
            screen.print(UNSURE)
        for path, picture in pictures:
            screen.print(f"{path.name}, {'×'.join(map(str, picture.size))}: {', '.join(picture.done)}", markup=False)
        shown, heading = [picture for _, picture in pictures[:_SHOWN]], f"{title}\n{UNSURE}" if unsure else title
        save(options.out, lambda path: plot_predictions(names[:_SHOWN], shown, a[:_SHOWN], verdicts[:_SHOWN], heading, path))
        first = f", with the first {_SHOWN} of them" if len(pictures) > _SHOWN else ""
        screen.print(f"The picture{first}: {options.out}", soft_wrap=True, markup=False)
    for problem in problems:
        print(f"manualgrad: {problem}", file=sys.stderr)
    return 2 if problems else 0


def _network(checkpoint: Path) -> tuple[torch.nn.Sequential, dict[str, Any]]:
    """The network of a run, which must be one for images of 28×28, and its settings."""
    from manualgrad.training.data import CLASSES
    from manualgrad.training.runs import RunError, load_network

    try:
        model, config = load_network(checkpoint)
    except RunError as error:
        raise BadInput(str(error).rstrip(".")) from error
    sizes = config["sizes"]
    if [sizes[0], sizes[-1]] != [784, CLASSES]:
        raise BadInput(f"the network of {checkpoint}, {'-'.join(map(str, sizes))}, is not one for images of 28×28")
    return model, config


def _read(paths: Sequence[Path], strokes: bool) -> tuple[list[tuple[Path, Picture]], list[str]]:
    """The images that could be read, and of each other one why not."""
    from manualgrad.training.images import read

    pictures, problems = [], []
    for path in paths:
        try:
            pictures.append((path, read(path, strokes)))
        except ValueError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{path} cannot be read ({error.strerror or error})")
    return pictures, problems


def _table(names: Sequence[str], a: Tensor, verdicts: Sequence[str]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    shown = Table(box=None, padding=(0, 0, 0, 1), pad_edge=False, header_style="dim")  # ten activations fit on 80 columns
    shown.add_column("image", overflow="fold")
    for heading in ("is a", *map(str, range(a.shape[1]))):
        shown.add_column(heading, justify="right", no_wrap=True, min_width=4)
    for name, row, taken_for in zip(names, a, verdicts, strict=True):
        best = int(row.argmax())
        activations = [f"[bold]{value:.2f}[/]" if j == best else f"{value:.2f}" for j, value in enumerate(row.tolist())]
        shown.add_row(escape(name), f"[bold]{taken_for}[/]", *activations)
    return shown

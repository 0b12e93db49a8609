"""`manualgrad predict`: classify image files with a trained network."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from manualgrad.commands.errors import BadInput
from manualgrad.commands.network import add_picture, run_path
from manualgrad.training.verdict import LEAD, UNSURE, verdict

if TYPE_CHECKING:
    from rich.console import Console

    from manualgrad.training.images import Picture

__all__ = ["add"]

_SHOWN = 12  # images in the picture, at most


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="classify image files with a trained network",
        description="Classify image files of any size, in colour or grey, dark on light or light on dark, or drawn on a "
        "transparent canvas. "
        f"A prediction is marked unsure if the brightest output is less than {LEAD} above the second. "
        "If an image cannot be read, the others are still classified, and the exit code is 2.",
    )
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="an image file (PNG, JPEG, ...) of one digit")
    parser.add_argument("--checkpoint", type=run_path, required=True, metavar="RUN", help="a run's folder or model.pt")
    add_picture(parser, "predict.png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from manualgrad.commands.terminal import console, save
    from manualgrad.training.costs import activations
    from manualgrad.training.network import name_of
    from manualgrad.training.plots.predict import plot_predictions
    from manualgrad.training.runs import run_name

    for path in options.images:
        if os.path.exists(path) and os.path.exists(options.out) and os.path.samefile(path, options.out):
            raise BadInput(f"--out: {options.out} is one of the images and would be overwritten; choose another file")
    model, config = _network(options.checkpoint)
    pictures, problems = _read(options.images, config["dataset"])
    if pictures:
        screen = console()
        with torch.no_grad():
            a = activations(config["cost"], model(torch.stack([picture.x for _, picture in pictures])))
        title = f"Predictions of {name_of(config['network'], config['sizes'])} from {run_name(options.checkpoint)}"
        names, verdicts = _names([path for path, _ in pictures]), [verdict(row) for row in a]
        unsure = any(taken_for.startswith("unsure") for taken_for in verdicts)
        screen.print(title, style="bold", markup=False, soft_wrap=True)
        _print_table(screen, names, a, verdicts)
        if unsure:
            screen.print(UNSURE)
        for name, (_, picture) in zip(names, pictures, strict=True):
            _print_done(screen, name, picture)
        shown, heading = [picture for _, picture in pictures[:_SHOWN]], f"{title}\n{UNSURE}" if unsure else title
        save(options.out, lambda path: plot_predictions(names[:_SHOWN], shown, a[:_SHOWN], verdicts[:_SHOWN], heading, path))
        first = f", with the first {_SHOWN} of them" if len(pictures) > _SHOWN else ""
        screen.print(f"The picture{first}: {options.out}", soft_wrap=True, markup=False)
    for problem in problems:
        print(f"manualgrad: {problem}", file=sys.stderr)
    return 2 if problems else 0


def _network(checkpoint: Path) -> tuple[torch.nn.Sequential, dict[str, Any]]:
    """Return the network of a run, which must take images of 28×28, and its settings."""
    from manualgrad.training.data import CLASSES
    from manualgrad.training.runs import RunError, load_network

    try:
        model, config = load_network(checkpoint)
    except RunError as error:
        raise BadInput(str(error).rstrip(".")) from error
    sizes = config["sizes"]
    if [sizes[0], sizes[-1]] != [784, CLASSES]:
        raise BadInput(f"--checkpoint: {checkpoint} is {'-'.join(map(str, sizes))}, which does not take images of 28×28")
    return model, config


def _read(paths: Sequence[Path], dataset: str) -> tuple[list[tuple[Path, Picture]], list[str]]:
    """Read the images and convert them to the data set's format; for each unreadable one, return the reason."""
    from manualgrad.training.images import read

    strokes, length = dataset != "fashion-mnist", 20 if dataset == "mnist" else 28
    pictures, problems = [], []
    for path in paths:
        try:
            pictures.append((path, read(path, strokes, length)))
        except ValueError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{path} cannot be read ({error.strerror or error})")
    return pictures, problems


def _names(paths: Sequence[Path]) -> list[str]:
    """Return distinct names of the images: the file names, or, if two are equal, the paths as typed."""
    from manualgrad.training.files import printable

    names = [path.name for path in paths]
    return [printable(path.name if names.count(path.name) == 1 else str(path)) for path in paths]


def _print_table(screen: Console, names: Sequence[str], a: Tensor, verdicts: Sequence[str]) -> None:
    """Print one line per image; a long name goes on its own line above, because names are never broken."""
    from rich.cells import cell_len
    from rich.text import Text

    is_a = max(4, *map(len, verdicts))
    room = screen.width - is_a - 1 - 5 * a.shape[1]  # ten activations fit on 80 columns
    left = max(cell_len(name) for name in ("image", *names) if cell_len(name) <= max(room, len("image")))
    headings = "".join(f" {j:>4}" for j in range(a.shape[1]))
    screen.print(Text(f"{'image':{left}} {'is a':>{is_a}}{headings}", "dim"), soft_wrap=True)
    for name, row, taken_for in zip(names, a, verdicts, strict=True):
        line = Text()
        if cell_len(name) > left:
            screen.print(name, soft_wrap=True, markup=False)
            line.append(" " * left)
        else:
            line.append(name + " " * (left - cell_len(name)))
        line.append(f" {taken_for:>{is_a}}", "bold")
        for j, value in enumerate(row.tolist()):
            line.append(f" {value:4.2f}", "bold" if j == int(row.argmax()) else "")
        screen.print(line, soft_wrap=True)


def _print_done(screen: Console, name: str, picture: Picture) -> None:
    """Print the conversions of an image, wrapped without breaking its name."""
    kept = name.replace(" ", "\N{NO-BREAK SPACE}")
    text = f"{kept}, {'×'.join(map(str, picture.size))}: {', '.join(picture.done)}"
    lines = textwrap.wrap(text, screen.width, break_long_words=False, break_on_hyphens=False)
    screen.print("\n".join(lines).replace(kept, name, 1), soft_wrap=True, markup=False)

"""`manualgrad predict`: what a trained network takes images for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from manualgrad.commands.errors import BadInput
from manualgrad.commands.network import add_picture, run_path

__all__ = ["add"]

_SHOWN = 12  # images in the picture


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="what a trained network takes images for",
        description="Classify image files of any size, in colour or grey, dark on light or light on dark.",
    )
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="a PNG, JPEG, ... file that shows one digit")
    parser.add_argument("--checkpoint", type=run_path, required=True, metavar="RUN", help="a run's folder or model.pt")
    add_picture(parser, "predict.png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    import torch
    from rich.markup import escape
    from rich.table import Table

    from manualgrad.commands.terminal import console, save
    from manualgrad.training.data import CLASSES
    from manualgrad.training.images import read
    from manualgrad.training.plots.predict import plot_predictions
    from manualgrad.training.runs import RunError, load_network, run_name

    try:
        model, config = load_network(options.checkpoint)
        pictures = [read(path, 28 if config["dataset"] == "fashion-mnist" else 20) for path in options.images]
    except (RunError, ValueError) as error:
        raise BadInput(str(error).rstrip(".")) from error
    except OSError as error:
        raise BadInput(f"{error.filename or 'an image'} cannot be read ({error.strerror or error})") from error
    sizes = config["sizes"]
    if [sizes[0], sizes[-1]] != [784, CLASSES]:
        raise BadInput(f"the network of {options.checkpoint}, {'-'.join(map(str, sizes))}, is not one for images of 28×28")
    with torch.no_grad():
        a = model(torch.stack([picture.x for picture in pictures]))

    screen = console()
    title = f"What {'-'.join(map(str, sizes))} of {run_name(options.checkpoint)} takes them for"
    screen.print(title, style="bold", markup=False, soft_wrap=True)
    shown = Table(box=None, padding=(0, 0, 0, 1), pad_edge=False, header_style="dim")  # ten activations fit on 80 columns
    shown.add_column("image", no_wrap=True)
    for heading in ("is a", *map(str, range(CLASSES))):
        shown.add_column(heading, justify="right", no_wrap=True, min_width=4)
    for path, row in zip(options.images, a, strict=True):
        best = int(row.argmax())
        activations = [f"[bold]{value:.2f}[/]" if j == best else f"{value:.2f}" for j, value in enumerate(row.tolist())]
        shown.add_row(escape(path.name), f"[bold]{best}[/]", *activations)
    screen.print(shown)
    for path, picture in zip(options.images, pictures, strict=True):
        height, width = picture.original.shape
        screen.print(f"{path.name}, {width}×{height}: {', '.join(picture.done)}", markup=False, soft_wrap=True)
    names = [path.name for path in options.images]
    save(options.out, lambda path: plot_predictions(names[:_SHOWN], pictures[:_SHOWN], a[:_SHOWN], title, path))
    first = f", with the first {_SHOWN} of them" if len(pictures) > _SHOWN else ""
    screen.print(f"The picture{first}: {options.out}", soft_wrap=True, markup=False)
    return 0

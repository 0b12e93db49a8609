"""The network that a command shows, from a run or trained on the spot, and its examples."""

from __future__ import annotations

import argparse
import math
import os
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from manualgrad.commands.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from manualgrad.training.data import Examples

__all__ = [
    "Network",
    "add_options",
    "check_cost",
    "check_digit",
    "check_picture",
    "folder",
    "load",
    "natural",
    "note",
    "positive",
    "rate",
    "run_path",
]

_SIZES, _BATCH_SIZE = [784, 16, 16, 10], 100


@dataclass(frozen=True)
class Network:
    """A model and its data set, in float32.

    Attributes:
        name: the name for display, such as "784-16-16-10 after 1 epoch".
        cost: the cost that it was trained for, "quadratic" or "cross-entropy".
    """

    model: torch.nn.Sequential
    name: str
    training: Examples
    test: Examples
    cost: str = "quadratic"


def natural(text: str) -> int:
    return _whole(text, 0, "non-negative")


def positive(text: str) -> int:
    return _whole(text, 1, "positive")


def _whole(text: str, least: int, wanted: str) -> int:
    if not text.isdecimal() or len(text) > 19 or not least <= int(text) < 2**63:
        below = " integer below 2^63" if text.isdecimal() and text.strip("0") else " integer"
        raise argparse.ArgumentTypeError(f"invalid value {text!r}: expected a {wanted}{below}")
    return int(text)


def rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive finite number, got {text!r}")
    if value > torch.finfo(torch.float32).max:
        raise argparse.ArgumentTypeError(f"must be within float32's range, at most 3.4e38, got {text!r}")
    return value


def run_path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("must be a run's folder or its model.pt, got ''")
    return Path(text)


def folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("must be a folder, got ''")
    return Path(text)


def add_options(parser: argparse.ArgumentParser, picture: str, epochs: int = 1) -> None:
    parser.set_defaults(default_epochs=epochs)
    parser.add_argument(
        "--checkpoint", type=run_path, metavar="RUN", help="a run's folder or model.pt (default: train a network now)"
    )
    parser.add_argument(
        "--epochs",
        type=natural,
        metavar="N",
        help=f"epochs to train 784-16-16-10 without --checkpoint; 0 leaves it untrained (default: {epochs})",
    )
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="random seed (default: 0)")
    parser.add_argument("--data-dir", type=folder, metavar="DIR", help="folder that contains torchvision's MNIST/raw/")
    add_picture(parser, picture)


def add_picture(parser: argparse.ArgumentParser, picture: str) -> None:
    default = Path("runs", picture)  # the folder of train.py's results, which git ignores
    parser.add_argument(
        "--out",
        type=partial(_picture_path, name=picture),
        default=default,
        metavar="FILE",
        help=f"file or folder for the picture (default: {default.as_posix()})",
    )


def _picture_path(text: str, name: str) -> Path:
    """Return the file of --out; for a folder, which exists or ends in a separator, the file `name` in it."""
    if not text:
        raise argparse.ArgumentTypeError("must be a file or a folder, got ''")
    return Path(text, name) if os.path.isdir(text) or text.endswith(("/", os.sep)) else Path(text)


def check_picture(path: Path) -> Path:
    """Check before any work that a picture can be written, and return its path, with ".png" added if there is no suffix.

    Raises:
        BadInput: when the suffix is not a picture format, or the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = path if path.suffix else path.with_name(f"{path.name}.png")
    formats = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix[1:].lower() not in formats:
        raise BadInput(f"--out: {path} cannot be written (it must end in one of .{', .'.join(sorted(formats))}).")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        there = path.exists()
        with path.open("ab"):
            pass
        if not there:
            path.unlink()
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise BadInput(f"--out: {path} cannot be written ({getattr(error, 'strerror', None) or error}).") from error
    return path


def load(options: argparse.Namespace, console: Console, check: Callable[[Network], object]) -> Network:
    """Load or train the network that the options ask for.

    Args:
        check: called with the network and its examples before training; raises if they do not match the options.

    Raises:
        BadInput: when the run or the data cannot be read.
    """
    from manualgrad.training.data import CLASSES, DataError
    from manualgrad.training.data import load as load_data
    from manualgrad.training.loop import make_network
    from manualgrad.training.runs import RunError, load_network, run_name

    if options.checkpoint and options.epochs is not None:
        raise BadInput("--epochs cannot be combined with --checkpoint, whose network is already trained")
    torch.manual_seed(options.seed)
    try:
        if options.checkpoint:
            model, config = load_network(options.checkpoint)
            dataset, cost = config["dataset"], config["cost"]
            if config["network"] != "mlp":
                raise BadInput(
                    f"--checkpoint: {options.checkpoint} contains a {config['network']}; this command supports only networks "
                    "of Linear, sigmoid, ReLU and tanh layers (--network mlp)"
                )
        else:
            model, dataset, cost = None, "mnist", "quadratic"
        training, test = load_data(dataset, options.data_dir, note)
    except (RunError, DataError) as error:
        raise BadInput(str(error)) from error
    if model is None:
        model, name = make_network(_SIZES), "-".join(map(str, _SIZES))
        check(Network(model, name, training, test))
        name += _train(model, options.default_epochs if options.epochs is None else options.epochs, training, test, console)
    else:
        sizes, wanted = config["sizes"], [training.x.shape[1], CLASSES]
        name = f"{'-'.join(map(str, sizes))} of {run_name(options.checkpoint)}"
        if [sizes[0], sizes[-1]] != wanted:
            raise BadInput(f"{name} does not fit {dataset}, which requires {wanted[0]} inputs and {wanted[1]} outputs")
        check(Network(model, name, training, test, cost))
    return Network(model, name, training, test, cost)


def note(sentence: str) -> None:
    """Print a warning."""
    print(f"manualgrad: {sentence}", file=sys.stderr)


def check_digit(option: str, digit: int, training: Examples) -> None:
    """Check that a training image has this label.

    Raises:
        BadInput: when none has.
    """
    if not (training.labels == digit).any():
        there = training.labels.unique().tolist()
        all_between = there == list(range(there[0], there[-1] + 1))
        named = f"{there[0]} to {there[-1]}" if all_between else ", ".join(map(str, there))
        raise BadInput(f"{option}: no training image has the label {digit}; the labels are {named}")


def check_cost(looked_at: Network) -> None:
    """Check that the network's cost is finite.

    Raises:
        BadInput: when it is not, because its training diverged.
    """
    from manualgrad.teaching.descent import average_cost

    few = looked_at.training[:100]
    found = average_cost(looked_at.model, few.x, few.y, looked_at.cost)
    if not math.isfinite(found):
        raise BadInput(f"the cost of {looked_at.name} is {found}, so it has no derivatives to show")


def _train(model: torch.nn.Sequential, epochs: int, training: Examples, test: Examples, console: Console) -> str:
    """Train the network of the notes briefly, with a progress bar; return a phrase with the epochs and the accuracy."""
    from rich.progress import Progress

    from manualgrad.training.loop import Training
    from manualgrad.training.rates import default_rate

    if epochs == 0:
        return ", untrained"
    lr, _ = default_rate(_SIZES[1:-1], "sigmoid", _BATCH_SIZE, "sgd")
    job = Training(model, training, test, epochs=epochs, batch_size=_BATCH_SIZE, lr=lr, generator=torch.default_generator)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"training {'-'.join(map(str, _SIZES))}", total=epochs * job.steps_per_epoch)
        *_, last = job.run(after_step=lambda: progress.advance(bar))
    return f" after {epochs} epoch{'s' * (epochs > 1)} (test accuracy {last.accuracy:.1%})"

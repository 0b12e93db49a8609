"""The network that a command looks at, and its examples: a run's, or one trained on the spot."""

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
    """A model and the data set that it is for, in float32.

    Attributes:
        name: "784-16-16-10 after 1 epoch", say.
        cost: what it was trained for, "quadratic" or "cross-entropy".
    """

    model: torch.nn.Sequential
    name: str
    training: Examples
    test: Examples
    cost: str = "quadratic"


def natural(text: str) -> int:
    return _whole(text, 0, "of 0 or more")


def positive(text: str) -> int:
    return _whole(text, 1, "above 0")


def _whole(text: str, least: int, wanted: str) -> int:
    if not text.isdecimal() or len(text) > 19 or not least <= int(text) < 2**63:
        below = " and below 2^63" if text.isdecimal() and text.strip("0") else ""
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number {wanted}{below}")
    return int(text)


def rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    if value > torch.finfo(torch.float32).max:
        raise argparse.ArgumentTypeError(f"{text!r} is more than float32 holds")
    return value


def run_path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("a run's folder or its model.pt is wanted, and not ''")
    return Path(text)


def folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("a folder is wanted, and not ''")
    return Path(text)


def add_options(parser: argparse.ArgumentParser, picture: str, epochs: int = 1) -> None:
    parser.set_defaults(default_epochs=epochs)
    parser.add_argument("--checkpoint", type=run_path, metavar="RUN", help="a run's folder or model.pt (train a network now)")
    parser.add_argument(
        "--epochs",
        type=natural,
        metavar="N",
        help=f"without a checkpoint: how long 784-16-16-10 is trained; 0 leaves it random ({epochs})",
    )
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="of all that is random (0)")
    parser.add_argument("--data-dir", type=folder, metavar="DIR", help="where torchvision's folder MNIST/raw/ lies")
    add_picture(parser, picture)


def add_picture(parser: argparse.ArgumentParser, picture: str) -> None:
    default = Path("runs", picture)  # where train.py's results are, too; git ignores it
    parser.add_argument(
        "--out",
        type=partial(_picture_path, name=picture),
        default=default,
        metavar="FILE",
        help=f"the picture, or a folder for it ({default.as_posix()})",
    )


def _picture_path(text: str, name: str) -> Path:
    """The file that --out names; of a folder, which is there or ends in a separator, the picture of this name in it."""
    if not text:
        raise argparse.ArgumentTypeError("a file or a folder is wanted, and not ''")
    return Path(text, name) if os.path.isdir(text) or text.endswith(("/", os.sep)) else Path(text)


def check_picture(path: Path) -> Path:
    """The file that a picture will be written to: known, before any work is done, to be one that can be.

    Raises:
        BadInput: when its ending is no format of a picture's, or it cannot be written.
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
    except (OSError, ValueError) as error:  # ValueError: of a null character
        raise BadInput(f"--out: {path} cannot be written ({getattr(error, 'strerror', None) or error}).") from error
    return path


def load(options: argparse.Namespace, console: Console, check: Callable[[Network], object]) -> Network:
    """The network asked for.

    Args:
        check: is given the network and its examples before it is trained, and raises where they are not what the options need.

    Raises:
        BadInput: when the run or the data cannot be read.
    """
    from manualgrad.training.data import CLASSES, DataError
    from manualgrad.training.data import load as load_data
    from manualgrad.training.loop import make_network
    from manualgrad.training.runs import RunError, load_network, run_name

    if options.checkpoint and options.epochs is not None:
        raise BadInput("--epochs is for a network trained now, and --checkpoint names one that is trained")
    torch.manual_seed(options.seed)
    try:
        if options.checkpoint:
            model, config = load_network(options.checkpoint)
            dataset, cost = config["dataset"], config["cost"]
            if config["network"] != "mlp":
                raise BadInput(
                    f"{options.checkpoint} holds a {config['network']}: what is shown here is of networks of Linear, "
                    "sigmoid, ReLU and tanh layers alone (--network mlp)"
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
            raise BadInput(f"{name} does not fit {dataset}, which has {wanted[0]} inputs and {wanted[1]} outputs")
        check(Network(model, name, training, test, cost))
    return Network(model, name, training, test, cost)


def note(sentence: str) -> None:
    """Tell what is no error, and yet not as usual."""
    print(f"manualgrad: {sentence}", file=sys.stderr)


def check_digit(option: str, digit: int, training: Examples) -> None:
    """That the training images show this digit.

    Raises:
        BadInput: when none does.
    """
    if not (training.labels == digit).any():
        there = training.labels.unique().tolist()
        all_between = there == list(range(there[0], there[-1] + 1))
        named = f"{there[0]} to {there[-1]}" if all_between else ", ".join(map(str, there))
        raise BadInput(f"{option}: no training image has the label {digit}; there are {named}")


def check_cost(looked_at: Network) -> None:
    """That the network has a cost.

    Raises:
        BadInput: when it is no finite number, as that of a network whose training ran away.
    """
    from manualgrad.teaching.descent import average_cost

    few = looked_at.training[:100]
    found = average_cost(looked_at.model, few.x, few.y, looked_at.cost)
    if not math.isfinite(found):
        raise BadInput(f"the cost of {looked_at.name} is {found}: nothing can be said of its derivatives")


def _train(model: torch.nn.Sequential, epochs: int, training: Examples, test: Examples, console: Console) -> str:
    """Train the network of the notes for a short while, with a progress bar; say how long, and what came of it."""
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

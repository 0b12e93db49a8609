"""The options of train.py: the command line overrides a recipe, which overrides recipes/notes.toml.

With --resume, the settings of the run replace the recipe.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from manualgrad.training.costs import COSTS
from manualgrad.training.data import DATASETS
from manualgrad.training.loop import SCHEDULES
from manualgrad.training.network import ACTIVATIONS, NETWORKS
from manualgrad.training.processes import Processes, local_processes, local_rank, restarts, restarts_allowed, shares_stale_store
from manualgrad.training.program import as_called, program
from manualgrad.training.rates import default_rate
from manualgrad.training.runs import Checkpoint, RunError, has_checkpoint, load_checkpoint
from manualgrad.training.steps import AMP, OPTIMIZERS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["RECIPES", "config", "device", "options"]

_THREADS = 1024  # with far more threads than cores, the operating system fails
RECIPES = Path(__file__).parent / "recipes"

# Settings that stay fixed on --resume, and settings that may change.
_FIXED = (
    *("recipe", "network", "hidden", "activation", "cost", "layers", "engine", "batch_size", "lr", "optimizer", "schedule"),
    *("weight_decay", "clip_grad_norm", "distort", "amp", "compile", "fused"),
    *("threads", "seed", "device", "dataset", "validation"),
)
_OF_MLP = ("hidden", "activation")  # not for other networks
_FREE = ("epochs", "save_every", "tensorboard", "data_dir")


class _Parser(argparse.ArgumentParser):
    source = ""  # "FILE: " while a recipe is parsed

    def error(self, message: str) -> NoReturn:
        if local_rank() == 0:
            print(f"{self.prog}: {self.source}{message}", file=sys.stderr)
        self.exit(2)


def positive_int(text: str) -> int:
    if not text.isdecimal() or not text.strip("0"):
        raise ArgumentTypeError(f"must be a positive integer, got {text!r}")
    if len(text) > 19 or int(text) >= 2**63:
        raise ArgumentTypeError(f"must be below 2^63, got {text!r}")
    return int(text)


def threads(text: str) -> int:
    if positive_int(text) > _THREADS:
        raise ArgumentTypeError(f"{text!r} is above the maximum of {_THREADS} threads")
    return int(text)


def hidden_size(text: str) -> int:
    if re.fullmatch(r"[\[(]?\s*\d+(\s*[\s,;x×-]\s*\d*)+[\])]?", text):  # 16,16 or [16, 16] or 16x16
        example = " ".join(re.findall(r"\d+", text))
        raise ArgumentTypeError(f"must be positive integers, got {text!r}; separate them with spaces: --hidden {example}")
    return positive_int(text)


def seed(text: str) -> int:
    if not text.isdecimal() or len(text) > 19 or int(text) >= 2**63:
        raise ArgumentTypeError(f"must be an integer from 0 to 2^63 - 1, got {text!r}")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def positive(text: str) -> float:
    if not 0 < _number(text) < math.inf:
        raise ArgumentTypeError(f"must be a positive finite number, got {text!r}")
    return float(text)


def not_negative(text: str) -> float:
    if not 0 <= _number(text) < math.inf:
        raise ArgumentTypeError(f"must be a non-negative finite number, got {text!r}")
    return float(text)


def every(text: str) -> int | float:
    """Return epochs as an int, seconds as a float."""
    seconds = text.endswith("s")
    number = _number(text[:-1]) if seconds else text
    if seconds and isinstance(number, float) and 0 < number < math.inf:
        return number
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ArgumentTypeError(f"must be a number of epochs, such as 1, or of seconds, such as 30s, got {text!r}")


def folder_name(text: str) -> Path:
    if not text:
        raise ArgumentTypeError("must be a folder, such as runs/mine, got ''")
    return Path(text)


def device(text: str) -> torch.device:
    """Parse auto, cpu, cuda, cuda:N or mps; the device must be available on this machine."""
    if text == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.mps.is_available() else "cpu")
    kind, _, number = text.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (":" in text and (kind != "cuda" or not number.isdecimal())):
        raise ArgumentTypeError(f"must be auto, cpu, cuda, cuda:N (such as cuda:0) or mps, got {text!r}")
    here = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.mps.is_available())}[kind]
    if int(number or 0) >= here:
        raise ArgumentTypeError(f"{text!r} is not available: this machine has {here or 'no'} {kind} device(s)")
    return torch.device(text)


def options(
    arguments: Sequence[str], documentation: str, processes: Processes, recipes: Path = RECIPES
) -> tuple[argparse.Namespace, Checkpoint | None]:
    """Return the options, and the checkpoint to resume from, if any; exit with code 2 if the options are invalid.

    Args:
        arguments: the command line.
        documentation: the text around the list of options in --help.
        recipes: the folder of the recipes.
    """
    parser = _parser(as_called(documentation), sorted(path.stem for path in recipes.glob("*.toml")))
    notes, names = _recipe(parser, recipes / "notes.toml")
    parser.set_defaults(**{name: getattr(notes, name) for name in names})

    asked = parser.parse_args(arguments)
    checkpoint = _checkpoint(parser, asked, processes)
    if checkpoint is None:
        file = recipes / f"{asked.recipe}.toml"
        recipe, named = _recipe(parser, file)
        chosen = parser.parse_args(arguments, recipe)
        if chosen.network == "lenet5":
            _check_lenet5(parser, arguments, () if asked.recipe == "notes" else named, file)
            chosen.hidden = chosen.activation = None
        chosen.lr_is_chosen_for = ""
        if chosen.lr is None:
            chosen.lr, chosen.lr_is_chosen_for = default_rate(
                chosen.hidden, chosen.activation, chosen.batch_size, chosen.optimizer, chosen.network, chosen.cost
            )
    else:
        chosen = _resumed(parser, arguments, checkpoint)
    _check(parser, chosen, processes)
    return chosen, checkpoint


def config(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that a run saves, as JSON-compatible values."""
    simple = {name: getattr(chosen, name) for name in (*_FIXED, *_FREE)}
    return {name: str(value) if isinstance(value, torch.device | Path) else value for name, value in simple.items()}


def _parser(documentation: str, recipes: Sequence[str]) -> _Parser:
    description, _, rest = documentation.partition("\n\n")
    parser = _Parser(prog=program(), description=description, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)

    add = parser.add_argument_group("model and data").add_argument
    add(
        "--recipe", choices=recipes, default="notes", help="start from the settings in recipes/NAME.toml (default: %(default)s)"
    )
    add(
        "--network",
        choices=NETWORKS,
        default="mlp",
        help="mlp: fully connected layers; lenet5: LeCun's convolutional network (default: %(default)s)",
    )
    add(
        "--hidden",
        type=hidden_size,
        nargs="*",
        metavar="N",
        help="sizes of mlp's hidden layers, e.g. 100 50 (default: %(default)s)",
    )
    add("--activation", choices=ACTIVATIONS, help="activation of mlp's hidden layers (default: %(default)s)")
    add("--cost", choices=COSTS, help="quadratic with sigmoid outputs, or cross-entropy with softmax (default: %(default)s)")
    add("--layers", choices=["manualgrad", "torch"], default="manualgrad", help="library of the layers (default: %(default)s)")
    add("--dataset", choices=list(DATASETS), default="mnist", help="data set (default: %(default)s)")
    add(
        "--data-dir",
        type=folder_name,
        metavar="DIR",
        help="folder with MNIST/raw/, FashionMNIST/raw/, ..., or where to download them",
    )
    add("--validation", type=positive_int, metavar="N", help="hold out the last N training images and test on them instead")
    add("--seed", type=seed, default=0, metavar="N", help="random seed (default: %(default)s)")

    add = parser.add_argument_group("training").add_argument
    add("--epochs", type=positive_int, metavar="N", help="passes over the training images (default: %(default)s)")
    add("--batch-size", type=positive_int, metavar="N", help="examples per mini-batch (default: %(default)s)")
    add("--optimizer", choices=OPTIMIZERS, help="momentum is SGD with momentum 0.9 (default: %(default)s)")
    add(
        "--lr",
        type=positive,
        metavar="X",
        help="initial learning rate (default: chosen for the network, cost, batch size and optimizer, and printed)",
    )
    add("--schedule", choices=list(SCHEDULES), help="learning rate schedule over the epochs (default: %(default)s)")
    add(
        "--weight-decay",
        type=not_negative,
        default=0.0,
        metavar="X",
        help="the optimizer's weight decay (default: %(default)s)",
    )
    add("--clip-grad-norm", type=positive, metavar="X", help="scale longer gradients down to this norm")
    add(
        "--distort",
        type=not_negative,
        default=0.0,
        metavar="X",
        help="strength of the random distortion of training images, e.g. 1 (default: %(default)s)",
    )
    add(
        "--engine",
        choices=["autograd", "backprop"],
        default="autograd",
        help="autograd: autograd and torch.optim; backprop: manualgrad.sgd_step, without autograd (default: %(default)s)",
    )

    add = parser.add_argument_group("device").add_argument
    add("--device", type=device, default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: %(default)s)")
    add("--threads", type=threads, metavar="N", help="CPU threads (default: the number of cores)")
    add("--amp", choices=list(AMP), help="automatic mixed precision")
    add("--compile", action="store_true", help="compile the network with torch.compile, which takes a while at the start")
    add("--fused", action="store_true", help="compile each hand-written formula into a kernel, once on a machine")

    add = parser.add_argument_group("output").add_argument
    add("--out", type=folder_name, metavar="DIR", help="folder for the results (default: runs/<time>-<dataset>-<layers>)")
    add(
        "--resume",
        type=folder_name,
        metavar="DIR",
        help="resume the run in this folder with its settings; a larger --epochs trains it further",
    )
    add(
        "--save-every",
        type=every,
        default=30.0,
        metavar="N",
        help="save a checkpoint every N epochs, such as 1, or seconds, such as 30s (default: 30s)",
    )
    add("--tensorboard", action="store_true", help="also write logs for TensorBoard")
    add(
        "--compare",
        action="store_true",
        help="train with manualgrad's layers and with torch.nn's, side by side",
    )
    add("--quiet", action="store_true", help="print only warnings and errors")
    return parser


def _recipe(parser: _Parser, file: Path) -> tuple[argparse.Namespace, list[str]]:
    """Return the options with a recipe's settings, and the names of the options that it sets."""
    parser.source = f"{file}: "
    try:
        recipe = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        parser.error(f"cannot read the recipe ({error.strerror})")
    except ValueError as error:
        parser.error(f"invalid TOML ({error})")
    line: list[str] = []
    for name, value in recipe.items():
        values = value if isinstance(value, list) else [] if value is True else [value]
        line += [f"--{name}", *map(str, values)]
    options = parser.parse_args(line)
    parser.source = ""
    return options, [name.replace("-", "_") for name in recipe]


def _checkpoint(parser: _Parser, asked: argparse.Namespace, processes: Processes) -> Checkpoint | None:
    """Load the checkpoint of --resume, or of --out if torchrun has restarted the processes; None for a new run."""
    if asked.resume and asked.out:
        parser.error("--out cannot be combined with --resume: a resumed run stays in its folder")
    if restarts_allowed() and not asked.resume and not asked.out:
        parser.error("--out is required with torchrun's --max-restarts, so that a restarted process finds the checkpoint")
    if restarts_allowed() and shares_stale_store():
        parser.error(
            "torchrun's --max-restarts on several machines needs TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1 in its environment "
            "(pytorch issue 135712)"
        )
    folder = asked.resume
    if restarts() and asked.out and processes.ask_first(lambda: has_checkpoint(asked.out)):
        folder = asked.out
    if folder is None:
        return None
    try:
        return processes.ask_first(lambda: load_checkpoint(folder))
    except RunError as error:
        parser.error(f"--resume: {error}")


def _check_lenet5(parser: _Parser, arguments: Sequence[str], recipe: Sequence[str], file: Path) -> None:
    """Exit if the command line, or the recipe in this file that sets these options, sets an option of mlp's layers."""
    typed = parser.parse_args(arguments, argparse.Namespace(**dict.fromkeys(_OF_MLP)))
    for name in _OF_MLP:
        is_typed = getattr(typed, name) is not None
        if name in recipe and not is_typed:
            parser.source = f"{file}: "
        if name in recipe or is_typed:
            parser.error(f"--{name} requires --network mlp: the layers of lenet5 are fixed")


def _resumed(parser: _Parser, arguments: Sequence[str], checkpoint: Checkpoint) -> argparse.Namespace:
    """Return the run's settings; the command line may repeat the fixed ones and change the others."""
    was = {"fused": False, **checkpoint.config}  # version 0.2.0 had no --fused
    chosen = argparse.Namespace(**{name: was[name] for name in (*_FIXED, *_FREE)}, lr_is_chosen_for="")
    chosen.data_dir = Path(chosen.data_dir) if chosen.data_dir else None
    try:
        chosen.device = device(chosen.device)
    except ArgumentTypeError as error:
        parser.error(f"--resume: {error}")
    chosen = parser.parse_args(arguments, chosen)
    if was["network"] == chosen.network == "lenet5":
        _check_lenet5(parser, arguments, (), checkpoint.folder)
    now = config(chosen)
    for name in _FIXED:
        if now[name] != was[name]:
            option = "--" + name.replace("_", "-")
            parser.error(f"{option} cannot change on resume: the run in {checkpoint.folder} has {was[name]}")
    begun = len(checkpoint.training["results"]) + (checkpoint.training["step"] > 0)
    if chosen.epochs < begun:
        parser.error(f"--epochs is too small: the run in {checkpoint.folder} is already in epoch {begun}, got {chosen.epochs}")
    return chosen


def _check(parser: _Parser, chosen: argparse.Namespace, processes: Processes) -> None:
    """Exit if two options exclude each other."""
    without_autograd = {
        "--compile": chosen.compile,
        "--amp": chosen.amp,
        f"--optimizer {chosen.optimizer}": chosen.optimizer != "sgd",
        "--weight-decay": chosen.weight_decay,
        "--clip-grad-norm": chosen.clip_grad_norm,
        "--layers torch": chosen.layers == "torch",
        "--compare": chosen.compare,
        "torchrun": processes.size > 1,
    }
    not_compared = {
        "--resume": chosen.resume,
        "--layers torch": chosen.layers == "torch",
        "--tensorboard": chosen.tensorboard,
        "torchrun": processes.size > 1,
    }
    without_fused = {"--compile": chosen.compile, "--layers torch": chosen.layers == "torch"}
    for option, given in without_fused.items():
        if chosen.fused and given:
            parser.error(f"--fused cannot be combined with {option}: it compiles manualgrad's layers, one formula at a time")
    if chosen.engine == "backprop" and chosen.network != "mlp":
        parser.error("--engine backprop requires --network mlp: it supports only Linear, sigmoid, ReLU and tanh layers")
    for option, given in without_autograd.items():
        if chosen.engine == "backprop" and given:
            parser.error(f"{option} requires --engine autograd: backprop takes plain SGD steps in float32, in one process")
    for option, given in not_compared.items():
        if chosen.compare and given:
            parser.error(f"{option} cannot be combined with --compare, which trains two new networks in one process")
    if processes.size > 1 and chosen.device.index is not None:
        parser.error(f"--device {chosen.device}: torchrun gives each process its own device; use --device cuda")
    if chosen.device.type == "cuda" and local_processes() > torch.cuda.device_count():
        parser.error(
            f"--device {chosen.device}: torchrun started {local_processes()} processes on this machine, "
            f"which has {torch.cuda.device_count()} cuda device(s); use --device cpu, or start fewer processes"
        )

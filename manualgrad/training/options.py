"""The options of train.py: the command line over a recipe over recipes/notes.toml; or over the run that it resumes."""

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

_THREADS = 1024  # more than a machine has cores end in an error of the operating system's
RECIPES = Path(__file__).parent / "recipes"

# What a run is made of, which --resume leaves as it was, and what may change from one part of it to the next.
_FIXED = (
    *("recipe", "network", "hidden", "activation", "cost", "layers", "engine", "batch_size", "lr", "optimizer", "schedule"),
    *("weight_decay", "clip_grad_norm", "distort", "amp", "compile", "threads", "seed", "device", "dataset", "validation"),
)
_OF_MLP = ("hidden", "activation")  # which another network has not
_FREE = ("epochs", "save_every", "tensorboard", "data_dir")


class _Parser(argparse.ArgumentParser):
    source = ""  # where what is being parsed comes from, if not from the command line

    def error(self, message: str) -> NoReturn:
        if local_rank() == 0:
            print(f"{self.prog}: {self.source}{message}", file=sys.stderr)
        self.exit(2)


def positive_int(text: str) -> int:
    if not text.isdecimal() or not text.strip("0"):
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    if len(text) > 19 or int(text) >= 2**63:
        raise ArgumentTypeError(f"{text!r} is not a whole number below 2^63")
    return int(text)


def threads(text: str) -> int:
    if positive_int(text) > _THREADS:
        raise ArgumentTypeError(f"{text!r} is more than {_THREADS} threads")
    return int(text)


def hidden_size(text: str) -> int:
    if re.fullmatch(r"[\[(]?\s*\d+(\s*[\s,;x×-]\s*\d*)+[\])]?", text):  # 16,16 or [16, 16] or 16x16
        example = " ".join(re.findall(r"\d+", text))
        raise ArgumentTypeError(f"{text!r} is not a whole number; separate the sizes with a space: use --hidden {example}")
    return positive_int(text)


def seed(text: str) -> int:
    if not text.isdecimal() or len(text) > 19 or int(text) >= 2**63:
        raise ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2^63 - 1")
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def positive(text: str) -> float:
    if not 0 < _number(text) < math.inf:
        raise ArgumentTypeError(f"{text!r} is not a number above 0")
    return float(text)


def not_negative(text: str) -> float:
    if not 0 <= _number(text) < math.inf:
        raise ArgumentTypeError(f"{text!r} is not a number of 0 or more")
    return float(text)


def every(text: str) -> int | float:
    """Epochs as an int, seconds as a float."""
    seconds = text.endswith("s")
    number = _number(text[:-1]) if seconds else text
    if seconds and isinstance(number, float) and 0 < number < math.inf:
        return number
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ArgumentTypeError(f"{text!r} is neither a number of epochs, such as 1, nor one of seconds, such as 30s")


def folder_name(text: str) -> Path:
    if not text:
        raise ArgumentTypeError("a folder is wanted, and this is no name of one: ''")
    return Path(text)


def device(text: str) -> torch.device:
    """auto, cpu, cuda, cuda:N or mps, as far as this machine has it."""
    if text == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.mps.is_available() else "cpu")
    kind, _, number = text.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (":" in text and (kind != "cuda" or not number.isdecimal())):
        raise ArgumentTypeError(f"{text!r} is none of auto, cpu, cuda, cuda:N (N = 0, 1, ...) and mps")
    here = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.mps.is_available())}[kind]
    if int(number or 0) >= here:
        raise ArgumentTypeError(f"{text!r} is not on this machine, which has {here or 'no'} {kind} device")
    return torch.device(text)


def options(
    arguments: Sequence[str], documentation: str, processes: Processes, recipes: Path = RECIPES
) -> tuple[argparse.Namespace, Checkpoint | None]:
    """What was asked for, and the checkpoint to resume from, where there is one; exits with 2 where it cannot be done.

    Args:
        arguments: the command line.
        documentation: the text around the list of options.
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
    """What a run keeps of the options: what it is made of, as JSON has it."""
    simple = {name: getattr(chosen, name) for name in (*_FIXED, *_FREE)}
    return {name: str(value) if isinstance(value, torch.device | Path) else value for name, value in simple.items()}


def _parser(documentation: str, recipes: Sequence[str]) -> _Parser:
    description, _, rest = documentation.partition("\n\n")
    parser = _Parser(prog=program(), description=description, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)

    add = parser.add_argument_group("what is trained").add_argument
    add("--recipe", choices=recipes, default="notes", help="the settings of recipes/NAME.toml (%(default)s)")
    add(
        "--network",
        choices=NETWORKS,
        default="mlp",
        help="mlp: layers of neurons, each joined to all before it; lenet5: LeCun's convolutional network (%(default)s)",
    )
    add("--hidden", type=hidden_size, nargs="*", metavar="N", help="of mlp: sizes of the hidden layers %(default)s")
    add("--activation", choices=ACTIVATIONS, help="of mlp: that of the hidden layers (%(default)s)")
    add("--cost", choices=COSTS, help="quadratic: of sigmoid outputs; cross-entropy: of the outputs' softmax (%(default)s)")
    add("--layers", choices=["manualgrad", "torch"], default="manualgrad", help="whose layers (%(default)s)")
    add("--dataset", choices=list(DATASETS), default="mnist", help="the images (%(default)s)")
    add("--data-dir", type=folder_name, metavar="DIR", help="where torchvision's folders MNIST/raw/, ... lie or are to be put")
    add("--validation", type=positive_int, metavar="N", help="hold out the last N training images, and test on them instead")
    add("--seed", type=seed, default=0, metavar="N", help="of all that is random (%(default)s)")

    add = parser.add_argument_group("how").add_argument
    add("--epochs", type=positive_int, metavar="N", help="passes over the training images (%(default)s)")
    add("--batch-size", type=positive_int, metavar="N", help="examples in a mini-batch (%(default)s)")
    add("--optimizer", choices=OPTIMIZERS, help="momentum is 0.9 (%(default)s)")
    add(
        "--lr",
        type=positive,
        metavar="X",
        help="learning rate at the start (chosen for the network, the batch size and the optimizer, and printed)",
    )
    add("--schedule", choices=list(SCHEDULES), help="of the learning rate, from epoch to epoch (%(default)s)")
    add("--weight-decay", type=not_negative, default=0.0, metavar="X", help="as the optimizer understands it (%(default)s)")
    add("--clip-grad-norm", type=positive, metavar="X", help="scale a longer gradient down to this norm")
    add(
        "--distort",
        type=not_negative,
        default=0.0,
        metavar="X",
        help="how much training images are turned, bent, ... (%(default)s)",
    )
    add(
        "--engine",
        choices=["autograd", "backprop"],
        default="autograd",
        help="what a step is: autograd through the layers and torch.optim, or manualgrad.sgd_step (%(default)s)",
    )

    add = parser.add_argument_group("on what").add_argument
    add("--device", type=device, default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps (%(default)s)")
    add("--threads", type=threads, metavar="N", help="on the CPU (as many as it has cores)")
    add("--amp", choices=list(AMP), help="automatic mixed precision")
    add("--compile", action="store_true", help="torch.compile the network, which takes a while at the start")

    add = parser.add_argument_group("what comes of it").add_argument
    add("--out", type=folder_name, metavar="DIR", help="folder for the results (runs/<time>-<dataset>-<layers>)")
    add(
        "--resume",
        type=folder_name,
        metavar="DIR",
        help="resume the run in this folder, with its settings; more --epochs train it further",
    )
    add(
        "--save-every",
        type=every,
        default=30.0,
        metavar="N",
        help="a checkpoint every N epochs, or every so many seconds: 1, 30s (30s)",
    )
    add("--tensorboard", action="store_true", help="write logs for TensorBoard, too")
    add(
        "--compare",
        action="store_true",
        help="train with manualgrad's layers and with torch.nn's, side by side",
    )
    add("--quiet", action="store_true", help="print nothing but what went wrong")
    return parser


def _recipe(parser: _Parser, file: Path) -> tuple[argparse.Namespace, list[str]]:
    """The options as a recipe has them, and the names of those that it names."""
    parser.source = f"{file}: "
    try:
        recipe = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        parser.error(f"it cannot be read ({error.strerror})")
    except ValueError as error:
        parser.error(f"this is no TOML ({error})")
    line: list[str] = []
    for name, value in recipe.items():
        values = value if isinstance(value, list) else [] if value is True else [value]
        line += [f"--{name}", *map(str, values)]
    options = parser.parse_args(line)
    parser.source = ""
    return options, [name.replace("-", "_") for name in recipe]


def _checkpoint(parser: _Parser, asked: argparse.Namespace, processes: Processes) -> Checkpoint | None:
    """That of --resume, or, where torchrun has started the processes anew, that of --out."""
    if asked.resume and asked.out:
        parser.error("--out is for a new run: one that is resumed stays in its folder")
    if restarts_allowed() and not asked.resume and not asked.out:
        parser.error("--out is needed with torchrun's --max-restarts: there a process started anew finds the checkpoint")
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
    """That neither the command line nor the recipe in this file, which names these options, asks for layers of other sizes."""
    typed = parser.parse_args(arguments, argparse.Namespace(**dict.fromkeys(_OF_MLP)))
    for name in _OF_MLP:
        is_typed = getattr(typed, name) is not None
        if name in recipe and not is_typed:
            parser.source = f"{file}: "
        if name in recipe or is_typed:
            parser.error(f"--{name} is for --network mlp: the layers of lenet5 are those of its paper")


def _resumed(parser: _Parser, arguments: Sequence[str], checkpoint: Checkpoint) -> argparse.Namespace:
    """The run's settings; the command line may repeat them, and change those that are free."""
    was = checkpoint.config
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
            parser.error(f"{option}: the run in {checkpoint.folder} has {was[name]}, and is resumed as it began")
    begun = len(checkpoint.training["results"]) + (checkpoint.training["step"] > 0)
    if chosen.epochs < begun:
        parser.error(f"--epochs: the run in {checkpoint.folder} is in epoch {begun} already, and {chosen.epochs} are too few")
    return chosen


def _check(parser: _Parser, chosen: argparse.Namespace, processes: Processes) -> None:
    """That the options go together."""
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
    if chosen.engine == "backprop" and chosen.network != "mlp":
        parser.error("--engine backprop is for --network mlp: it goes back through Linear, sigmoid, ReLU and tanh layers alone")
    for option, given in without_autograd.items():
        if chosen.engine == "backprop" and given:
            parser.error(f"{option} is for --engine autograd: backprop takes plain steps in float32, in one process")
    for option, given in not_compared.items():
        if chosen.compare and given:
            parser.error(f"{option} does not go with --compare, which trains two networks from the start, in one process")
    if processes.size > 1 and chosen.device.index is not None:
        parser.error(f"--device {chosen.device}: under torchrun each process takes a device of its own; say --device cuda")
    if chosen.device.type == "cuda" and local_processes() > torch.cuda.device_count():
        parser.error(
            f"--device {chosen.device}: torchrun started {local_processes()} processes on this machine, "
            f"which has {torch.cuda.device_count()} cuda devices; say --device cpu, or start fewer"
        )

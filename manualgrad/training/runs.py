"""The folder of a training run: what was asked for, what came of it epoch by epoch, and the trained network.

====================== ================================================================================
config.json            the settings, the seed and the versions
metrics.jsonl          a line an epoch: epoch, cost, accuracy, seconds, lr, training_accuracy, test_cost
checkpoint.pt          all that the rest of the training depends on; checkpoint.previous.pt is the one before
model.pt               the state_dict, on the CPU, with the keys of the Sequential: "0.weight", "0.bias", "2.weight", ...
curve.png              cost and accuracy by epoch
confusion.png          which digit the test images of each digit are taken for
worst.png              the test images whose cost is highest
kernels.png            of lenet5: what one image wants of its six first kernels
tensorboard/           the logs for TensorBoard, where they were asked for
====================== ================================================================================

Each but the logs is replaced as a whole: who reads one finds the old or the new, also where the writer was killed.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import manualgrad
from manualgrad.training import files
from manualgrad.training.costs import COSTS
from manualgrad.training.data import DATASETS
from manualgrad.training.lenet5 import SIZES
from manualgrad.training.loop import EpochResult, Training
from manualgrad.training.network import ACTIVATIONS, NETWORKS, make, name_of
from manualgrad.training.program import typed

__all__ = ["Checkpoint", "Run", "RunError", "default_folder", "has_checkpoint", "load_checkpoint", "load_network", "run_name"]

_MODEL, _CHECKPOINT, _PREVIOUS = "model.pt", "checkpoint.pt", "checkpoint.previous.pt"
_FORMAT = "manualgrad checkpoint 1"
_ONCE_ALONE = {"network": "mlp", "cost": "quadratic"}  # what an older version, which had no other, left out of its settings


class RunError(Exception):
    """A run cannot be read; the message is one sentence for the user."""


def default_folder(dataset: str, layers: str) -> Path:
    """runs/<time>-<dataset>-<layers>, without a colon, which file names on Windows cannot have.

    Args:
        layers: as `name_of` has them: "784-16-16-10".
    """
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{now}-{dataset}-{layers}"


def run_name(path: Path) -> str:
    """What pictures and tables call a run: the name of its folder, given that, or a file in it."""
    whole = path.resolve()
    return files.printable((whole if whole.is_dir() else whole.parent).name)


def has_checkpoint(folder: Path) -> bool:
    return (folder / _CHECKPOINT).exists()


def _versions() -> dict[str, str]:
    return {"manualgrad": manualgrad.__version__, "torch": str(torch.__version__), "python": platform.python_version()}


class Run:
    """A run's folder. Every method raises OSError where a file cannot be written, and leaves the one that was there.

    Args:
        config: the settings, of which `load_network` needs "network", "sizes", "activation", "cost" and "dataset".
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder, self.config = folder, dict(config)

    def start(self, training: Training) -> None:
        """Make the folder for a new run, whose first checkpoint is the untrained network.

        Raises:
            FileExistsError: when the folder already holds a run.
        """
        if has_checkpoint(self.folder) or (self.folder / "config.json").exists():
            raise FileExistsError(f"{self.folder} already holds a run")
        self.resume(training)

    def resume(self, training: Training) -> None:
        """Bring all files to where the training is."""
        for name in (_CHECKPOINT, _PREVIOUS, "config.json", "metrics.jsonl", "model.pt"):
            files.remove_parts(self.folder / name)
        self.save_checkpoint(training)
        self._write("config.json", json.dumps({**self.config, "versions": _versions()}, indent=2) + "\n")
        self.save_metrics(training.results)

    def save_metrics(self, results: Sequence[EpochResult]) -> None:
        """metrics.jsonl, with null for a number that is not finite, as JSON has no name for it."""
        numbers = [dataclasses.asdict(result).items() for result in results]
        lines = [json.dumps({key: value if math.isfinite(value) else None for key, value in some}) for some in numbers]
        self._write("metrics.jsonl", "".join(f"{line}\n" for line in lines))

    def save_checkpoint(self, training: Training) -> None:
        """checkpoint.pt; the one that was there becomes checkpoint.previous.pt."""
        state = {"format": _FORMAT, "config": self.config, "versions": _versions(), "training": training.state_dict()}
        files.save(self.folder / _CHECKPOINT, state, previous=self.folder / _PREVIOUS)

    def save_model(self, model: torch.nn.Module) -> None:
        """model.pt."""
        files.save(self.folder / "model.pt", {name: tensor.cpu() for name, tensor in model.state_dict().items()})

    def _write(self, name: str, content: str) -> None:
        files.write(self.folder / name, content.encode())


@dataclass(frozen=True)
class Checkpoint:
    """A training as it was at some moment.

    Attributes:
        folder: the run's.
        config: its settings; "network" is "mlp" and "cost" "quadratic" where an older version, which had no other, left it out.
        torch_version: with which it was written.
        training: the state for `Training.load_state_dict`.
    """

    folder: Path
    config: dict[str, Any]
    torch_version: str
    training: dict[str, Any]


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: the run's folder, or a checkpoint in it.

    Raises:
        RunError: when there is none, or it is damaged; the message names the previous one, where that is whole.
    """
    file = path / _CHECKPOINT if os.path.isdir(path) else path
    state = _load(file, lambda: _offer_folder(file) or _offer_previous(file))
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        advice = _offer_folder(file) or _offer_previous(file)
        raise RunError(f"{file} is not a checkpoint that this version of train.py wrote{advice}.")
    return Checkpoint(file.parent, {**_ONCE_ALONE, **state["config"]}, state["versions"]["torch"], state["training"])


def _load(file: Path, advice: Callable[[], str] = str) -> Any:
    """What torch.save wrote; where that cannot be had, a RunError that ends with the advice."""
    try:
        return files.load(file)
    except OSError as error:
        raise RunError(f"{file} cannot be read ({error.strerror}){advice()}.") from error
    except ValueError as error:
        raise RunError(f"{error}{advice()}.") from error


def _offer_folder(file: Path) -> str:
    """What to say instead of another file in a run's folder."""
    if file.name in (_CHECKPOINT, _PREVIOUS) or not has_checkpoint(file.parent):
        return ""
    return f"; its run is resumed by the folder: --resume {typed(file.parent)}"


def _offer_previous(file: Path) -> str:
    previous = file.with_name(_PREVIOUS)
    if file == previous or not previous.exists():
        return ""
    try:
        training = load_checkpoint(previous).training
    except RunError:
        return ""
    where = f"epoch {len(training['results']) + 1}, step {training['step']}"
    return f"; the one before it is whole, from {where}: --resume {typed(previous)}"


def load_network(checkpoint: Path) -> tuple[torch.nn.Sequential, dict[str, Any]]:
    """The trained network of a run, on the CPU, and the run's config.json, with what an older version left out of it.

    Args:
        checkpoint: the run's folder; or its model.pt, beside which config.json lies; or its checkpoint.pt, which holds
            both, and is taken where the folder has no model.pt, as that of a training under way.

    Raises:
        RunError: when one of the two is missing or damaged, or when they do not belong together.
    """
    if not os.path.exists(checkpoint):  # which a name too long for the file system does not stop, as it does Path.exists
        raise RunError(f"{checkpoint} does not exist.")
    weights = _weights(checkpoint) if checkpoint.is_dir() else checkpoint
    state = _load(weights, lambda: _offer_run(weights))
    if isinstance(state, dict) and state.get("format") == _FORMAT:
        config, state = _checked(state["config"], weights), state["training"]["model"]
    else:
        config = _read_config(weights.with_name("config.json"))
    with torch.device("meta"):  # no memory yet, whatever sizes a damaged file asks for
        network = make(config["network"], config["sizes"], config["activation"], cost=config["cost"])
    wanted = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: list(getattr(tensor, "shape", [])) for name, tensor in state.items()} if isinstance(state, dict) else None
    if found != wanted:
        layers = name_of(config["network"], config["sizes"])
        raise RunError(f"{weights} does not hold the parameters of a network {layers}, as config.json beside it says.")
    network.load_state_dict(state, assign=True)
    return network.float(), config


def _weights(folder: Path) -> Path:
    """The file that has a run's network: model.pt, or, until the training has written it, checkpoint.pt."""
    model, checkpoint = folder / _MODEL, folder / _CHECKPOINT
    if checkpoint.exists() and not model.exists():
        return checkpoint
    if model.exists() or (folder / "config.json").exists():
        return model
    runs = sorted(path.parent for path in folder.glob(f"*/{_MODEL}"))
    latest = f"; the last of the runs in it is {runs[-1]}" if runs else ""
    raise RunError(f"{folder} is not a run's folder: it has no {_MODEL}{latest}.")


def _offer_run(file: Path) -> str:
    """What to say instead of another file in a run's folder."""
    if file.name in (_MODEL, _CHECKPOINT, _PREVIOUS) or not (file.parent / _MODEL).exists():
        return ""
    return f"; the network of its run is had by the folder: --checkpoint {typed(file.parent)}"


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}, with the network's sizes, cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise RunError(f"{path} is damaged: it is no JSON ({error}).") from error
    return _checked(config, path)


def _checked(config: Any, path: Path) -> dict[str, Any]:
    """The settings that this file has, with those that an older version left out.

    Raises:
        RunError: when they are not those of a network.
    """
    config = {**_ONCE_ALONE, **config} if isinstance(config, dict) else dict(_ONCE_ALONE)
    network, sizes, activation = (config.get(name) for name in ("network", "sizes", "activation"))
    if network not in NETWORKS:
        raise RunError(f"{path} is damaged: its network is {network!r}.")
    if not isinstance(sizes, list) or len(sizes) < 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise RunError(f"{path} is damaged: its sizes are {sizes!r}.")
    if network == "lenet5" and sizes != SIZES:
        raise RunError(f"{path} is damaged: its sizes are {sizes!r}, and lenet5's {SIZES!r}.")
    if config["cost"] not in COSTS:
        raise RunError(f"{path} is damaged: its cost is {config['cost']!r}.")
    if network == "mlp" and activation not in ACTIVATIONS:
        raise RunError(f"{path} is damaged: its activation is {activation!r}.")
    if config.get("dataset") not in DATASETS:
        raise RunError(f"{path} is damaged: its dataset is {config.get('dataset')!r}.")
    return config

"""The folder of a training run: its settings, its results for each epoch, and the trained network.

====================== ================================================================================
config.json            the settings, the seed and the versions
metrics.jsonl          one line per epoch: epoch, cost, accuracy, seconds, lr, training_accuracy, test_cost
checkpoint.pt          the complete state of the training; checkpoint.previous.pt is the one before
model.pt               the state_dict, on the CPU, with the keys of the Sequential: "0.weight", "0.bias", "2.weight", ...
curve.png              cost and accuracy by epoch
confusion.png          the confusion matrix of the test images
worst.png              the test images with the highest cost
kernels.png            for lenet5: the nudges that one image wants for the first six kernels
tensorboard/           the logs for TensorBoard, with --tensorboard
====================== ================================================================================

Every file except the logs is replaced atomically: a reader finds the old or the new version, even if the writer was killed.
"""

from __future__ import annotations

import dataclasses
import datetime
import errno
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
_ONCE_ALONE = {"network": "mlp", "cost": "quadratic"}  # the only choices of older versions, missing in their settings


class RunError(Exception):
    """A run cannot be read; the message is one sentence for the user."""


def default_folder(dataset: str, layers: str) -> Path:
    """Return runs/<time>-<dataset>-<layers>, without colons, which Windows forbids in file names.

    Args:
        layers: the network's name by `name_of`: "784-16-16-10".
    """
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{now}-{dataset}-{layers}"


def run_name(path: Path) -> str:
    """Return the name of a run for pictures and tables: that of its folder, given the folder or a file in it."""
    whole = path.resolve()
    return files.printable((whole if whole.is_dir() else whole.parent).name)


def has_checkpoint(folder: Path) -> bool:
    return (folder / _CHECKPOINT).exists()


def _versions() -> dict[str, str]:
    return {"manualgrad": manualgrad.__version__, "torch": str(torch.__version__), "python": platform.python_version()}


class Run:
    """A run's folder. Every method raises OSError if a file cannot be written, and then keeps the existing file.

    Args:
        config: the settings; `load_network` needs "network", "sizes", "activation", "cost" and "dataset".
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self.folder, self.config = folder, dict(config)

    def start(self, training: Training) -> None:
        """Create the folder of a new run, with the untrained network as the first checkpoint.

        Raises:
            FileExistsError: when the folder already holds a run.
            NotADirectoryError: when it is a file.
        """
        if self.folder.is_file():
            raise NotADirectoryError(errno.ENOTDIR, "it is a file", str(self.folder))
        if has_checkpoint(self.folder) or (self.folder / "config.json").exists():
            raise FileExistsError(f"{self.folder} already holds a run")
        self.resume(training)

    def resume(self, training: Training) -> None:
        """Write all files for the current state of the training."""
        for name in (_CHECKPOINT, _PREVIOUS, "config.json", "metrics.jsonl", "model.pt"):
            files.remove_parts(self.folder / name)
        self.save_checkpoint(training)
        self._write("config.json", json.dumps({**self.config, "versions": _versions()}, indent=2) + "\n")
        self.save_metrics(training.results)

    def save_metrics(self, results: Sequence[EpochResult]) -> None:
        """Write metrics.jsonl, with null for numbers that are not finite, which JSON lacks."""
        numbers = [dataclasses.asdict(result).items() for result in results]
        lines = [json.dumps({key: value if math.isfinite(value) else None for key, value in some}) for some in numbers]
        self._write("metrics.jsonl", "".join(f"{line}\n" for line in lines))

    def save_checkpoint(self, training: Training) -> None:
        """Write checkpoint.pt; the existing one becomes checkpoint.previous.pt."""
        state = {"format": _FORMAT, "config": self.config, "versions": _versions(), "training": training.state_dict()}
        files.save(self.folder / _CHECKPOINT, state, previous=self.folder / _PREVIOUS)

    def save_model(self, model: torch.nn.Module) -> None:
        """Write model.pt."""
        files.save(self.folder / "model.pt", {name: tensor.cpu() for name, tensor in model.state_dict().items()})

    def _write(self, name: str, content: str) -> None:
        files.write(self.folder / name, content.encode())


@dataclass(frozen=True)
class Checkpoint:
    """A saved state of a training.

    Attributes:
        folder: the run's folder.
        config: its settings; "network" is "mlp" and "cost" is "quadratic" if an older version left them out.
        torch_version: the version of torch that wrote it.
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
        RunError: when it is missing or damaged; the message names the previous checkpoint if that is intact.
    """
    file = path / _CHECKPOINT if os.path.isdir(path) else path
    state = _load(file, lambda: _offer_folder(file) or _offer_previous(file))
    if not isinstance(state, dict) or state.get("format") != _FORMAT:
        advice = _offer_folder(file) or _offer_previous(file)
        raise RunError(f"{file} is not a checkpoint that this version can read{advice}.")
    return Checkpoint(file.parent, {**_ONCE_ALONE, **state["config"]}, state["versions"]["torch"], state["training"])


def _load(file: Path, advice: Callable[[], str] = str) -> Any:
    """Load a file of torch.save, or raise a RunError that ends with the advice."""
    try:
        return files.load(file)
    except OSError as error:
        raise RunError(f"{file} cannot be read ({error.strerror}){advice()}.") from error
    except ValueError as error:
        raise RunError(f"{error}{advice()}.") from error


def _offer_folder(file: Path) -> str:
    """Return the advice to pass the run's folder, if `file` is another file in it."""
    if file.name in (_CHECKPOINT, _PREVIOUS) or not has_checkpoint(file.parent):
        return ""
    return f"; to resume its run, pass the folder: --resume {typed(file.parent)}"


def _offer_previous(file: Path) -> str:
    previous = file.with_name(_PREVIOUS)
    if file == previous or not previous.exists():
        return ""
    try:
        training = load_checkpoint(previous).training
    except RunError:
        return ""
    where = f"epoch {len(training['results']) + 1}, step {training['step']}"
    return f"; the previous checkpoint, from {where}, is intact: --resume {typed(previous)}"


def load_network(checkpoint: Path) -> tuple[torch.nn.Sequential, dict[str, Any]]:
    """Load the trained network of a run, on the CPU, and the run's settings, completed if an older version wrote them.

    Args:
        checkpoint: the run's folder; or its model.pt, with config.json beside it; or its checkpoint.pt, which contains both and
            is used if the folder has no model.pt, as during training.

    Raises:
        RunError: when a file is missing or damaged, or when the network does not match the settings.
    """
    if not os.path.exists(checkpoint):  # unlike Path.exists, does not raise when the name is too long
        raise RunError(f"--checkpoint: {checkpoint} does not exist.")
    weights = _weights(checkpoint) if checkpoint.is_dir() else checkpoint
    state = _load(weights, lambda: _offer_run(weights))
    if isinstance(state, dict) and state.get("format") == _FORMAT:
        config, state = _checked(state["config"], weights), state["training"]["model"]
    else:
        config = _read_config(weights.with_name("config.json"))
    with torch.device("meta"):  # allocates nothing, even for huge sizes in a damaged file
        network = make(config["network"], config["sizes"], config["activation"], cost=config["cost"])
    wanted = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: list(getattr(tensor, "shape", [])) for name, tensor in state.items()} if isinstance(state, dict) else None
    if found != wanted:
        layers = name_of(config["network"], config["sizes"])
        raise RunError(f"{weights} does not contain the parameters of {layers}, the network in config.json.")
    network.load_state_dict(state, assign=True)
    return network.float(), config


def _weights(folder: Path) -> Path:
    """Return the file with a run's network: model.pt, or checkpoint.pt until the training has written model.pt."""
    model, checkpoint = folder / _MODEL, folder / _CHECKPOINT
    if checkpoint.exists() and not model.exists():
        return checkpoint
    if model.exists() or (folder / "config.json").exists():
        return model
    runs = sorted(path.parent for path in folder.glob(f"*/{_MODEL}"))
    latest = f"; the latest run in it is {runs[-1]}" if runs else ""
    raise RunError(f"--checkpoint: {folder} is not a run's folder: it does not contain {_MODEL}{latest}.")


def _offer_run(file: Path) -> str:
    """Return the advice to pass the run's folder, if `file` is another file in it."""
    if file.name in (_MODEL, _CHECKPOINT, _PREVIOUS) or not (file.parent / _MODEL).exists():
        return ""
    return f"; to load the network of its run, pass the folder: --checkpoint {typed(file.parent)}"


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}, with the network's sizes, cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise RunError(f"{path} is damaged: invalid JSON ({error}).") from error
    return _checked(config, path)


def _checked(config: Any, path: Path) -> dict[str, Any]:
    """Return the settings in this file, completed with those that an older version left out.

    Raises:
        RunError: when they do not describe a network.
    """
    config = {**_ONCE_ALONE, **config} if isinstance(config, dict) else dict(_ONCE_ALONE)
    network, sizes, activation = (config.get(name) for name in ("network", "sizes", "activation"))
    if network not in NETWORKS:
        raise RunError(f"{path} is damaged: unknown network {network!r}.")
    if not isinstance(sizes, list) or len(sizes) < 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise RunError(f"{path} is damaged: sizes must be two or more positive integers, got {sizes!r}.")
    if network == "lenet5" and sizes != SIZES:
        raise RunError(f"{path} is damaged: its sizes are {sizes!r}, expected {SIZES!r} for lenet5.")
    if config["cost"] not in COSTS:
        raise RunError(f"{path} is damaged: unknown cost {config['cost']!r}.")
    if network == "mlp" and activation not in ACTIVATIONS:
        raise RunError(f"{path} is damaged: unknown activation {activation!r}.")
    if config.get("dataset") not in DATASETS:
        raise RunError(f"{path} is damaged: unknown dataset {config.get('dataset')!r}.")
    return config

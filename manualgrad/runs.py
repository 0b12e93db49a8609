"""The folder of a training run: what was asked for, what came of it epoch by epoch, and the trained network.

================= =====================================================================================
config.json       the settings, the seed and the versions
metrics.jsonl     a line an epoch: epoch, cost, accuracy, seconds, lr
model.pt          the state_dict, on the CPU, with the keys of the Sequential: "0.weight", "0.bias", "2.weight", ...
curve.png         cost and accuracy by epoch
================= =====================================================================================
"""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

import manualgrad
from manualgrad.data import DATASETS
from manualgrad.training import EpochResult, make_network

__all__ = ["Run", "RunError", "default_folder", "load_network"]


class RunError(Exception):
    """A run cannot be read; the message is one sentence for the user."""


def default_folder(dataset: str, sizes: Sequence[int]) -> Path:
    """runs/<time>-<dataset>-<layers>, without a colon, which file names on Windows cannot have."""
    now = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{now}-{dataset}-{'-'.join(map(str, sizes))}"


class Run:
    """A run's folder, made when the run starts.

    Raises:
        FileExistsError: when the folder already holds a run.
        OSError: when the folder cannot be made or written to.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "config.json").exists():
            raise FileExistsError(f"{folder} already holds a run")
        self.folder = folder
        versions = {
            "manualgrad": manualgrad.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
        self._write("config.json", json.dumps({**config, "versions": versions}, indent=2) + "\n")
        self._write("metrics.jsonl", "")

    def add(self, result: EpochResult) -> None:
        """A line in metrics.jsonl, with null for a number that is not finite, as JSON has no name for it."""
        numbers = dataclasses.asdict(result).items()
        line = json.dumps({key: value if math.isfinite(value) else None for key, value in numbers})
        with open(self.folder / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def save(self, model: torch.nn.Module) -> None:
        """model.pt, whole or not at all."""
        temporary = self.folder / "model.pt.part"
        torch.save({name: tensor.cpu() for name, tensor in model.state_dict().items()}, temporary)
        os.replace(temporary, self.folder / "model.pt")

    def _write(self, name: str, content: str) -> None:
        (self.folder / name).write_text(content, encoding="utf-8")


def load_network(checkpoint: Path) -> tuple[torch.nn.Sequential, dict[str, Any]]:
    """The trained network of a run, on the CPU, and the run's config.json.

    Args:
        checkpoint: the run's folder, or its model.pt, beside which config.json lies.

    Raises:
        RunError: when one of the two is missing or damaged, or when they do not belong together.
    """
    if not checkpoint.exists():
        raise RunError(f"{checkpoint} does not exist.")
    weights = checkpoint / "model.pt" if checkpoint.is_dir() else checkpoint
    config = _read_config(weights.with_name("config.json"))
    with torch.device("meta"):  # no memory yet, whatever sizes a damaged file asks for
        network = make_network(config["sizes"], config["activation"])
    try:
        content = weights.read_bytes()
    except OSError as error:
        raise RunError(f"{weights} cannot be read ({error.strerror}).") from error
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load and pickle raise whatever the bytes lead them to
        raise RunError(f"{weights} is damaged, or was not written by torch.save.") from error
    wanted = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: list(getattr(tensor, "shape", [])) for name, tensor in state.items()} if isinstance(state, dict) else None
    if found != wanted:
        layers = "-".join(map(str, config["sizes"]))
        raise RunError(f"{weights} does not hold the parameters of a network {layers}, as config.json beside it says.")
    network.load_state_dict(state, assign=True)
    return network.float(), config


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path}, with the network's sizes, cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise RunError(f"{path} is damaged: it is no JSON ({error}).") from error
    sizes, activation = (config.get("sizes"), config.get("activation")) if isinstance(config, dict) else (None, None)
    if not isinstance(sizes, list) or len(sizes) < 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise RunError(f"{path} is damaged: its sizes are {sizes!r}.")
    if activation not in ("sigmoid", "relu"):
        raise RunError(f"{path} is damaged: its activation is {activation!r}.")
    if config.get("dataset") not in DATASETS:
        raise RunError(f"{path} is damaged: its dataset is {config.get('dataset')!r}.")
    return config

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
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torchvision

import manualgrad
from manualgrad.training import EpochResult

__all__ = ["Run", "default_folder"]


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
            "torchvision": torchvision.__version__,
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

"""Data shared by all tabs: the examples, and the networks to start from."""

from __future__ import annotations

import copy
import threading
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import Linear, Sequential

from manualgrad.training.data import CLASSES, DataError, Examples
from manualgrad.training.loop import make_network

__all__ = ["SIZES", "START", "TESTED", "Lesson", "activations_of", "load_start", "random_network", "sizes_of", "to_examples"]

SIZES = [784, 16, 16, 10]
START = Path(__file__).parent / "start" / "start.npz"
TESTED = 2_000  # test images, evaluated in a few milliseconds

_random = threading.Lock()  # all threads share torch's generator


@dataclass(frozen=True)
class Lesson:
    """The examples and the trained networks.

    Attributes:
        training, test: MNIST's, in float32.
        trained: the network that comes with the page.
        run, run_name: the network of --checkpoint, and its name.
    """

    training: Examples
    test: Examples
    trained: Sequential
    run: Sequential | None = None
    run_name: str = ""

    @property
    def tested(self) -> Examples:
        """Return the test images that accuracies are measured on."""
        return self.test[:TESTED]

    @property
    def starts(self) -> list[str]:
        return ["trained", "random", *(["run"] if self.run is not None else [])]

    @property
    def parameters(self) -> int:
        """Return the number of parameters of the largest network."""
        return max(sum(p.numel() for p in model.parameters()) for model in (self.trained, self.run) if model is not None)

    def network(self, start: str, seed: int = 0) -> tuple[Sequential, str]:
        """Return a new copy of a network, in float64, and its name."""
        name = "-".join(map(str, SIZES))
        if start == "run" and self.run is not None:
            return copy.deepcopy(self.run).double(), self.run_name
        if start == "random":
            return random_network(seed).double(), f"{name}, random ({seed})"
        return copy.deepcopy(self.trained).double(), f"{name}, trained"

    def examples(self, split: Literal["train", "test"]) -> Examples:
        return self.training if split == "train" else self.test


def random_network(seed: int) -> Sequential:
    """Create an untrained network with these `SIZES`, in float32."""
    with _random, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_network(SIZES)


def load_start(path: Path = START) -> tuple[Examples, Examples, Sequential]:
    """Load the training examples, the test examples and the trained network that come with the page.

    Raises:
        DataError: if the file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        training, test = (to_examples(found[f"{split}.images"], found[f"{split}.labels"]) for split in ("train", "test"))
        prefix = "network."
        model = make_network(SIZES)
        model.load_state_dict({name.removeprefix(prefix): found[name] for name in found if name.startswith(prefix)})
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}, the data of the page, is missing or damaged: reinstall manualgrad.") from error
    return training, test, model


def to_examples(images: Tensor, labels: Tensor) -> Examples:
    """Convert images [n, 28, 28] or [n, 784] and labels, both in bytes, to examples."""
    labels = labels.long()
    return Examples(images.float().div_(255), torch.nn.functional.one_hot(labels, CLASSES).float(), labels)


def sizes_of(model: Sequential) -> list[int]:
    """Return the number of neurons in each layer, from the inputs to the outputs."""
    linear = [layer for layer in model if isinstance(layer, Linear)]
    return [linear[0].in_features, *(layer.out_features for layer in linear)]


def activations_of(model: Sequential) -> list[str]:
    """Return the activation of each layer after the inputs: "sigmoid" or "relu"."""
    return [type(layer).__name__.lower() for layer in model if not isinstance(layer, Linear)]

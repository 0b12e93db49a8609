"""MNIST, Fashion-MNIST and KMNIST as tensors on the training device.

The files lie in the folder asked for (`--data-dir`), under `MNIST/raw/`, `FashionMNIST/raw/` or `KMNIST/raw/`, unpacked or
gzip-compressed. Where no folder is asked for, they are looked for in the checkout's `data/`, which has MNIST, and then in the
user's cache folder.

torchvision downloads what is not there, to the folder asked for, or else to the cache folder; but not MNIST where it lies on
this machine, as then the folder is the wrong one. It is imported for that alone, as its import, which brings torch._dynamo,
takes seconds.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from platformdirs import user_cache_path
from torch import Tensor

from manualgrad.training import files
from manualgrad.training.program import install

__all__ = ["DATASETS", "DataError", "Examples", "load"]

DATASETS = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST"}  # torchvision's classes and folders
CLASSES = 10

_CHECKOUT = Path(__file__).parent.parent.parent / "data"
_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
_FILES = tuple(_MD5)


class DataError(Exception):
    """The data is not there, or damaged; the message is one sentence for the user."""


@dataclass(frozen=True)
class Examples:
    """n examples, held on one device.

    Attributes:
        x: [n, pixels] float32, the pixels of each image in rows from its top left, from 0 (background) to 1.
        y: [n, 10] float32, the desired outputs: 1 for the image's class, 0 for the others.
        labels: [n] int64, the classes.
    """

    x: Tensor
    y: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice) -> Examples:
        return Examples(self.x[rows], self.y[rows], self.labels[rows])

    def to(self, device: torch.device) -> Examples:
        return Examples(self.x.to(device), self.y.to(device), self.labels.to(device))


def load(dataset: str = "mnist", data_dir: Path | None = None) -> tuple[Examples, Examples]:
    """The training and the test examples, on the CPU.

    Args:
        dataset: a key of `DATASETS`.
        data_dir: where torchvision's folders lie, or are to be downloaded to.

    Raises:
        DataError: when a file is damaged, or missing and cannot be downloaded, or when `data_dir` lacks MNIST.
    """
    folder = _raw(_find(dataset, data_dir), dataset)
    images, labels, test_images, test_labels = (
        _read(folder / file, _MD5[file] if dataset == "mnist" else None) for file in _FILES
    )
    return _examples(folder, images, labels), _examples(folder, test_images, test_labels)


def _examples(folder: Path, images: Tensor, labels: Tensor) -> Examples:
    if len(images) != len(labels) or len(images) == 0 or int(labels.max()) >= CLASSES:
        raise DataError(f"{folder} is damaged: its images and labels do not belong together.")
    labels = labels.long()
    x = images.flatten(1).float().div_(255)
    return Examples(x, torch.nn.functional.one_hot(labels, CLASSES).float(), labels)


def _raw(root: Path, dataset: str) -> Path:
    """Where torchvision has the files below its root."""
    return root / DATASETS[dataset] / "raw"


def _find(dataset: str, data_dir: Path | None) -> Path:
    """The root below which the four unpacked files lie."""
    cache = user_cache_path("manualgrad")
    places = {_CHECKOUT: _CHECKOUT} if dataset == "mnist" else {}  # to where their packed files lie
    places[cache] = _raw(cache, dataset)
    there = [root for root, packed in places.items() if not _missing(dataset, root, packed)]
    if data_dir is None:
        return _unpack(dataset, there[0], places[there[0]]) if there else _download(dataset, cache)
    missing = _missing(dataset, data_dir, _raw(data_dir, dataset))
    if not missing:
        return _unpack(dataset, data_dir, _raw(data_dir, dataset))
    if there and dataset == "mnist":
        raise DataError(
            f"--data-dir: {_raw(data_dir, dataset)} has no {missing[0]}, gzip-compressed or not; "
            f"without --data-dir, MNIST is read from {there[0]}."
        )
    return _download(dataset, data_dir)


def _missing(dataset: str, root: Path, packed: Path) -> list[str]:
    """The files that are neither unpacked below the root nor packed in the other folder."""
    return [file for file in _FILES if not (_raw(root, dataset) / file).is_file() and not (packed / f"{file}.gz").is_file()]


def _unpack(dataset: str, root: Path, packed: Path) -> Path:
    """Unpack what is not unpacked below `root`; where that is read-only, all of it below the user's cache folder."""
    missing = [file for file in _FILES if not (_raw(root, dataset) / file).is_file()]
    try:
        for file in missing:
            _gunzip(packed / f"{file}.gz", _raw(root, dataset) / file)
        return root
    except OSError:
        name = hashlib.md5(str(root.resolve()).encode(), usedforsecurity=False).hexdigest()[:12]
        cache = user_cache_path("manualgrad") / name
    try:
        for file in _FILES:
            if file in missing:
                _gunzip(packed / f"{file}.gz", _raw(cache, dataset) / file)
            else:
                files.write(_raw(cache, dataset) / file, (_raw(root, dataset) / file).read_bytes())
        return cache
    except OSError as error:
        raise DataError(f"{packed} cannot be unpacked, neither below {root} nor below {cache}: {error}.") from error


def _gunzip(packed: Path, unpacked: Path) -> None:
    try:
        content = gzip.decompress(packed.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{packed} is damaged ({error}); put an undamaged copy in its place.") from error
    files.write(unpacked, content)


def _read(path: Path, md5: str | None) -> Tensor:
    """The bytes of a file (a big-endian magic number, the dimensions, that many bytes), which has this sum, if it is known."""
    content = bytearray(path.read_bytes())
    dimensions = 3 if "images" in path.name else 1
    header = 4 * (1 + dimensions)
    shape: list[int] = []
    whole = False
    if len(content) >= header:
        magic, *shape = struct.unpack(f">{1 + dimensions}I", content[:header])
        whole = magic == 0x0800 + dimensions and len(content) == header + math.prod(shape)
    if not whole or (md5 is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() != md5):
        raise DataError(f"{path} is damaged: replace it, or delete it to have it unpacked or downloaded again.")
    return torch.frombuffer(content, dtype=torch.uint8)[header:].reshape(shape)


def _download(dataset: str, root: Path) -> Path:
    name = DATASETS[dataset]
    try:
        from torchvision import datasets
    except ModuleNotFoundError as error:
        raise DataError(
            f"{dataset} is not on this machine, and torchvision, which downloads it, neither: {install('train')}."
        ) from error
    try:
        with _silence():
            getattr(datasets, name)(str(root), train=True, download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{dataset} is not on this machine and could not be downloaded ({str(error).splitlines()[0].rstrip('.:')}): "
            f"put its four files at DIR/{name}/raw/ and say --data-dir DIR."
        ) from error
    return root


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """torchvision prints the trouble with each mirror; the error says what came of it."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield

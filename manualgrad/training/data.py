"""MNIST, Fashion-MNIST and KMNIST as tensors on the training device.

`--data-dir` names the folder that contains `MNIST/raw/`, `FashionMNIST/raw/` or `KMNIST/raw/`, with the files unpacked or
gzip-compressed; `MNIST/raw/` may hold the user's own images in the same format. Without `--data-dir`, the files are searched in
the checkout's `data/`, which contains MNIST, and then in the user's cache folder; there MNIST must be the original.

torchvision downloads missing files to `--data-dir`, or else to the cache folder. It does not download MNIST to `--data-dir` if
MNIST is elsewhere on this machine, because then the folder is probably wrong. It is imported only for a download, because its
import, which imports torch._dynamo, takes seconds.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import math
import os
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
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
    """The data is missing or damaged; the message is one sentence for the user."""


@dataclass(frozen=True)
class Examples:
    """n examples, held on one device.

    Attributes:
        x: [n, pixels] float32, the pixels of each image row by row from the top left, from 0 (background) to 1.
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


def load(
    dataset: str = "mnist", data_dir: Path | None = None, note: Callable[[str], object] = warnings.warn
) -> tuple[Examples, Examples]:
    """Load the training and the test examples, on the CPU.

    Args:
        dataset: a key of `DATASETS`.
        data_dir: the folder with torchvision's folders, or the folder to download them to.
        note: called with a sentence when the images in `data_dir` are not the original MNIST.

    Raises:
        DataError: when a file is damaged, or missing and cannot be downloaded, or when `data_dir` lacks MNIST.
    """
    root, is_users = _find(dataset, data_dir)
    folder = _raw(root, dataset)
    contents = {file: bytearray((folder / file).read_bytes()) for file in _FILES}
    images, labels, test_images, test_labels = (_parsed(folder / file, content) for file, content in contents.items())
    if dataset == "mnist":
        _check_sums(folder, contents, note if is_users else None)
    if images.shape[1:] != test_images.shape[1:]:
        sizes = " and ".join("×".join(map(str, some.shape[1:])) for some in (images, test_images))
        raise DataError(f"{folder}: training and test images must have the same size, got {sizes}.")
    return _examples(folder, images, labels), _examples(folder, test_images, test_labels)


def _check_sums(folder: Path, contents: Mapping[str, bytearray], note: Callable[[str], object] | None) -> None:
    """Raise unless these are MNIST's files; if the user provided other files (`note` is given), note it instead."""
    sums = {file: hashlib.md5(content, usedforsecurity=False).hexdigest() for file, content in contents.items()}
    other = [file for file, md5 in _MD5.items() if md5 and md5 != sums[file]]
    if other and note is None:
        why = "its checksum is not MNIST's; to use your own images, pass --data-dir"
        raise _damaged(folder / other[0], why)
    if other and note:
        note(f"--data-dir: the images in {folder} are not the original MNIST ({', '.join(other)}); they are used as they are")


def _examples(folder: Path, images: Tensor, labels: Tensor) -> Examples:
    if len(images) != len(labels) or len(images) == 0:
        counts = f"{len(images):,} images and {len(labels):,} labels"
        raise DataError(f"{folder} is damaged: it must have as many labels as images, and at least one ({counts}).")
    if int(labels.max()) >= CLASSES:
        raise DataError(f"{folder} has the label {int(labels.max())}; labels must be from 0 to {CLASSES - 1}.")
    labels = labels.long()
    x = images.flatten(1).float().div_(255)
    return Examples(x, torch.nn.functional.one_hot(labels, CLASSES).float(), labels)


def _raw(root: Path, dataset: str) -> Path:
    """Return torchvision's folder for the files of a data set."""
    return root / DATASETS[dataset] / "raw"


def _find(dataset: str, data_dir: Path | None) -> tuple[Path, bool]:
    """Return the root folder of the four unpacked files, and whether the user provided them."""
    cache = user_cache_path("manualgrad")
    places = {_CHECKOUT: _CHECKOUT} if dataset == "mnist" else {}  # root -> folder of the packed files
    places[cache] = _raw(cache, dataset)
    there = [root for root, packed in places.items() if not _missing(dataset, root, packed)]
    if data_dir is None:
        return _unpack(dataset, there[0], places[there[0]]) if there else _download(dataset, cache), False
    missing = _missing(dataset, data_dir, _raw(data_dir, dataset))
    if not missing:
        return _unpack(dataset, data_dir, _raw(data_dir, dataset)), True
    for root in data_dir.parents:
        raw = _raw(root, dataset)
        if data_dir in (raw, raw.parent) and not _missing(dataset, root, raw):
            raise DataError(f"--data-dir: {data_dir} is inside the folder to pass; use --data-dir {root}.")
    if there and dataset == "mnist":
        raise DataError(
            f"--data-dir: {_raw(data_dir, dataset)} does not contain {missing[0]} or its .gz; "
            f"without --data-dir, MNIST is read from {there[0]}."
        )
    if len(missing) < len(_FILES):  # torchvision would overwrite the others
        raise DataError(
            f"--data-dir: {_raw(data_dir, dataset)} does not contain {missing[0]} or its .gz; add it, "
            "or delete the other files to download all of them."
        )
    return _download(dataset, data_dir), False


def _missing(dataset: str, root: Path, packed: Path) -> list[str]:
    """Return the files that are neither unpacked below the root nor packed in the other folder."""
    raw = _raw(root, dataset)
    return [file for file in _FILES if not os.path.isfile(raw / file) and not os.path.isfile(packed / f"{file}.gz")]


def _unpack(dataset: str, root: Path, packed: Path) -> Path:
    """Unpack the packed files below `root`, or, if it is read-only, all files below the user's cache folder."""
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
        raise DataError(f"{packed} can be unpacked neither into {root} nor into {cache}: {error}.") from error


def _gunzip(packed: Path, unpacked: Path) -> None:
    try:
        content = gzip.decompress(packed.read_bytes())
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{packed} is damaged ({error}); replace it with an intact copy.") from error
    files.write(unpacked, content)


def _damaged(path: Path, why: str) -> DataError:
    return DataError(f"{path} is damaged ({why}); replace it, or delete it to unpack or download it again.")


def _parsed(path: Path, content: bytearray) -> Tensor:
    """Parse an IDX file: a big-endian magic number, which gives dtype (bytes) and rank, then the shape and the bytes."""
    dimensions = 3 if "images" in path.name else 1
    header = 4 * (1 + dimensions)
    if len(content) < header:
        raise _damaged(path, f"it has {len(content)} bytes, fewer than its header's {header}")
    magic, *shape = struct.unpack(f">{1 + dimensions}I", content[:header])
    if magic != 0x0800 + dimensions:
        raise _damaged(path, f"it starts with {magic:#010x}, expected {0x0800 + dimensions:#010x}")
    if len(content) != header + math.prod(shape):
        wanted = f"{header + math.prod(shape):,} bytes for {'×'.join(map(str, shape))}"
        raise _damaged(path, f"it has {len(content):,} bytes, expected {wanted}")
    return torch.frombuffer(content, dtype=torch.uint8)[header:].reshape(shape)


def _download(dataset: str, root: Path) -> Path:
    name = DATASETS[dataset]
    try:
        from torchvision import datasets
    except ModuleNotFoundError as error:
        raise DataError(
            f"{dataset} is not on this machine, and torchvision, which downloads it, is missing: {install('train')}."
        ) from error
    try:
        with _silence():
            getattr(datasets, name)(str(root), train=True, download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"{dataset} is not on this machine and could not be downloaded ({str(error).splitlines()[0].rstrip('.:')}): "
            f"put its four files into DIR/{name}/raw/ and pass --data-dir DIR."
        ) from error
    return root


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Hide torchvision's messages about each mirror; the error gives the result."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield

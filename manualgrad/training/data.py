"""MNIST, Fashion-MNIST and KMNIST as tensors on the training device.

The files lie in the folder asked for (`--data-dir`), under `MNIST/raw/`, `FashionMNIST/raw/` or `KMNIST/raw/`, unpacked or
gzip-compressed; under `MNIST/raw/` they may be a user's own, in the same format. Where no folder is asked for, they are looked
for in the checkout's `data/`, which has MNIST, and then in the user's cache folder; MNIST's must be its own there.

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


def load(
    dataset: str = "mnist", data_dir: Path | None = None, note: Callable[[str], object] = warnings.warn
) -> tuple[Examples, Examples]:
    """The training and the test examples, on the CPU.

    Args:
        dataset: a key of `DATASETS`.
        data_dir: where torchvision's folders lie, or are to be downloaded to.
        note: is told, in a sentence, where images in `data_dir` are not MNIST's own.

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
        raise DataError(f"{folder} has images of two sizes, {sizes}, to train on and to test on.")
    return _examples(folder, images, labels), _examples(folder, test_images, test_labels)


def _check_sums(folder: Path, contents: Mapping[str, bytearray], note: Callable[[str], object] | None) -> None:
    """That these are MNIST's files; where the user has put others there, that is noted."""
    sums = {file: hashlib.md5(content, usedforsecurity=False).hexdigest() for file, content in contents.items()}
    other = [file for file, md5 in _MD5.items() if md5 and md5 != sums[file]]
    if other and note is None:
        why = "it is not MNIST's own; images of your own are read with --data-dir"
        raise _damaged(folder / other[0], why)
    if other and note:
        note(f"--data-dir: the images in {folder} are not MNIST's own ({', '.join(other)}); they are used as they are")


def _examples(folder: Path, images: Tensor, labels: Tensor) -> Examples:
    if len(images) != len(labels) or len(images) == 0:
        counts = f"{len(images):,} images and {len(labels):,} labels"
        raise DataError(f"{folder} is damaged: its images and labels do not belong together ({counts}).")
    if int(labels.max()) >= CLASSES:
        raise DataError(f"{folder} has the label {int(labels.max())}: labels are from 0 to {CLASSES - 1}.")
    labels = labels.long()
    x = images.flatten(1).float().div_(255)
    return Examples(x, torch.nn.functional.one_hot(labels, CLASSES).float(), labels)


def _raw(root: Path, dataset: str) -> Path:
    """Where torchvision has the files below its root."""
    return root / DATASETS[dataset] / "raw"


def _find(dataset: str, data_dir: Path | None) -> tuple[Path, bool]:
    """The root below which the four unpacked files lie, and whether it is the user who has put them there."""
    cache = user_cache_path("manualgrad")
    places = {_CHECKOUT: _CHECKOUT} if dataset == "mnist" else {}  # to where their packed files lie
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
            raise DataError(f"--data-dir: {data_dir} is within the folder to name: say --data-dir {root}.")
    if there and dataset == "mnist":
        raise DataError(
            f"--data-dir: {_raw(data_dir, dataset)} has no {missing[0]}, gzip-compressed or not; "
            f"without --data-dir, MNIST is read from {there[0]}."
        )
    if len(missing) < len(_FILES):  # torchvision would write over the others
        raise DataError(
            f"--data-dir: {_raw(data_dir, dataset)} has no {missing[0]}, gzip-compressed or not, and has others: put it there, "
            "or delete the others to have all of them downloaded."
        )
    return _download(dataset, data_dir), False


def _missing(dataset: str, root: Path, packed: Path) -> list[str]:
    """The files that are neither unpacked below the root nor packed in the other folder."""
    raw = _raw(root, dataset)
    return [file for file in _FILES if not os.path.isfile(raw / file) and not os.path.isfile(packed / f"{file}.gz")]


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


def _damaged(path: Path, why: str) -> DataError:
    return DataError(f"{path} is damaged ({why}): replace it, or delete it to have it unpacked or downloaded again.")


def _parsed(path: Path, content: bytearray) -> Tensor:
    """The numbers of a file: a big-endian magic number, which says that they are bytes, the dimensions, that many bytes."""
    dimensions = 3 if "images" in path.name else 1
    header = 4 * (1 + dimensions)
    if len(content) < header:
        raise _damaged(path, f"it has {len(content)} bytes, and its header alone should have {header}")
    magic, *shape = struct.unpack(f">{1 + dimensions}I", content[:header])
    if magic != 0x0800 + dimensions:
        raise _damaged(path, f"it begins with {magic:#010x}, and should with {0x0800 + dimensions:#010x}")
    if len(content) != header + math.prod(shape):
        wanted = f"{header + math.prod(shape):,} bytes, for {'×'.join(map(str, shape))}"
        raise _damaged(path, f"it has {len(content):,} bytes, and should have {wanted}")
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

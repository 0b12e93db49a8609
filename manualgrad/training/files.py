"""Files that are whole or not there: written beside their place and moved into it, and read with every byte checked."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import torch

__all__ = ["load", "printable", "remove_parts", "save", "write"]


def printable(name: str) -> str:
    """The name of a file without what neither a screen nor a picture can show: control characters, bytes that are no text."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in name)


def write(path: Path, content: bytes, *, durable: bool = False, previous: Path | None = None) -> None:
    """Write all of the file, or leave the one that is there. Its folder is made where it is missing.

    Args:
        durable: return only when it would survive a power failure, too.
        previous: what the file that is there becomes.

    Raises:
        OSError: when it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        if previous and path.exists():
            _link(path, previous)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync_folder(path.parent)


def _temporary(path: Path) -> Path:
    """Beside it, as only within a file system a file is moved at once; another one for each process."""
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def _link(path: Path, other: Path) -> None:
    """Let `other` be the same file as `path`, which stays there meanwhile."""
    temporary = _temporary(other)
    temporary.unlink(missing_ok=True)
    try:
        os.link(path, temporary)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, temporary)
    os.replace(temporary, other)
    temporary.unlink(missing_ok=True)  # os.replace leaves it where both were the same file before


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, where a folder can be opened (not on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_parts(path: Path) -> None:
    """Remove what processes that were killed while they wrote this file left of it."""
    for part in path.parent.glob(f"{path.name}.*.part"):
        part.unlink(missing_ok=True)


def save(path: Path, state: Any, previous: Path | None = None) -> None:
    """`torch.save`, durably, as `write` does it.

    Raises:
        OSError: when it cannot be written (torch.save itself would raise a RuntimeError without the reason).
    """
    content = io.BytesIO()
    torch.save(state, content)
    write(path, content.getvalue(), durable=True, previous=previous)


def load(path: Path) -> Any:
    """What `torch.save` wrote, on the CPU; nothing in it is executed.

    Raises:
        OSError: when it cannot be read.
        ValueError: when it is damaged, or was not written by torch.save.
    """
    content = io.BytesIO(path.read_bytes())
    try:
        if zipfile.ZipFile(content).testzip() is not None:
            raise ValueError("a checksum is wrong")
        content.seek(0)
        return torch.load(content, map_location="cpu", weights_only=True)
    except Exception as error:  # zipfile, torch.load and pickle raise whatever the bytes lead them to
        raise ValueError(f"{path} is damaged, or was not written by torch.save") from error

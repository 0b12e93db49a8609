"""Atomic files: each is written to a temporary file and then moved into place; reading verifies every byte."""

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
    """Return a file name with control characters and undecodable bytes, which cannot be displayed, replaced."""
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in name)


def write(path: Path, content: bytes, *, durable: bool = False, previous: Path | None = None) -> None:
    """Write a file atomically: on failure the existing file stays. A missing folder is created.

    Args:
        durable: return only when the file would survive a power failure.
        previous: the path that the existing file is moved to.

    Raises:
        OSError: when the file cannot be written.
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
    """Return a path in the same folder, since a move is atomic only within a file system; each process has its own."""
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def _link(path: Path, other: Path) -> None:
    """Make `other` the same file as `path`, without removing `path`."""
    temporary = _temporary(other)
    temporary.unlink(missing_ok=True)
    try:
        os.link(path, temporary)
    except OSError:  # a file system without hard links
        shutil.copyfile(path, temporary)
    os.replace(temporary, other)
    temporary.unlink(missing_ok=True)  # os.replace leaves it if both were already the same file


def _sync_folder(folder: Path) -> None:
    """Make the new name durable on systems that can open a folder (not Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_parts(path: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote this file."""
    for part in path.parent.glob(f"{path.name}.*.part"):
        part.unlink(missing_ok=True)


def save(path: Path, state: Any, previous: Path | None = None) -> None:
    """Save `state` as `torch.save` does, atomically and durably.

    Raises:
        OSError: when the file cannot be written (torch.save would raise a RuntimeError without the reason).
    """
    content = io.BytesIO()
    torch.save(state, content)
    write(path, content.getvalue(), durable=True, previous=previous)


def load(path: Path) -> Any:
    """Load a file of `torch.save` to the CPU; no code in it is executed.

    Raises:
        OSError: when the file cannot be read.
        ValueError: when it is damaged, or was not written by torch.save.
    """
    content = io.BytesIO(path.read_bytes())
    try:
        if zipfile.ZipFile(content).testzip() is not None:
            raise ValueError("a checksum is wrong")
        content.seek(0)
        return torch.load(content, map_location="cpu", weights_only=True)
    except Exception as error:  # zipfile, torch.load and pickle raise many types on damaged bytes
        raise ValueError(f"{path} is damaged, or was not written by torch.save") from error

"""Compiled formulas on disk."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.machinery
import importlib.util
import json
import math
import os
import platform
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from manualgrad._fused.kernels import Formula

__all__ = ["folder", "kernel"]

_FORMAT = 1
_LARGEST = 256 << 20  # bytes of all entries

_guards: Any = torch._C._dynamo.guards


def kernel(formula: Formula) -> Callable[..., Any]:
    """Return the kernel of a formula: from the disk, or else compiled and written there."""
    place = folder()
    entry = place / _name(formula)
    found = _load(entry)
    if found is None:
        from manualgrad._fused.compiler import compiled

        part = _written(place, *compiled(formula))
        found = _load(part)
        if found is None:
            raise RuntimeError(f"the kernel in {part} cannot be loaded")
        try:
            part.rename(entry)
        except OSError:  # another process was first, or Windows has the library open
            shutil.rmtree(part, ignore_errors=True)
        _bound(place)
    return found


@functools.cache
def folder() -> Path:
    """Return the folder of the kernels, in the user's cache folder; a temporary one if others can write there."""
    if (given := os.environ.get("MANUALGRAD_CACHE")) is not None:
        place = Path(given)
    elif sys.platform == "win32":
        place = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "manualgrad" / "Cache"
    elif sys.platform == "darwin":
        place = Path.home() / "Library" / "Caches" / "manualgrad"
    else:
        place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "manualgrad"
    place = place / "fused"
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return _temporary()
    return place if _is_ours(place) else _temporary()


def _temporary() -> Path:
    return Path(tempfile.mkdtemp(prefix="manualgrad-"))


def _is_ours(path: Path) -> bool:
    """Return whether nobody else can write there."""
    if os.name != "posix":
        return True
    status = path.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _name(formula: Formula) -> str:
    function, shapes, dtypes, numbers, threads = formula
    of_formula = (function.__module__, function.__qualname__, shapes, list(map(str, dtypes)), list(map(repr, numbers)), threads)
    return hashlib.sha256(json.dumps((of_formula, _of_process())).encode()).hexdigest()[:32]


@functools.cache
def _of_process() -> tuple[Any, ...]:
    """Return what kernels depend on besides the formula: the formulas' source, PyTorch, Python and the CPU."""
    package = Path(__file__).parent.parent
    sources = hashlib.sha256()
    for folder in ("_fused", "functions", "network"):
        for file in sorted(package.glob(f"{folder}/**/*.py")):
            sources.update(file.read_bytes())
    return _FORMAT, sources.hexdigest(), torch.__version__, torch.version.git_version, sys.implementation.cache_tag, _cpu()


def _cpu() -> list[str]:
    """Return the CPU's name and features: Inductor compiles for this very CPU."""
    found = [platform.machine(), platform.processor(), torch.backends.cpu.get_cpu_capability()]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return found
    return found + sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})


def _written(place: Path, call: str, libraries: dict[str, Path]) -> Path:
    """Return the folder of a new entry, which is renamed when it is complete."""
    part = Path(tempfile.mkdtemp(prefix="part-", dir=place))
    hashes = {}
    for name, library in libraries.items():
        data = library.read_bytes()
        (part / (name + library.suffix)).write_bytes(data)
        hashes[name + library.suffix] = hashlib.sha256(data).hexdigest()
    text = json.dumps({"call": call, "libraries": hashes})
    (part / "entry.json").write_text(hashlib.sha256(text.encode()).hexdigest() + "\n" + text, encoding="utf-8")
    return part


def _load(entry: Path) -> Callable[..., Any] | None:
    """Return the kernel of an entry; None if there is none, or if it is damaged: then it is removed."""
    try:
        if not _is_ours(entry):
            return None
        hash, text = (entry / "entry.json").read_text(encoding="utf-8").split("\n", 1)
        if hashlib.sha256(text.encode()).hexdigest() != hash:
            raise ValueError("damaged")
        content = json.loads(text)
        names = {}
        for file, hash in content["libraries"].items():
            if hashlib.sha256((entry / file).read_bytes()).hexdigest() != hash:
                raise ValueError("damaged")
            names[file.split(".")[0]] = _library(entry / file)
        os.utime(entry)
    except FileNotFoundError:
        if not entry.exists():
            return None
        shutil.rmtree(entry, ignore_errors=True)
        return None
    except (OSError, ValueError, KeyError, ImportError):
        shutil.rmtree(entry, ignore_errors=True)
        return None
    namespace = {**_namespace(), **names}
    exec(compile(content["call"], str(entry / "entry.json"), "exec"), namespace)
    return namespace["call"]


def _library(path: Path) -> Any:
    """Load a kernel, an extension module by which Inductor passes the addresses of tensors."""
    address = _guards._torchinductor_pyobject_tensor_data_ptr
    os.environ["_TORCHINDUCTOR_PYOBJECT_TENSOR_DATA_PTR"] = str(address)
    loader = importlib.machinery.ExtensionFileLoader("kernel", str(path))
    spec = importlib.util.spec_from_file_location("kernel", str(path), loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module.kernel


@functools.cache
def _namespace() -> dict[str, Any]:
    """Return what Inductor's `call` refers to."""
    return {
        "torch": torch,
        "aten": torch.ops.aten,
        "math": math,
        "inf": math.inf,
        "nan": math.nan,
        "empty_strided_cpu": _guards._empty_strided_cpu,
        "reinterpret_tensor": _guards._reinterpret_tensor,
        "extern_kernels": SimpleNamespace(mm=torch.mm, addmm=torch.addmm),
    }


def _bound(place: Path) -> None:
    """Remove the entries used longest ago, where all together are too large."""
    entries = []
    for entry in place.iterdir():
        with contextlib.suppress(OSError):  # another process removed or renamed it
            entries.append((entry.stat().st_mtime, sum(file.stat().st_size for file in entry.iterdir()), entry))
    total = 0
    for _, size, entry in sorted(entries, reverse=True):
        total += size
        if total > _LARGEST:
            shutil.rmtree(entry, ignore_errors=True)

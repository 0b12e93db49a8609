"""The files of `manualgrad/functions/`, and what they say of themselves, read from the code."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
import re
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch.overrides import resolve_name

from manualgrad import Function, functions
from manualgrad.torch_api.catalogue import CATALOGUE

__all__ = ["ROOT", "Page", "is_in_place", "pages", "shared_pages"]

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "manualgrad" / "functions"


@dataclass
class Page:
    """A file of the catalogue."""

    path: str  # in manualgrad/functions, with .py
    module: types.ModuleType
    classes: list[type[Function]] = field(default_factory=list)

    @property
    def docstring(self) -> str:
        return inspect.cleandoc(self.module.__doc__ or "")

    @property
    def first_sentence(self) -> str:
        return " ".join(self.docstring.split("\n\n")[0].split()).removesuffix(":")

    @property
    def source(self) -> str:
        return (FUNCTIONS / self.path).read_text(encoding="utf-8")

    @property
    def family(self) -> str:
        return self.path.partition("/")[0].removesuffix(".py")

    @property
    def title(self) -> str:
        """The file's name in words, written as the classes write it: kl_div is KL div."""
        stem = Path(self.path).stem.strip("_")
        words = [self._as_written(word) for word in stem.split("_")]
        words[0] = words[0][0].upper() + words[0][1:]
        return " ".join(words)

    def _as_written(self, word: str) -> str:
        for cls in self.classes:
            found = re.search(word, cls.__name__, re.IGNORECASE)
            if found and not found[0].istitle():
                return found[0]
        return word

    @property
    def issues(self) -> list[str]:
        """The PyTorch issues that the file names."""
        named = re.findall(r"(?:pytorch )?issues? (\d+(?:(?:, | and )\d+)*)", self.source)
        return sorted({number for numbers in named for number in re.findall(r"\d+", numbers)})


def _all() -> Iterator[Page]:
    for found in sorted(pkgutil.walk_packages(functions.__path__, "manualgrad.functions."), key=lambda info: info.name):
        module = importlib.import_module(found.name)
        if found.ispkg:
            continue
        here = [
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, Function) and value.__module__ == module.__name__
        ]
        yield Page(module.__name__.removeprefix("manualgrad.functions.").replace(".", "/") + ".py", module, here)


@functools.cache
def pages() -> list[Page]:
    """Those with a Function on them that runs."""
    found = []
    for page in _all():
        public = [cls for cls in page.classes if not cls.__name__.startswith("_")]
        if any("forward" in vars(cls) for cls in public):
            found.append(Page(page.path, page.module, public))
    return found


@functools.cache
def shared_pages() -> list[Page]:
    """Those that derive something for several others."""
    own = {page.path for page in pages()}
    return [page for page in _all() if page.path not in own and "\n\n    " in page.docstring]


# What is saved


def saved(cls: type[Function]) -> str:
    """What a Function saves for its backward, in the words of its code."""
    for base in cls.__mro__:
        if base is Function:
            break
        if "setup_context" in vars(base):
            return _saved_by(cls, vars(base)["setup_context"].__func__)
    return ""


def _saved_by(cls: type[Function], method: Any) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "save_for_backward"
    ]
    names = ", ".join(ast.unparse(argument) for call in calls for argument in call.args)
    if names == "x_or_y":  # Elementwise: of which of the two its derivative is written
        way = next(name for name in ("dy_dx", "dx_dy", "times_dy_dx") if hasattr(cls, name))
        return list(inspect.signature(getattr(cls, way)).parameters)[way == "times_dy_dx"]
    return names


# Torch's names


def is_in_place(name: str) -> bool:
    return (name.endswith("_") and not name.endswith("__")) or "__i" in name


@functools.cache
def names_of() -> dict[type[Function], list[str]]:
    """The names of torch's that each Function answers for, by what the calls in `manualgrad.torch_api` mention."""
    found: dict[type[Function], set[str]] = {}
    for function, call in CATALOGUE.items():
        name = resolve_name(function) or f"torch.{function.__name__}"
        for cls in _mentioned(call):
            found.setdefault(cls, set()).add(name)
    return {cls: sorted(names) for cls, names in found.items()}


def _mentioned(call: Any, seen: set[int] | None = None) -> set[type[Function]]:
    """The Functions that a call may apply: those that its code names, and that of the functions it calls."""
    seen = set() if seen is None else seen
    if id(call) in seen:
        return set()
    seen.add(id(call))
    if inspect.isclass(call):
        return {call} if issubclass(call, Function) else set()
    if isinstance(call, functools.partial):
        return set().union(*(_mentioned(part, seen) for part in (call.func, *call.args, *call.keywords.values())))
    if inspect.ismethod(call):
        return _mentioned(call.__self__, seen)
    if not isinstance(call, types.FunctionType) or not call.__module__.startswith("manualgrad.torch_api"):
        return set()
    inner = [cell.cell_contents for cell in call.__closure__ or ()] + [getattr(call, "__wrapped__", None)]
    names = _names(call.__code__)
    values = [call.__globals__.get(name) for name in names]
    inner += values
    inner += [getattr(value, name, None) for value in values if isinstance(value, types.ModuleType) for name in names]
    return set().union(*(_mentioned(part, seen) for part in inner))


def _names(code: types.CodeType) -> set[str]:
    nested = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*map(_names, nested)) if nested else set(code.co_names)


# Tests


@functools.cache
def _test_files() -> dict[str, str]:
    folder = ROOT / "tests"
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("test_*.py"))}


OF_ALL = ("functions/test_every_function.py", "test_operators.py")


def tests_of(page: Page) -> dict[str, list[str]]:
    """The test files of every Function and those that name one of the page, each with its tests, whose names are claims."""
    found = {}
    for path, text in _test_files().items():
        is_particular = path.startswith("functions/") and any(_is_named(page, cls, text) for cls in page.classes)
        if path in OF_ALL or is_particular:
            found[path] = re.findall(r"^def (test_\w+)\(", text, re.MULTILINE)
    return found


def _is_named(page: Page, cls: type[Function], text: str) -> bool:
    stem = Path(page.path).stem
    return re.search(rf"\b{cls.__name__}\b|\barithmetic\.{stem}\b|^from .* import .*\b{stem}\b", text, re.MULTILINE) is not None

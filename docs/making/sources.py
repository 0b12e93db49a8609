"""The files of `manualgrad/functions/`, and facts about them that are read from the code."""

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

    path: str  # relative to manualgrad/functions/
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
        """Return the file's name in words, capitalized as in the names of its classes: kl_div is KL div."""
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
        """Return the numbers of the PyTorch issues that the file refers to."""
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
    """Return the files with a public Function that has a forward."""
    found = []
    for page in _all():
        public = [cls for cls in page.classes if not cls.__name__.startswith("_")]
        if any("forward" in vars(cls) for cls in public):
            found.append(Page(page.path, page.module, public))
    return found


@functools.cache
def shared_pages() -> list[Page]:
    """Return the other files with a derivation, which several Functions share."""
    own = {page.path for page in pages()}
    return [page for page in _all() if page.path not in own and "\n\n    " in page.docstring]


# Saved tensors


def saved(cls: type[Function]) -> str:
    """Return the expressions that a Function saves for its backward."""
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
    if names == "x_or_y":  # Elementwise: the one that its derivative depends on
        way = next(name for name in ("dy_dx", "dx_dy", "times_dy_dx") if hasattr(cls, name))
        return list(inspect.signature(getattr(cls, way)).parameters)[way == "times_dy_dx"]
    return names


# torch names


def is_in_place(name: str) -> bool:
    return (name.endswith("_") and not name.endswith("__")) or "__i" in name


@functools.cache
def names_of() -> dict[type[Function], list[str]]:
    """Map each Function to the torch names whose calls in `manualgrad.torch_api` refer to it."""
    found: dict[type[Function], set[str]] = {}
    for function, call in CATALOGUE.items():
        name = resolve_name(function) or f"torch.{function.__name__}"
        for cls in _mentioned(call):
            found.setdefault(cls, set()).add(name)
    return {cls: sorted(names) for cls, names in found.items()}


def _mentioned(call: Any, seen: set[int] | None = None) -> set[type[Function]]:
    """Return the Functions that a call may apply: those that its code, or a function it calls, refers to."""
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
    """Map each test file that covers all Functions, or names one of this page, to its tests."""
    found = {}
    for path, text in _test_files().items():
        is_particular = path.startswith("functions/") and any(_is_named(page, cls, text) for cls in page.classes)
        if path in OF_ALL or is_particular:
            found[path] = re.findall(r"^def (test_\w+)\(", text, re.MULTILINE)
    return found


def _is_named(page: Page, cls: type[Function], text: str) -> bool:
    stem = Path(page.path).stem
    return re.search(rf"\b{cls.__name__}\b|\barithmetic\.{stem}\b|^from .* import .*\b{stem}\b", text, re.MULTILINE) is not None

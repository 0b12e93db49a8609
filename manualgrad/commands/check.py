"""`manualgrad check`: `check_function` on the command line."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING, Any

from manualgrad.commands.errors import BadInput

if TYPE_CHECKING:
    from manualgrad.testing import Report

__all__ = ["add"]


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "check",
        help="check a custom autograd Function in every way that PyTorch may call it",
        description="Check a custom autograd Function in every way that PyTorch may call it. The exit code is 0 if all checks "
        "pass, 1 if one fails, 2 for bad input, and 3 if something could not be checked.",
    )
    parser.add_argument("function", nargs="?", metavar="package.module:Function", help="a Function, a Module, or any callable")
    parser.add_argument(
        "--inputs",
        metavar="package.module:make_inputs",
        help="a function that returns a tuple of sample arguments, or a list of such tuples",
    )
    parser.add_argument("--checks", metavar="NAME,NAME", help="run only these checks, e.g. backward,vmap")
    parser.add_argument("--list", action="store_true", help="list the checks with what each looks for, and exit")
    parser.set_defaults(run=run, error=parser.error)


def run(options: argparse.Namespace) -> int:
    from manualgrad.testing import CHECKS, WHAT

    if options.list:
        width = max(map(len, CHECKS))
        print("\n".join(f"{name:{width}}  {what}" for name, what in WHAT.items()))
        return 0
    if options.function is None:
        options.error("package.module:Function and --inputs are required, or --list")
    checks = None if options.checks is None else [name.strip() for name in options.checks.split(",")]
    function = _load(options.function)
    if options.inputs is None:
        options.error(f"--inputs is required: package.module:make_inputs, a function that returns inputs of {options.function}")
    make_inputs = _load(options.inputs)
    if not callable(make_inputs):
        raise BadInput(
            f"--inputs: {options.inputs} must be a function that returns the inputs, got {type(make_inputs).__name__}"
        )
    try:
        inputs = make_inputs()
    except Exception as error:
        raise BadInput(f"--inputs: {options.inputs} raised {type(error).__name__}: {error}") from error
    function = _instance(function, options.function)
    try:
        report = _report_with_progress(function, inputs, checks)
    except (TypeError, ValueError) as error:
        raise BadInput(str(error)) from error
    print(report)
    return 1 if report.failures else 3 if report.not_checked or report.nothing_was_checked else 0


def _instance(function: Any, reference: str) -> Any:
    """Return the function, or, for a Module class that needs no arguments, an instance of it."""
    import torch

    if not (isinstance(function, type) and issubclass(function, torch.nn.Module)):
        return function
    try:
        made = function()
    except TypeError as error:
        raise BadInput(
            f"{reference} is a class that needs arguments: define `layer = {function.__name__}(...)`, with its arguments, "
            f"in a module of yours, and pass that instead ({error})"
        ) from error
    print(f"{reference} is a class; checking an instance made without arguments, {function.__name__}().\n")
    return made


def _report_with_progress(function: Any, inputs: Any, checks: list[str] | None) -> Report:
    """Return the report; on a terminal, if rich is installed, show the running check."""
    from manualgrad.testing import CHECKS, _report

    try:
        from manualgrad.commands.terminal import console
    except ModuleNotFoundError:  # installed without the extra "train"
        return _report(function, inputs, checks, lambda name: None)
    on_terminal = console()
    if not on_terminal.is_terminal:
        return _report(function, inputs, checks, lambda name: None)
    names = list(checks or CHECKS)
    with on_terminal.status("") as status:
        return _report(
            function, inputs, checks, lambda name: status.update(f"{name} ({names.index(name) + 1} of {len(names)})")
        )


def _load(reference: str) -> Any:
    """Load the object `package.module:name`; the current folder is searched first."""
    module, colon, name = reference.partition(":")
    if not (module and colon and name):
        raise BadInput(f"{reference!r} must have the form package.module:name, such as torch.nn:GELU")
    if sys.path[0] != "":
        sys.path.insert(0, "")
    try:
        found = importlib.import_module(module)
    except Exception as error:  # a module may raise any type
        what = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise BadInput(f"{module} cannot be imported: {what}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise BadInput(f"module {module} has no attribute {name}")
        found = getattr(found, part)
    return found

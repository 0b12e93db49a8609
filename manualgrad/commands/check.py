"""`manualgrad check`: check_function from the command line."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Any

from manualgrad.commands.errors import BadInput

__all__ = ["add"]


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "check",
        help="check a custom autograd Function in every way that PyTorch may call it",
        description="Check a custom autograd Function in every way that PyTorch may call it; exits with 1 where it fails.",
    )
    parser.add_argument("function", nargs="?", metavar="package.module:Function", help="a Function, a Module, or any callable")
    parser.add_argument(
        "--inputs",
        metavar="package.module:make_inputs",
        help="a function that returns a tuple of sample arguments, or a list of such tuples",
    )
    parser.add_argument("--checks", metavar="NAME,NAME", help="run these alone")
    parser.add_argument("--list", action="store_true", help="say what each check looks for, and run none")
    parser.set_defaults(run=run, error=parser.error)


def run(options: argparse.Namespace) -> int:
    from manualgrad.testing import CHECKS, WHAT, check_function

    if options.list:
        width = max(map(len, CHECKS))
        print("\n".join(f"{name:{width}}  {what}" for name, what in WHAT.items()))
        return 0
    if options.function is None:
        options.error("package.module:Function and --inputs are needed, or --list")
    checks = None if options.checks is None else [name.strip() for name in options.checks.split(",")]
    function = _load(options.function)
    if options.inputs is None:
        options.error(f"--inputs is missing: package.module:function, which returns the inputs of {options.function}")
    make_inputs = _load(options.inputs)
    if not callable(make_inputs):
        raise BadInput(f"{options.inputs} must be a function that returns the inputs, and is a {type(make_inputs).__name__}")
    try:
        inputs = make_inputs()
    except Exception as error:
        raise BadInput(f"{options.inputs} raises {type(error).__name__}: {error}") from error
    try:
        report = check_function(function, inputs, checks=checks, raise_exception=False)
    except (TypeError, ValueError) as error:
        raise BadInput(str(error)) from error
    print(report)
    return 1 if report.failures else 3 if report.not_checked else 0


def _load(reference: str) -> Any:
    """What `package.module:name` names, the current folder being searched first."""
    module, colon, name = reference.partition(":")
    if not (module and colon and name):
        raise BadInput(f"{reference!r} must be written package.module:name")
    if sys.path[0] != "":
        sys.path.insert(0, "")
    try:
        found = importlib.import_module(module)
    except Exception as error:  # whatever the module raises
        what = str(error) if isinstance(error, ImportError) else f"{type(error).__name__}: {error}"
        raise BadInput(f"{module} cannot be imported: {what}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise BadInput(f"{module} has no {name}")
        found = getattr(found, part)
    return found

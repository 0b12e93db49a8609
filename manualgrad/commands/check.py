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
    parser.add_argument("function", metavar="package.module:Function", help="the Function, or any callable around one")
    parser.add_argument(
        "--inputs",
        required=True,
        metavar="package.module:make_inputs",
        help="a function that returns a tuple of sample arguments, or a list of such tuples",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from manualgrad.testing import check_function

    function, make_inputs = _load(options.function), _load(options.inputs)
    if not callable(make_inputs):
        raise BadInput(f"{options.inputs} must be a function that returns the inputs, and is a {type(make_inputs).__name__}")
    try:
        report = check_function(function, make_inputs(), raise_exception=False)
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
    except ImportError as error:
        raise BadInput(f"{module} cannot be imported: {error}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise BadInput(f"{module} has no {name}")
        found = getattr(found, part)
    return found

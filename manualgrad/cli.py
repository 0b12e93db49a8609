"""`manualgrad`, or `python -m manualgrad`, on the command line."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code is 0, 1 where a check found a fault, 2 on bad input, 3 where the tool itself failed."""
    parser = argparse.ArgumentParser(prog="manualgrad", description="Neural-network gradients derived by hand.")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_check(commands)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except _BadInput as problem:
        print(f"manualgrad: {problem}", file=sys.stderr)
        return 2


class _BadInput(Exception):
    """What is wrong with the command's arguments, in a sentence."""


def _add_check(commands: Any) -> None:
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
    parser.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from manualgrad.testing import check_function

    function, make_inputs = _load(options.function), _load(options.inputs)
    if not callable(make_inputs):
        raise _BadInput(f"{options.inputs} must be a function that returns the inputs, and is a {type(make_inputs).__name__}")
    try:
        report = check_function(function, make_inputs(), raise_exception=False)
    except (TypeError, ValueError) as error:
        raise _BadInput(str(error)) from error
    print(report)
    return 1 if report.failures else 3 if report.not_checked else 0


def _load(reference: str) -> Any:
    """What `package.module:name` names, the current folder being searched first."""
    module, colon, name = reference.partition(":")
    if not (module and colon and name):
        raise _BadInput(f"{reference!r} must be written package.module:name")
    if sys.path[0] != "":
        sys.path.insert(0, "")
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise _BadInput(f"{module} cannot be imported: {error}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise _BadInput(f"{module} has no {name}")
        found = getattr(found, part)
    return found

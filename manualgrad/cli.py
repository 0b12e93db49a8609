"""The command line: `manualgrad`, or `python -m manualgrad`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from manualgrad import __version__
from manualgrad.commands import average, chain, check, derive, descent, explain, play, predict, sensitivity, train
from manualgrad.commands.errors import BadInput
from manualgrad.commands.network import check_picture
from manualgrad.training.program import install, print_any_name

__all__ = ["main"]

_EXTRAS = {
    **dict.fromkeys(("rich", "matplotlib", "torchvision", "platformdirs", "numpy", "PIL"), "train"),
    **dict.fromkeys(("fastapi", "uvicorn", "starlette", "pydantic", "anyio"), "play"),
}  # package -> the extra that installs it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 if a check found a fault, 2 on bad input, 3 if the tool itself failed."""
    parser = argparse.ArgumentParser(prog="manualgrad", description="Neural-network gradients derived by hand.")
    parser.add_argument("--version", action="version", version=f"manualgrad {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in (train, explain, chain, sensitivity, average, descent, derive, predict, check, play):
        command.add(commands)
    arguments = sys.argv[1:] if arguments is None else arguments
    print_any_name()
    try:
        if arguments[:1] == ["train"]:
            return train.run(arguments[1:])
        options = parser.parse_args(arguments)
        if "out" in options:
            options.out = check_picture(options.out)
        return options.run(options)
    except BadInput as problem:
        print(f"manualgrad: {problem}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        print(f"manualgrad: {missing} is missing: {install(_EXTRAS[missing])}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130

"""The name of the program in messages: train.py and `manualgrad train` are one script under two names."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

__all__ = ["as_called", "call", "install", "print_any_name", "program", "typed"]

_SCRIPT = "train.py"
_CHECKOUT = Path(__file__).parent.parent.parent


def program() -> str:
    """Return the program's name, the prefix of its errors."""
    return Path(sys.argv[0]).name


def call() -> str:
    """Return the command line in front of the options."""
    return f"python {_SCRIPT}" if program() == _SCRIPT else program()


def as_called(documentation: str) -> str:
    """Return train.py's docstring, with the examples adapted to the program's name."""
    if program() == _SCRIPT:
        return documentation
    documentation = documentation.replace(f"python {_SCRIPT}", call())
    return re.sub(rf" {re.escape(_SCRIPT)}( {{10}})?", f" -m {program()}", documentation)  # keeps the columns aligned


def typed(path: Path | str) -> str:
    """Return a path for a command line: in quotes if it contains a space."""
    return f'"{path}"' if " " in str(path) else str(path)


def print_any_name() -> None:
    """Let stdout replace characters that the terminal cannot encode, such as those of a file name, instead of raising."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def install(extra: str) -> str:
    """Return the command that installs an extra, for this checkout or for an installed wheel."""
    return f'pip install -e ".[{extra}]"' if (_CHECKOUT / "pyproject.toml").is_file() else f'pip install "manualgrad[{extra}]"'

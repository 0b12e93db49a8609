"""What the user called, and what to type next: train.py and `manualgrad train` are one script under two names."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

__all__ = ["as_called", "call", "install", "print_any_name", "program", "typed"]

_SCRIPT = "train.py"
_CHECKOUT = Path(__file__).parent.parent.parent


def program() -> str:
    """Its name, with which its errors begin."""
    return Path(sys.argv[0]).name


def call() -> str:
    """What to type in front of the options."""
    return f"python {_SCRIPT}" if program() == _SCRIPT else program()


def as_called(documentation: str) -> str:
    """train.py's docstring, with the examples as they are typed here."""
    if program() == _SCRIPT:
        return documentation
    documentation = documentation.replace(f"python {_SCRIPT}", call())
    return re.sub(rf" {re.escape(_SCRIPT)}( {{10}})?", f" -m {program()}", documentation)  # as many letters more


def typed(path: Path | str) -> str:
    """A path as it is typed in a command: in quotes, where it has a space."""
    return f'"{path}"' if " " in str(path) else str(path)


def print_any_name() -> None:
    """Let the screen show a sign for what it has no letter for, in a file's name, say, which is no error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def install(extra: str) -> str:
    """The command that installs an extra: from this checkout, or for the wheel that is installed."""
    return f'pip install -e ".[{extra}]"' if (_CHECKOUT / "pyproject.toml").is_file() else f'pip install "manualgrad[{extra}]"'

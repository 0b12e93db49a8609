"""`manualgrad train`: train.py for users who installed a wheel and do not have a checkout."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["add", "run"]

_PACKAGE = Path(__file__).parent.parent
_IN_THE_WHEEL = _PACKAGE / "training" / "train.py"  # hatch_build.py puts it there
_IN_A_CHECKOUT = _PACKAGE.parent / "train.py"


def add(commands: Any) -> None:
    """Add the command's line in `manualgrad --help`; `cli` lets the script parse its options."""
    commands.add_parser("train", help="train a network on MNIST, like train.py", add_help=False)


def run(arguments: Sequence[str]) -> int:
    """Run the script like `python train.py`, but with the name `manualgrad train` in its output."""
    script = _IN_THE_WHEEL if _IN_THE_WHEEL.is_file() else _IN_A_CHECKOUT
    spec = importlib.util.spec_from_file_location("train", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before, sys.argv = sys.argv, ["manualgrad train", *arguments]
    try:
        spec.loader.exec_module(module)
        return int(module.main())
    finally:
        sys.argv = before

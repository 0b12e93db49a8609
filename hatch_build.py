"""How a wheel is built: with train.py in it, unchanged, for `manualgrad train` to run."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Hook(BuildHookInterface):
    """`pip install -e` does without: hatch's force-include would copy the script for it, too, and leave the copy behind."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"]["train.py"] = "manualgrad/training/train.py"

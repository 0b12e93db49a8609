"""What is wrong with a request: a status of 4xx and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["Fault", "sentence"]

_LONGEST = 60  # characters of what came


class Fault(Exception):
    """A request that cannot be answered.

    Args:
        status: of HTTP.
        text: one sentence that names the field, what came and what was wanted.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


def sentence(errors: Sequence[Any]) -> str:
    """The first of pydantic's errors in a sentence: the field, what came and what was wanted."""
    error = errors[0]
    kind, came = error["type"], _shortened(error.get("input"))
    field = ".".join(str(part) for part in error["loc"] if part != "body") or "the body"
    if kind == "json_invalid":
        return "The body must be JSON, and is not."
    if kind == "missing":
        return f"{field} is missing."
    if kind == "extra_forbidden":
        return f"{field} came, and there is no such field."
    if kind == "value_error":
        return f"{field}: {error['ctx']['error']}, and it is {came}."
    wanted = error["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return f"{field} should be {wanted}, and is {came}."


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

"""What is wrong with a request: a status of 4xx and a sentence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

__all__ = ["Fault", "sentence"]

_LONGEST = 60  # characters of what came
_PLACES = ("body", "query", "header")
_WANTED = {
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "an object"),
    "finite_number": "a finite number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "greater_than_equal": "{ge:g} or more",
    "less_than_equal": "{le:g} or less",
    "less_than": "less than {lt}",
}  # by pydantic's names of what is wrong


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
    kind, field, context = error["type"], _field(error["loc"]), error.get("ctx", {})
    came = _shortened(error.get("input"))
    if kind == "json_invalid":
        return "The body should be JSON, and is not."
    if kind == "missing":
        return f"{field} is missing."
    if kind == "extra_forbidden":
        return f"{field} came, and there is no such field."
    if kind == "value_error":
        return f"{field} should have {context['error']}, and is {came}."
    if kind in ("too_long", "string_too_long"):
        return f"{field} should have {context['max_length']} entries at most, and has more."
    if kind == "too_short":
        return f"{field} should have {context['min_length']} entries at least, and is {came}."
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return f"{field}.op should be 'step' or 'train', and is not: {came}."
    wanted = _WANTED.get(kind) or error["msg"].removeprefix("Input should be ")
    return f"{field} should be {wanted.format(**context)}, and is {came}."


def _field(location: Sequence[Any]) -> str:
    """history.0.image, say: without pydantic's own words for where it is, and for the kinds of Op."""
    parts = [str(part) for part in location if part not in (*_PLACES, "step", "train") and "[" not in str(part)]
    return ".".join(parts) or "The body"


def _shortened(value: Any) -> str:
    text = json.dumps(value, default=repr, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

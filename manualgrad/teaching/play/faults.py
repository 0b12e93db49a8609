"""Errors of requests: a 4xx status and a sentence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

__all__ = ["Fault", "sentence"]

_LONGEST = 60  # characters quoted of a received value
_PLACES = ("body", "query", "header")
_WANTED = {
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing"), "an integer"),
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "an object"),
    "finite_number": "a finite number",
    "string_type": "a string",
    "bool_type": "true or false",
    "list_type": "a list",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "less_than": "less than {lt}",
}  # by pydantic's error types


class Fault(Exception):
    """A request that cannot be answered.

    Args:
        status: the HTTP status.
        text: one sentence that names the field, what is expected and what came.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


def sentence(errors: Sequence[Any]) -> str:
    """Describe the first of pydantic's errors in a sentence: the field, what is expected and what came."""
    error = errors[0]
    kind, field, context = error["type"], _field(error["loc"]), error.get("ctx", {})
    came = _shortened(error.get("input"))
    if kind == "json_invalid":
        return "The body must be valid JSON."
    if kind == "missing":
        return f"{field} is missing."
    if kind == "extra_forbidden":
        return f"{field} is not a known field."
    if kind == "value_error":
        return f"{field} must have {context['error']}, got {came}."
    if kind in ("too_long", "string_too_long"):
        return f"{field} must have a length of at most {context['max_length']}."
    if kind == "too_short":
        return f"{field} must have a length of at least {context['min_length']}, got {came}."
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return f"{field}.op must be 'step' or 'train', got {came}."
    wanted = _WANTED.get(kind) or error["msg"].removeprefix("Input should be ")
    return f"{field} must be {wanted.format(**context)}, got {came}."


def _field(location: Sequence[Any]) -> str:
    """Return the field's name, such as history.0.image, without pydantic's prefix and without the tag of an Op."""
    parts = [str(part) for part in location if part not in (*_PLACES, "step", "train") and "[" not in str(part)]
    return ".".join(parts) or "The body"


def _shortened(value: Any) -> str:
    text = json.dumps(value, default=repr, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"

"""JSON answers: tensors become lists, floats have eight significant digits, and non-finite numbers become null."""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.responses import Response
from torch import Tensor

__all__ = ["Answer", "to_json"]


class Answer(Response):
    """A JSON response whose values may be tensors."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return to_json(content).encode()


def to_json(value: Any) -> str:
    """Serialize a value like json.dumps, but many times faster for large tensors."""
    if isinstance(value, Tensor):
        return _array(value.detach())
    if isinstance(value, float):
        return f"{value + 0.0:.8g}" if math.isfinite(value) else "null"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{to_json(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(to_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _array(values: Tensor) -> str:
    if values.dim() == 0:
        return to_json(values.item())
    if values.dim() > 1:
        return "[" + ",".join(map(_array, values)) + "]"
    numbers = (values + 0).tolist()  # −0.0 + 0 is 0.0
    if not values.is_floating_point() or not bool(values.isfinite().all()):
        return to_json(numbers)
    return "[" + ",".join(["%.8g"] * len(numbers)) % tuple(numbers) + "]"

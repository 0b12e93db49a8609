"""Parse the index of `x[...]` into the index of a view and the tensors that index the view."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from manualgrad.torch_api.signatures import is_numpys

INDEX_DTYPES = (torch.int64, torch.int32, torch.bool)


class Places(NamedTuple):
    view: tuple[Any, ...]  # the index that makes the view
    indices: tuple[Tensor | None, ...]  # the index tensor of each dimension of the view


def places(input: Tensor, index: Any) -> Places | None:
    """Split an index into a view and the tensors that index it; return None if a part is not supported."""
    parts = [_known(part, input) for part in _parts(index)]
    if any(part is NotImplemented for part in parts):
        return None
    ellipses = [i for i, part in enumerate(parts) if part is Ellipsis]
    taken = sum(part.dim() if is_mask(part) else _takes_one(part) for part in parts)
    if len(ellipses) > 1 or taken > input.dim():
        return None
    if not ellipses:
        ellipses, parts = [len(parts)], [*parts, Ellipsis]
    parts[ellipses[0] : ellipses[0] + 1] = [slice(None)] * (input.dim() - taken)
    view: list[Any] = []
    indices: list[Tensor | None] = []
    for part in parts:
        if isinstance(part, bool):
            part = torch.tensor(part, device=input.device)
        if is_mask(part) and not part.dim():  # indexes a new dimension of size 1
            view.append(None)
            indices.append(part.reshape(1))
        elif isinstance(part, Tensor) and part.dim():
            view += [slice(None)] * (part.dim() if is_mask(part) else 1)
            indices.append(part)
        else:
            view.append(part)
            indices += [] if isinstance(part, (int, Tensor)) else [None]
    return Places(tuple(view), tuple(indices) if any(i is not None for i in indices) else ())


def is_mask(part: Any) -> bool:
    return isinstance(part, Tensor) and part.dtype == torch.bool


def _parts(index: Any) -> Sequence[Any]:
    """Return the parts of a tuple, or of a list with a part that is not a number."""
    if isinstance(index, tuple):
        return index
    if isinstance(index, list) and len(index) < 32 and any(_is_no_number(part) for part in index):
        warnings.warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated; use x[tuple(index)]", stacklevel=5
        )
        return index
    return (index,)


def _is_no_number(part: Any) -> bool:
    return part is None or part is Ellipsis or isinstance(part, (Tensor, Sequence, slice)) or _is_array(part)


def _is_array(part: Any) -> bool:
    return is_numpys(part) and type(part).__name__ == "ndarray"


def _known(part: Any, input: Tensor) -> Any:
    """Convert a part to an int, a slice, None, an Ellipsis or an index tensor; return NotImplemented if it is invalid."""
    if isinstance(part, Tensor):
        return part if part.dtype in INDEX_DTYPES else NotImplemented
    if _is_array(part) or (isinstance(part, Sequence) and not isinstance(part, (str, bytes))):
        found = torch.as_tensor(part, device=input.device)
        return found if found.dtype == torch.bool else NotImplemented if found.dtype == torch.uint8 else found.long()
    if is_numpys(part):
        return int(part) if hasattr(part, "__index__") else NotImplemented
    return part if part is None or part is Ellipsis or isinstance(part, (slice, int)) else NotImplemented


def _takes_one(part: Any) -> bool:
    return part is not None and part is not Ellipsis and not isinstance(part, bool)

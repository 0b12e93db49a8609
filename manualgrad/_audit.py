"""Audit of an autograd graph: which of its derivatives are hand-written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from torch import Tensor

from manualgrad.torch_api.engine import was_recorded_by_the_engine

__all__ = ["Audit", "audit"]

# What the engine computes itself, in C++: the sums of gradients, and the gradients of views in pieces and of writes to views.
_BY_THE_ENGINE = {
    "AddBackward0": "accumulation of gradients",
    **{name: name for name in ("CatBackward0", "StackBackward0", "CopySlices", "AsStridedBackward0")},
}


def audit(tensor: Tensor) -> Audit:
    """Count the nodes of the autograd graph of `tensor`, an output or a loss, by who wrote their derivative.

    Raises:
        TypeError: when `tensor` is not a tensor: `audit([1.0])`.
        RuntimeError: when `tensor` does not have a grad_fn: `audit(torch.rand(3))`.

    Example:
        >>> model = nn.Sequential(*(layer for _ in range(3) for layer in (nn.Linear(4, 4), nn.Sigmoid())))
        >>> print(audit(nn.MSELoss()(model(torch.rand(5, 4)), torch.rand(5, 4))))
        hand-written   SigmoidFunction  3
                       LinearFunction   3
                       MSELossFunction  1
        no arithmetic  AccumulateGrad   6
        7 of 7 arithmetic nodes are hand-written: 100.0%
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"audit: tensor must be a Tensor (an output or a loss), got a {type(tensor).__name__}")
    if tensor.grad_fn is None:
        raise RuntimeError("audit: tensor has no grad_fn: pass the output of a computation on tensors that require grad")
    result = Audit()
    for node in _nodes(tensor.grad_fn):
        name = node.name().rpartition("::")[2]
        if _is_hand_written(node):
            result.manual[re.sub(r"^(Vmapped)*|Backward$", "", name)] += 1
        elif _is_no_arithmetic(name) or _is_made_by_hand(node, name):
            result.other[name] += 1
        elif name in _BY_THE_ENGINE and was_recorded_by_the_engine(node):
            result.other[_BY_THE_ENGINE[name]] += 1
        else:
            result.native[name] += 1
            if "where" in node.metadata:
                result.where.setdefault(name, Counter())[node.metadata["where"]] += 1
    return result


@dataclass
class Audit:
    """The nodes of an autograd graph, counted by name; `str()` formats them as a table.

    Attributes:
        manual: arithmetic with a hand-written derivative, from manualgrad or any other `torch.autograd.Function`.
        native: arithmetic with PyTorch's own derivative.
        other: no arithmetic: views whose backward does not sum, copies and casts, the accumulation into `.grad`, and, where a
            gradient was recorded inside `by_hand`, the sums of gradients that PyTorch's engine accumulates.
        where: name in `native` -> its call sites, for calls made inside `by_hand(trace=True)`.
    """

    manual: Counter[str] = field(default_factory=Counter)
    native: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)
    where: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def coverage(self) -> float:
        """The fraction of the arithmetic nodes that are hand-written, 0 to 1; 1 if there are none."""
        arithmetic = self.manual.total() + self.native.total()
        return self.manual.total() / arithmetic if arithmetic else 1.0

    def __str__(self) -> str:
        groups = {"hand-written": self.manual, "PyTorch's own": self.native, "no arithmetic": self.other}
        width = max((len(name) for group in groups.values() for name in group), default=0)
        lines = []
        for title, group in groups.items():
            for name, count in group.most_common():
                lines.append(f"{title:13}  {name:{width}}  {count}")
                if group is self.native:
                    lines += [f"{'':17}{place}  ({n})" for place, n in self.where.get(name, Counter()).most_common()]
                title = ""
        manual, arithmetic = self.manual.total(), self.manual.total() + self.native.total()
        lines.append(f"{manual} of {arithmetic} arithmetic nodes are hand-written: {self.coverage:.1%}")
        if self.native["CompiledFunctionBackward"]:
            lines.append("A compiled region is a single node, which hides the nodes inside: audit the uncompiled model.")
        return "\n".join(lines)


def _nodes(root: Any) -> Iterator[Any]:
    seen, waiting = {root}, [root]
    while waiting:
        node = waiting.pop()
        yield node
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)


def _is_hand_written(node: Any) -> bool:
    """Return whether the node belongs to a user's Function, not to one of PyTorch's (torch.compile's, checkpoint's)."""
    function = getattr(node, "_forward_cls", None)
    if function is None:
        return False
    # Under vmap, torch._functorch wraps a Function X in a Function "VmappedX".
    return not function.__module__.startswith("torch.") or function.__module__ == "torch._functorch.autograd_function"


def _is_made_by_hand(node: Any, name: str) -> bool:
    """Return whether by_hand performed this in-place operation on a view, which PyTorch records as CopySlices and a view."""
    return name in ("CopySlices", "AsStridedBackward0") and "by_hand" in node.metadata


_REPEATING_VIEWS = ("expand", "unfold", "as_strided")  # they may repeat an element, and then their backward sums


@cache
def _is_no_arithmetic(name: str) -> bool:
    if name in ("AccumulateGrad", "CloneBackward0", "CopyBackwards", "ToCopyBackward0", "UnsafeViewBackward0"):
        return True
    # The operator's schema says whether it is a view: TransposeBackward0 is the node of aten::transpose.
    operator = re.sub(r"(?<!^)(?=[A-Z])", "_", re.sub(r"Backward.*$", "", name)).lower()
    if operator in _REPEATING_VIEWS:
        return False
    packets = (getattr(torch.ops.aten, name, None) for name in (operator, f"_{operator}"))
    return any(
        getattr(packet, overload).is_view
        for packet in packets
        if isinstance(packet, torch._ops.OpOverloadPacket)
        for overload in packet.overloads()
    )

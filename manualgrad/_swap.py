"""Swap the layers of an existing model for hand-written ones, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch.nn import Module

from manualgrad.nn import layers

__all__ = ["SwapReport", "swap", "swap_report", "unswap"]

_OURS: dict[type, type] = {getattr(torch.nn, name): getattr(layers, name) for name in layers.__all__}
_TORCHS = {ours: torchs for torchs, ours in _OURS.items()}

_ModuleT = TypeVar("_ModuleT", bound=Module)


def swap(model: _ModuleT) -> _ModuleT:
    """Replace the torch.nn layers in `model` with the layers of `manualgrad.nn`, in place, and return the model.

    Only the class of each layer changes. Parameters, buffers, hooks, flags and names stay the same objects, so an optimizer
    built for the model keeps working. Calling `swap` again changes nothing. `swap_report(model)` lists the layers that are left
    alone, and why: layers that manualgrad.nn does not have, subclasses (parametrized and sharded layers among them), lazy,
    quantized and scripted layers, and layers whose `forward` was set on the instance.

    Raises:
        TypeError: when `model` is not a `torch.nn.Module`: `swap(torch.nn.Linear)`.

    Example:
        >>> model = torch.nn.Sequential(torch.nn.Linear(784, 10), torch.nn.Sigmoid())
        >>> type(swap(model)[0])
        <class 'manualgrad.nn.layers.linear.Linear'>
    """
    for _, layer in _layers("swap", model):
        if type(layer) in _OURS and _why_not_swapped(layer) is None:
            layer.__class__ = _OURS[type(layer)]
    return model


def unswap(model: _ModuleT) -> _ModuleT:
    """Replace the layers of `manualgrad.nn` in `model` with torch.nn's, in place, and return the model.

    This includes layers that were built from manualgrad.nn and never swapped. An MSELoss with the reduction "batchmean" stays,
    because torch.nn does not have that reduction.

    Raises:
        TypeError: when `model` is not a `torch.nn.Module`: `unswap(torch.nn.Linear)`.

    Example:
        >>> model = nn.Sequential(nn.Linear(784, 10), nn.Sigmoid())
        >>> type(unswap(model)[0])
        <class 'torch.nn.modules.linear.Linear'>
    """
    for _, layer in _layers("unswap", model):
        if type(layer) in _TORCHS and _why_not_unswapped(layer) is None:
            layer.__class__ = _TORCHS[type(layer)]
    return model


def swap_report(model: Module) -> SwapReport:
    """Report which layers `swap(model)` has changed or would change, and which it leaves alone and why; change nothing.

    Raises:
        TypeError: when `model` is not a `torch.nn.Module`: `swap_report(torch.nn.Linear)`.

    Example:
        >>> report = swap_report(torch.nn.Sequential(torch.nn.Linear(784, 10), torch.nn.LazyLinear(10)))
        >>> report.to_swap
        {'0': 'Linear'}
        >>> report.left_alone
        {'1': 'uninitialized LazyLinear: swap the model after its first call'}
    """
    report = SwapReport()
    for name, layer in _layers("swap_report", model):
        if type(layer) in _TORCHS:
            report.swapped[name] = _join(type(layer).__name__, _why_not_unswapped(layer))
        elif (reason := _why_not_swapped(layer)) is not None:
            report.left_alone[name] = reason
        elif type(layer) in _OURS:
            report.to_swap[name] = type(layer).__name__
    return report


_FUNCTIONS = (
    "Functions and operators that a forward calls (F.relu, x + y) are not modules: audit(output) counts them, "
    "and `with manualgrad.by_hand():` differentiates them by hand."
)


@dataclass
class SwapReport:
    """The layers of a model, grouped by what `swap` does with them; `str()` formats them as a table.

    Attributes:
        swapped: name in the model -> class, for the layers that are hand-written now.
        to_swap: name -> class, for the layers that `swap` would make hand-written.
        left_alone: name -> why `swap` leaves the layer alone.
    """

    swapped: dict[str, str] = field(default_factory=dict)
    to_swap: dict[str, str] = field(default_factory=dict)
    left_alone: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        groups = {"hand-written": self.swapped, "swap would make hand-written": self.to_swap, "left alone": self.left_alone}
        lines = []
        for title, group in groups.items():
            for text in dict.fromkeys(group.values()):
                names = [name or "(the model itself)" for name in group if group[name] == text]
                lines += [f"{title}: {len(names)} {text}", *(f"    {name}" for name in names)]
        lines = lines or ["manualgrad.nn does not have any of this model's layers"]
        return "\n".join([*lines, "", _FUNCTIONS])


def _layers(function: str, model: Any) -> Iterator[tuple[str, Module]]:
    if not isinstance(model, Module):
        what = f"the class {model.__name__}: pass an instance" if isinstance(model, type) else f"a {type(model).__name__}"
        raise TypeError(f"{function}: model must be a torch.nn.Module, got {what}")
    return model.named_modules()


def _why_not_swapped(layer: Module) -> str | None:
    """Return why `swap` leaves a layer alone; None if `swap` replaces it, or if it is not worth reporting."""
    cls, name = type(layer), type(layer).__name__
    if cls in _OURS:
        return f"{name} with a forward set on the instance" if "forward" in vars(layer) else None
    if isinstance(layer, torch.jit.ScriptModule):
        is_one = getattr(layer, "original_name", None) in _NAMES
        return f"{layer.original_name} in TorchScript: swap the model before it is scripted or traced" if is_one else None
    if cls.__module__.startswith("torch.ao.nn.quantized") and name in _NAMES:
        return f"quantized {name}: it has no gradient"
    if cls is torch.nn.SyncBatchNorm:
        return "SyncBatchNorm: its statistics span all processes, so it keeps PyTorch's gradients"
    nearest = next((base for base in cls.__mro__ if base in _OURS or base in _TORCHS), None)
    if nearest is None:
        return f"{name}: manualgrad.nn does not have this layer" if _is_torchs_own(layer) else None
    base = f"{nearest.__module__.split('.')[0]}.nn.{nearest.__name__}"
    if torch.nn.utils.parametrize.is_parametrized(layer):
        return f"parametrized {base}: swap the model before it is parametrized"
    if any(c.__name__ == "FSDPModule" for c in cls.__mro__):
        return f"{base} sharded by fully_shard: swap the model before it is sharded"
    if isinstance(layer, torch.nn.modules.lazy.LazyModuleMixin):
        return f"uninitialized {name}: swap the model after its first call"
    return f"{cls.__module__}.{name}, a subclass of {base}: its forward may differ"


def _is_torchs_own(layer: Module) -> bool:
    """Return whether it is a layer of torch.nn that computes something, unlike a container, Flatten or Identity."""
    cls = type(layer)
    computes = cls.__name__ not in ("Flatten", "Unflatten", "Identity") and next(layer.children(), None) is None
    return computes and cls.__module__.startswith("torch.nn.modules.") and cls.__module__ != "torch.nn.modules.container"


_NAMES = {cls.__name__ for cls in _OURS}


def _why_not_unswapped(layer: Module) -> str | None:
    if isinstance(layer, torch.nn.MSELoss) and layer.reduction == "batchmean":
        return "unswap leaves it alone: torch.nn does not have the reduction 'batchmean'"
    return None


def _join(name: str, remark: str | None) -> str:
    return name if remark is None else f"{name} ({remark})"

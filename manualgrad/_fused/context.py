"""The context manager `fused`."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterable
from contextlib import ContextDecorator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from manualgrad._fused.kernels import Formula, obtain
from manualgrad._fused.switch import listing, set_on

__all__ = ["fused"]

_dynamo_is_tracing = torch.compiler.is_dynamo_compiling


class fused(ContextDecorator):
    """Context manager and decorator: inside it, hand-written formulas run as compiled kernels.

    A formula of several operators, such as the backward of GELU or layer norm, is compiled once by Inductor and then called
    directly, which takes a single pass over memory. The kernels are stored in the user's cache folder: compiling takes seconds
    the first time on a machine, and loading a millisecond afterwards. Results agree with those of the operators up to
    rounding, and are the same from run to run.

    A Function that is called inside has its backward fused too, wherever and in whatever thread that runs. Transformed
    operations (torch.func, forward mode, torch.compile) use the operators, and so do recorded ones (`create_graph=True`) that
    are not a Function themselves. Where no compiler is available, a warning says so, and the operators run.

    Set the environment variable MANUALGRAD_FUSED=1 to fuse throughout a process. `fused.prepare(model, x)` compiles the kernels
    of a model beforehand.

    Raises:
        ValueError: when MANUALGRAD_FUSED is neither 0 nor 1, at the import of manualgrad.

    Example:
        >>> model, x = nn.Sequential(nn.Linear(8, 8), nn.GELU()), torch.rand(4, 8)
        >>> with fused():
        ...     loss = model(x).square().mean()
        >>> loss.backward()
    """

    def __enter__(self) -> fused:
        if not _dynamo_is_tracing():
            self._was_on = set_on(True)
        return self

    def __exit__(self, *error: object) -> None:
        if not _dynamo_is_tracing():
            set_on(self._was_on)

    def _recreate_cm(self) -> fused:
        return fused()  # one for each call of a decorated function, in any thread

    @staticmethod
    def prepare(
        model: torch.nn.Module,
        *inputs: Any,
        loss: Callable[[Any], Tensor] | None = None,
        progress: Callable[[list[str]], Iterable[Any]] | None = None,
    ) -> int:
        """Load or compile the kernels that the model's forward and backward need for these inputs, before they are needed.

        A kernel serves arrays of all sizes, but small and large arrays have different ones. The model, which is copied, and
        the state of the random numbers do not change.

        Args:
            inputs: as for `model(*inputs)`.
            loss: from the model's output to a single number; None takes the sum of all outputs.
            progress: iterates over the names of the formulas, for example `rich.progress.track`; None prints a line for each.

        Returns:
            the number of kernels.

        Raises:
            TypeError: when `model` is not a torch.nn.Module.

        Example:
            >>> swap(model)
            >>> fused.prepare(model, x)
        """
        if not isinstance(model, torch.nn.Module):
            raise TypeError(f"fused.prepare: model must be a torch.nn.Module, got {type(model).__name__}")
        model = copy.deepcopy(model)
        with torch.random.fork_rng(), listing() as missing, torch.enable_grad():
            with fused():
                output = model(*inputs)
                total = loss(output) if loss else sum(t.sum() for t in tree_leaves(output) if _is_differentiable(t))
            total.backward()
        formulas: dict[Any, Formula] = dict(missing)
        names = [f"{formula.function.__module__}.{formula.function.__qualname__}" for formula in formulas.values()]
        for (key, formula), _ in zip(formulas.items(), (progress or _printed)(names), strict=True):
            obtain(key, formula)
        return len(formulas)


def _is_differentiable(t: Any) -> bool:
    return isinstance(t, Tensor) and t.requires_grad


def _printed(names: list[str]) -> Iterable[str]:
    for i, name in enumerate(names, 1):
        print(f"kernel {i} of {len(names)}: {name}", file=sys.stderr)
        yield name

"""The costs at the end of a network, and the derivative that backpropagation starts from.

The **quadratic cost** of n examples, where a is the model's output, y the desired output, and N depends on the reduction:

    C = Σ_k Σ_j (a_kj − y_kj)² / N        ∂C/∂a = (a − y) / (N/2)

The **cross entropy** takes the model's output as z and converts it to probabilities a = softmax(z):

    a_j = e^(z_j) / Σ_i e^(z_i)           C = −Σ_k Σ_j y_kj log a_kj / N

To derive ∂C/∂z of one example, write log a_j = z_j − s with s = log Σ_i e^(z_i). Since ∂s/∂z_i = e^(z_i) / Σ e^z = a_i,

    ∂(log a_j)/∂z_i = [i = j] − a_i
    ∂C/∂z_i = −Σ_j y_j ([i = j] − a_i) = a_i Σ_j y_j − y_i = a_i − y_i        if the y of an example sum to 1

so delta of the last layer is a − y, without the factor σ′, which vanishes for a saturated neuron. The chain rule over a gives
the same, with ∂C/∂a_j = −y_j / a_j and ∂a_j/∂z_i = a_j ([i = j] − a_i): the a_j cancel.

A class c as target means y_j = [j = c]. Label smoothing by ε mixes y with the uniform distribution over K classes:
(1 − ε) y + ε/K.

Shapes: output, a and y [n, outputs]; y may also be [n] classes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Module

from manualgrad import nn
from manualgrad.network import stack

__all__ = ["CrossEntropy", "Kind", "Quadratic", "check_alike", "cost_of", "kind_of", "of"]

_HALF = (torch.float16, torch.bfloat16)


class Quadratic:
    """C = Σ (a − y)² / N.

    Attributes:
        error: a − y.
        divisor: ∂C/∂a is `error` divided by this.
        divisor_of_one: the divisor for the cost of a single example.
    """

    def __init__(self, a: Tensor, y: Tensor, reduction: str, into: Tensor | None) -> None:
        self.error = a - y if into is None else torch.sub(a, y, out=into)
        n, outputs = y.shape
        self.N, self.N_of_one = {"batchmean": (n, 1), "mean": (n * outputs, outputs), "sum": (1, 1)}[reduction]
        self.divisor, self.divisor_of_one = self.N / 2, self.N_of_one / 2

    def of_batch(self) -> Tensor:
        """Compute C; must be called before `error` is overwritten."""
        return stack.quadratic_cost(self.error, self.N)

    def of_each(self) -> Tensor:
        """Compute the cost of each example, [n]."""
        return self.error.square().sum(1) / self.N_of_one


class CrossEntropy:
    """C = −Σ y log a / N, with a = softmax(output).

    Attributes:
        a: [n, outputs], the softmax.
        y: [n, outputs], the desired a, with label smoothing.
        error: a Σ_j y_j − y, which is a − y if y sums to 1.
        divisor: ∂C/∂output is `error` divided by this.
        divisor_of_one: the divisor for the cost of a single example.
    """

    divisor_of_one = 1.0

    def __init__(self, z: Tensor, y: Tensor, reduction: str, smoothing: float, into: Tensor | None) -> None:
        self.dtype = z.dtype
        self.log_a = torch.log_softmax(z, 1, dtype=torch.float32 if z.dtype in _HALF else None)
        self.a = self.log_a.exp()
        y = y.to(self.a.dtype) if y.dim() == 2 else torch.zeros_like(self.a).scatter_(1, y.long()[:, None], 1)
        self.y = (1 - smoothing) * y + smoothing / y.shape[1] if smoothing else y
        error = self.a * self.y.sum(1, keepdim=True) - self.y
        self.error = error.to(self.dtype) if into is None else into.copy_(error)
        self.divisor = z.shape[0] if reduction == "mean" else 1

    def of_batch(self) -> Tensor:
        return (self._of_each().sum() / self.divisor).to(self.dtype)

    def of_each(self) -> Tensor:
        """Compute the cost of each example, [n]."""
        return self._of_each().to(self.dtype)

    def _of_each(self) -> Tensor:
        return -torch.where(self.y == 0, 0, self.y * self.log_a).sum(1)  # 0 even if log a is -inf

    def dC_da(self) -> Tensor:
        """Compute −y / a for each example's own cost, [n, outputs]."""
        return torch.where(self.y == 0, 0, -self.y / self.a).to(self.dtype)

    def da_dz(self) -> Tensor:
        """Compute ∂a_j/∂z_i = a_j ([i = j] − a_i), [n, outputs, outputs]."""
        return (torch.diag_embed(self.a) - self.a[:, :, None] * self.a[:, None, :]).to(self.dtype)


class Kind(NamedTuple):
    """Which cost it is."""

    is_quadratic: bool
    reduction: str
    smoothing: float = 0.0


def cost_of(caller: str, cost: Module | None, output: Tensor, y: Tensor, into: Tensor | None) -> Quadratic | CrossEntropy:
    """Compute the cost of this output; network/algorithm.py describes the errors.

    Args:
        caller: the name of the function in error messages.
        into: a buffer for `error`, or None.
    """
    n, outputs = output.shape
    return of(kind_of(caller, cost, y, n, outputs, output), output, y, into)


def of(kind: Kind, output: Tensor, y: Tensor, into: Tensor | None = None) -> Quadratic | CrossEntropy:
    """Compute the cost of this output, without checks."""
    if kind.is_quadratic:
        return Quadratic(output, y, kind.reduction, into)
    return CrossEntropy(output, y, kind.reduction, kind.smoothing, into)


def kind_of(caller: str, cost: Module | None, y: Tensor, n: int, outputs: int, like: Tensor) -> Kind:
    """Check the cost, and y for an output of shape [n, outputs] with the dtype and device of `like`."""
    if cost is None:
        check_alike(caller, "y", y, "the model's output", like, (n, outputs))
        return Kind(True, "batchmean")
    if type(cost) in (torch.nn.MSELoss, nn.MSELoss):
        reduction = _reduction(caller, cost, "batchmean", "mean", "sum")
        check_alike(caller, "y", y, "the model's output", like, (n, outputs))
        return Kind(True, reduction)
    if type(cost) in (torch.nn.CrossEntropyLoss, nn.CrossEntropyLoss):
        reduction = _reduction(caller, cost, "mean", "sum")
        for name, default in (("weight", None), ("ignore_index", -100)):
            if getattr(cost, name) != default:
                raise ValueError(
                    f"{caller}: the cost's {name} must be {default}, the default; "
                    "only reduction and label_smoothing of CrossEntropyLoss are supported"
                )
        _check_targets(caller, y, n, outputs, like)
        return Kind(False, reduction, vars(cost)["label_smoothing"])
    raise TypeError(f"{caller}: cost must be an MSELoss, a CrossEntropyLoss or None, got {cost!r}")


def _reduction(caller: str, cost: Module, *allowed: str) -> str:
    reduction = str(cost.reduction)
    if reduction not in allowed:
        *first, last = map(repr, allowed)
        raise ValueError(f"{caller}: the cost's reduction must be {', '.join(first)} or {last}, got {reduction!r}")
    return reduction


def _check_targets(caller: str, y: Tensor, n: int, outputs: int, like: Tensor) -> None:
    """Check that y is [n] integer classes, or has the shape and dtype of the output."""
    if y.dim() != 1 or y.is_floating_point():
        wanted = f"{[n, outputs]}, like the model's output, or {[n]} classes"
        check_alike(caller, "y", y, "the model's output", like, (n, outputs), wanted)
        return
    if y.shape != (n,):
        raise RuntimeError(f"{caller}: y must have a class for each of the {n} examples, got shape {list(y.shape)}")
    if y.dtype not in (torch.int64, torch.uint8) or y.device != like.device:
        raise RuntimeError(f"{caller}: y of classes must be torch.int64 on {like.device}, got {y.dtype} on {y.device}")
    if y.device.type == "cpu" and n and not (int(y.min()) >= 0 and int(y.max()) < outputs):  # on a GPU, this would sync
        raise IndexError(f"{caller}: y must have classes from 0 to {outputs - 1}, got {int(y.min())} to {int(y.max())}")


def check_alike(
    caller: str, name: str, t: Tensor, other: str, like: Tensor, shape: tuple[int, ...] | None = None, wanted: str | None = None
) -> None:
    """Check that a dense tensor has the dtype and device of another tensor, and, if it is given, the shape."""
    if t.layout is not torch.strided:
        raise RuntimeError(f"{caller}: {name} must be a dense tensor, got {t.layout}")
    if shape is not None and t.shape != shape:
        wanted = wanted or f"{list(shape)}, like {other}"
        raise RuntimeError(f"{caller}: {name} must be {wanted}, got {list(t.shape)}")
    if (t.dtype, t.device) != (like.dtype, like.device):
        raise RuntimeError(f"{caller}: {name} must be {like.dtype} on {like.device}, like {other}, got {t.dtype} on {t.device}")

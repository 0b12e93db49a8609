"""A formula, and the place in the network that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import Sequential

from manualgrad.network.algorithm import LayerTrace, Trace, trace
from manualgrad.symbolic.notation import subscript, superscript
from manualgrad.teaching.play.formulas.notation import of_layer
from manualgrad.teaching.play.formulas.source import Line

__all__ = ["Formula", "Place"]


@dataclass(frozen=True)
class Formula:
    """A formula with its value.

    Attributes:
        letters: the formula in letters, such as "z⁽³⁾₂ = Σₖ W⁽³⁾₂ₖ a⁽²⁾ₖ + b⁽³⁾₂".
        numbers: the right side in numbers, and the result.
        value: the result.
        line: the line of this package that computes it.
        says: the formula in a sentence.
    """

    letters: str
    numbers: str
    value: float
    line: Line
    says: str


@dataclass(frozen=True)
class Place:
    """A place in the network: the layer l, from 1; its neuron j; the neuron k of the previous layer.

    Attributes:
        traced: the trace of the example, without the batch dimension.
    """

    model: Sequential
    x: Tensor
    y: Tensor
    l: int
    j: int
    k: int
    rate: float
    is_drawn: bool
    traced: Trace

    @classmethod
    def of(cls, model: Sequential, x: Tensor, y: Tensor, l: int, j: int, k: int, rate: float, is_drawn: bool) -> Place:
        return cls(model, x, y, l, j, k, rate, is_drawn, trace(model, x[None], y[None]).average())

    @property
    def layer(self) -> LayerTrace:
        return self.traced.layers[self.l - 1]

    @property
    def is_last(self) -> bool:
        return self.l == len(self.traced.layers)

    @property
    def W(self) -> Tensor:
        """Return the weights of the layer, [out, in]."""
        assert self.layer.W is not None
        return self.layer.W.detach()

    @property
    def b(self) -> float:
        assert self.layer.b is not None
        return self.layer.b[self.j].item()

    def letter(self, letter: str) -> str:
        """Add this layer and neuron to a letter: z⁽³⁾₂."""
        return of_layer(letter, self.l, self.j)

    @property
    def w(self) -> str:
        """Return the name of the weight: W⁽³⁾₂₅."""
        return f"W{superscript(self.l)}{subscript(self.j, self.k)}"

    @property
    def a_prev(self) -> str:
        """Return the name of the previous activation: a⁽²⁾₅."""
        return of_layer("a", self.l - 1, self.k)

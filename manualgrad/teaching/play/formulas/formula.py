"""A formula, and the place in the network that it is of."""

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
    """Attributes:
    letters: "z⁽³⁾₂ = Σₖ W⁽³⁾₂ₖ a⁽²⁾ₖ + b⁽³⁾₂". numbers: what stands in their place, and what it comes to.
    value: what it comes to.
    line: where this package computes it.
    says: the same in a sentence.
    """

    letters: str
    numbers: str
    value: float
    line: Line
    says: str


@dataclass(frozen=True)
class Place:
    """Whose formula is wanted: the layer l, from 1; its neuron j; the neuron k of the layer before.

    Attributes:
        traced: of the example, without the first dimension.
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
        """Of the layer, [out, in]."""
        assert self.layer.W is not None
        return self.layer.W.detach()

    @property
    def b(self) -> float:
        assert self.layer.b is not None
        return self.layer.b[self.j].item()

    def letter(self, letter: str) -> str:
        """With this layer and neuron: z⁽³⁾₂."""
        return of_layer(letter, self.l, self.j)

    @property
    def w(self) -> str:
        """W⁽³⁾₂₅."""
        return f"W{superscript(self.l)}{subscript(self.j, self.k)}"

    @property
    def a_prev(self) -> str:
        """a⁽²⁾₅."""
        return of_layer("a", self.l - 1, self.k)

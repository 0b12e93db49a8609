"""Formulas over many examples: the mean of their wishes, a nudge to one weight, and the ratio of two sensitivities."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import Sequential

from manualgrad.symbolic.notation import subscript, superscript
from manualgrad.teaching import plain, sensitivity
from manualgrad.teaching.play.formulas.formula import Formula
from manualgrad.teaching.play.formulas.notation import factor, shown
from manualgrad.teaching.play.formulas.source import find
from manualgrad.teaching.sensitivity import Weight

__all__ = ["Examples", "mean_wish", "nudge", "ratio"]

_WRITTEN = 3  # wishes that are written out


@dataclass(frozen=True)
class Examples:
    """Several examples, and the weight to look at.

    Attributes:
        x: [n, pixels]; y: [n, outputs].
        named: the weight; epsilon: the nudge to it.
    """

    model: Sequential
    x: Tensor
    y: Tensor
    named: Weight
    epsilon: float


def mean_wish(e: Examples) -> Formula:
    wishes, w = sensitivity.wishes(e.model, e.x, e.y, e.named), _letters(e.named)
    value, n = wishes.mean().item(), len(wishes)
    written = " + ".join(factor(wish) for wish in wishes[:_WRITTEN].tolist()) + (" + …" if n > _WRITTEN else "")
    return Formula(
        f"−∂C/∂{w} = 1/n Σₖ −∂Cₖ/∂{w}",
        f"1/{n} ({written}) = {shown(value)}",
        value,
        find(plain.mean_wish, "wish ="),
        "Each example has its own wish for this weight; descent takes their mean.",
    )


def nudge(e: Examples) -> Formula:
    derivative, _, measured = sensitivity.nudge(e.model, e.x, e.y, e.named, e.epsilon)
    value = e.epsilon * derivative
    return Formula(
        f"ΔC ≈ ε ∂C/∂{_letters(e.named)}",
        f"{shown(e.epsilon)} · {factor(derivative)} = {shown(value)}; measured {shown(measured)}",
        value,
        find(plain.nudge, "dC ="),
        "To first order, a nudge changes the cost by the nudge times the derivative.",
    )


def ratio(e: Examples) -> Formula:
    """Compare the weight to which the cost is most sensitive with the chosen weight."""
    _, (largest,) = sensitivity.rank(e.model, e.x, e.y, [1])
    derivative, _, _ = sensitivity.nudge(e.model, e.x, e.y, e.named, e.epsilon)
    value = abs(largest.derivative / derivative) if derivative else float("inf")
    w, v = _letters(largest.weight), _letters(e.named)
    return Formula(
        f"|∂C/∂{w}| / |∂C/∂{v}|",
        f"{shown(abs(largest.derivative))} / {shown(abs(derivative))} = {shown(value)}",
        value,
        find(plain.ratio, "times ="),
        f"The same small nudge changes the cost this many times as much at {w} as at {v}.",
    )


def _letters(w: Weight) -> str:
    return f"W{superscript(w.l)}{subscript(w.j, w.k)}"

"""Formulas of the forward pass: the image, weights and biases, z, a and the cost."""

from __future__ import annotations

from manualgrad.symbolic.notation import subscript, superscript
from manualgrad.teaching import plain
from manualgrad.teaching.play import drawing, lesson
from manualgrad.teaching.play.formulas.formula import Formula, Place
from manualgrad.teaching.play.formulas.notation import factor, of_layer, shown, sum_of
from manualgrad.teaching.play.formulas.source import find
from manualgrad.training import images

__all__ = ["W", "a", "b", "cost", "x", "y", "z"]


def x(p: Place) -> Formula:
    value = p.x[p.k].item()
    how = "cropped, scaled to 20 pixels and centred at its centre of mass" if p.is_drawn else "an unchanged image of MNIST"
    line = find(images.normalized, "] = scaled") if p.is_drawn else find(lesson.to_examples, "div_(255)")
    at = f"row {p.k // 28}, column {p.k % 28}"
    return Formula(
        f"a⁽⁰⁾{subscript(p.k)} = x{subscript(p.k)}",
        shown(value),
        value,
        line,
        f"The pixel at {at}, from 0 for the background to 1 for ink; the image is {how}.",
    )


def W(p: Place) -> Formula:
    value = p.W[p.j, p.k].item()
    line = find(plain.step, "W = W")
    return Formula(p.w, shown(value), value, line, f"The weight of {p.a_prev} in {p.letter('z')}; gradient descent adjusts it.")


def b(p: Place) -> Formula:
    line, says = find(plain.step, "b = b"), f"The bias, added to {p.letter('z')} for every image; gradient descent adjusts it."
    return Formula(p.letter("b"), shown(p.b), p.b, line, says)


def z(p: Place) -> Formula:
    value, terms = p.layer.z[p.j].item(), list(zip(p.W[p.j].tolist(), p.layer.a_prev.tolist(), strict=True))
    return Formula(
        f"{p.letter('z')} = Σₖ {of_layer('W', p.l, p.j, 'ₖ')} {of_layer('a', p.l - 1, 'ₖ')} + {p.letter('b')}",
        f"{sum_of(terms)} + {factor(p.b)} = {shown(value)}",
        value,
        find(plain.forward, "z ="),
        "The weighted sum of the previous layer's activations, plus the bias.",
    )


def a(p: Place) -> Formula:
    z, value = p.layer.z[p.j].item(), p.layer.a[p.j].item()
    if p.layer.activation == "relu":
        letters, line, says = f"max(0, {p.letter('z')})", find(plain.relu, "a ="), "The weighted sum, or 0 if it is negative."
        numbers = f"max(0, {shown(z)})"
    else:
        letters, line = f"σ({p.letter('z')}) = 1 / (1 + e⁻ᶻ)", find(plain.sigmoid, "a =")
        numbers, says = f"σ({shown(z)})", "The sigmoid squeezes the weighted sum between 0 and 1."
    return Formula(f"{p.letter('a')} = {letters}", f"{numbers} = {shown(value)}", value, line, says)


def y(p: Place) -> Formula:
    value, line = p.y[p.j].item(), find(drawing.desired, "one_hot(")
    says = "The target of the output: 1 for the digit, 0 for the others."
    return Formula(f"y{subscript(p.j)}", shown(value), value, line, says)


def cost(p: Place) -> Formula:
    value = p.traced.cost.item()
    errors = [(error, error) for error in (p.traced.layers[-1].a - p.y).tolist()]
    last = superscript(len(p.traced.layers))
    line = find(plain.cost, "C =")
    says = "The sum of the squared distances between the outputs and their targets."
    return Formula(f"C₀ = Σⱼ (a{last}ⱼ − yⱼ)²", f"{sum_of(errors)} = {shown(value)}", value, line, says)

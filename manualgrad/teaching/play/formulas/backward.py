"""Formulas of the backward pass: derivatives, wishes (their negatives), and the step."""

from __future__ import annotations

from manualgrad.network.algorithm import per_example_grad_norms
from manualgrad.symbolic.notation import subscript
from manualgrad.teaching import plain
from manualgrad.teaching.play.formulas.formula import Formula, Place
from manualgrad.teaching.play.formulas.notation import factor, of_layer, shown, sum_of
from manualgrad.teaching.play.formulas.source import find

__all__ = [
    "dC_da",
    "da_dz",
    "delta",
    "foretold",
    "step",
    "wish_W",
    "wish_a",
    "wish_b",
    "wish_before",
    "wish_before_sum",
]


def dC_da(p: Place) -> Formula:
    value = p.layer.dC_da[p.j].item()
    name = f"∂C₀/∂{p.letter('a')}"
    if p.is_last:
        a, y = p.layer.a[p.j].item(), p.y[p.j].item()
        return Formula(
            f"{name} = 2 ({p.letter('a')} − y{subscript(p.j)})",
            f"2 ({shown(a)} − {shown(y)}) = {shown(value)}",
            value,
            find(plain.cost_backward, "dC_da ="),
            "Twice the distance of the output from its target.",
        )
    after = p.traced.layers[p.l]
    assert after.W is not None
    terms = list(zip(after.delta.tolist(), after.W[:, p.j].tolist(), strict=True))
    return Formula(
        f"{name} = Σⱼ {of_layer('δ', p.l + 1, 'ⱼ')} {of_layer('W', p.l + 1, 'ⱼ', p.j)}",
        f"{sum_of(terms)} = {shown(value)}",
        value,
        find(plain.backward, "dC_da_prev ="),
        "The neuron affects the cost through every neuron of the next layer; the contributions are added up.",
    )


def da_dz(p: Place) -> Formula:
    a, value, z = p.layer.a[p.j].item(), p.layer.da_dz[p.j].item(), p.letter("z")
    name = f"∂{p.letter('a')}/∂{z} = σ′({z})"
    if p.layer.activation == "relu":
        line, says = find(plain.relu_slope, "da_dz ="), "1 where the neuron is active, and 0 where it is not."
        return Formula(f"{name} = 1 if {z} > 0 else 0", shown(value), value, line, says)
    return Formula(
        f"{name} = (1 − {p.letter('a')}) {p.letter('a')}",
        f"(1 − {shown(a)}) · {shown(a)} = {shown(value)}",
        value,
        find(plain.sigmoid_slope, "da_dz ="),
        "The slope of the sigmoid: steepest where a is 1/2, nearly flat where a is near 0 or 1.",
    )


def delta(p: Place) -> Formula:
    value = p.layer.delta[p.j].item()
    a, z = p.letter("a"), p.letter("z")
    return Formula(
        f"{p.letter('δ')} = ∂C₀/∂{z} = ∂C₀/∂{a} · ∂{a}/∂{z}",
        f"{factor(p.layer.dC_da[p.j].item())} · {factor(p.layer.da_dz[p.j].item())} = {shown(value)}",
        value,
        find(plain.backward, "delta ="),
        "How sensitive the cost is to the weighted sum: the chain rule, one factor further back.",
    )


def wish_a(p: Place) -> Formula:
    value, name = -p.layer.dC_da[p.j].item(), f"−∂C₀/∂{p.letter('a')}"
    if p.is_last:
        a, y = p.layer.a[p.j].item(), p.y[p.j].item()
        return Formula(
            f"{name} = 2 (y{subscript(p.j)} − {p.letter('a')})",
            f"2 ({shown(y)} − {shown(a)}) = {shown(value)}",
            value,
            find(plain.cost_backward, "dC_da ="),
            "Up or down, in proportion to the distance of the output from its target.",
        )
    after = p.traced.layers[p.l]
    assert after.W is not None
    terms = list(zip((-after.delta).tolist(), after.W[:, p.j].tolist(), strict=True))
    return Formula(
        f"{name} = −Σⱼ {of_layer('δ', p.l + 1, 'ⱼ')} {of_layer('W', p.l + 1, 'ⱼ', p.j)}",
        f"{sum_of(terms)} = {shown(value)}",
        value,
        find(plain.backward, "dC_da_prev ="),
        "The sum of what all neurons of the next layer want from it.",
    )


def wish_b(p: Place) -> Formula:
    value = -p.layer.delta[p.j].item()
    return Formula(
        f"−∂C₀/∂{p.letter('b')} = −{p.letter('δ')} · 1",
        f"−{factor(-value)} · 1 = {shown(value)}",
        value,
        find(plain.backward, "dC_db ="),
        "The bias is added as it is, so its factor is 1.",
    )


def wish_W(p: Place) -> Formula:
    delta, a = p.layer.delta[p.j].item(), p.layer.a_prev[p.k].item()
    assert p.layer.dC_dW is not None
    value = -p.layer.dC_dW[p.j, p.k].item()
    return Formula(
        f"−∂C₀/∂{p.w} = −{p.letter('δ')} {p.a_prev}",
        f"−{factor(delta)} · {factor(a)} = {shown(value)}",
        value,
        find(plain.backward, "dC_dW ="),
        "In proportion to the activation that it comes from: neurons that fire together wire together.",
    )


def wish_before(p: Place) -> Formula:
    delta, w = p.layer.delta[p.j].item(), p.W[p.j, p.k].item()
    value = -delta * w
    return Formula(
        f"−{p.letter('δ')} {p.w}",
        f"−{factor(delta)} · {factor(w)} = {shown(value)}",
        value,
        find(plain.wishes_before, "wishes ="),
        f"What this neuron alone wants from {p.a_prev}: in proportion to the weight between them.",
    )


def wish_before_sum(p: Place) -> Formula:
    value = -p.layer.dC_da_prev[p.k].item()
    terms = list(zip((-p.layer.delta).tolist(), p.W[:, p.k].tolist(), strict=True))
    return Formula(
        f"−∂C₀/∂{p.a_prev} = −Σⱼ {of_layer('δ', p.l, 'ⱼ')} {of_layer('W', p.l, 'ⱼ', p.k)}",
        f"{sum_of(terms)} = {shown(value)}",
        value,
        find(plain.backward, "dC_da_prev ="),
        "The sum of what all neurons of this layer want from it: this is what propagates backward.",
    )


def step(p: Place) -> Formula:
    assert p.layer.dC_dW is not None
    before, derivative = p.W[p.j, p.k].item(), p.layer.dC_dW[p.j, p.k].item()
    value = before - p.rate * derivative
    return Formula(
        f"{p.w} ← {p.w} − η ∂C₀/∂{p.w}",
        f"{shown(before)} − {shown(p.rate)} · {factor(derivative)} = {shown(value)}",
        value,
        find(plain.step, "W = W"),
        "Every weight and bias moves against its derivative, by η times its size.",
    )


def foretold(p: Place) -> Formula:
    length = per_example_grad_norms(p.model, p.x[None], p.y[None]).item()
    value = -p.rate * length**2
    return Formula(
        "ΔC₀ ≈ −η |∇C₀|²",
        f"−{shown(p.rate)} · {shown(length)}² = {shown(value)}",
        value,
        find(plain.fall, "dC ="),
        "To first order, a step down the gradient lowers the cost by the rate times the gradient's length squared.",
    )

"""Formulas of the network with one neuron per layer: its quantities, the factors of the chain rule, and their products."""

from __future__ import annotations

from manualgrad.teaching import plain
from manualgrad.teaching.chain import Chain, Link, Parameter
from manualgrad.teaching.play.formulas.formula import Formula
from manualgrad.teaching.play.formulas.notation import factor, shown
from manualgrad.teaching.play.formulas.source import Line, find
from manualgrad.teaching.travel import input_link, links_to_cost

__all__ = ["factor_of", "product_of", "quantity"]

_SAYS = {
    "C": "How sensitive the cost is to the activation: twice its distance from y.",
    "az": "How sensitive the activation is to the weighted sum: the slope of the sigmoid.",
    "zw": "How sensitive the weighted sum is to the weight: this is the previous activation.",
    "zb": "The bias is added as it is, so its factor is 1.",
    "za": "How sensitive the weighted sum is to the previous activation: this is the weight between them.",
}

_MADE = {
    "C": "dC_da =",
    "az": "da_dz =",
    "zw": "dz_dw =",
    "zb": "dz_db =",
    "za": "dz_da_prev =",
}  # fragments of each link's line of code


def factor_of(c: Chain, of: str, by: str) -> Formula | None:
    """Return the formula of ∂of/∂by, a single link, or None if the two are not neighbours."""
    links = [input_link(c), *(link for parameter in c.parameters for link in parameter.links)]
    link = next((link for link in links if (link.of, link.by) == (of, by)), None)
    if link is None:
        return None
    name = f"∂{of}/∂{by}"
    says = _SAYS["C" if of == "C₀" else of[0] + by[0]]
    return Formula(f"{name} = {link.formula}", shown(link.value), link.value, _line(link), says)


def product_of(c: Chain, by: str) -> Formula:
    """Return the formula of ∂C₀/∂by for a weight, a bias or a quantity: the product of the factors in between.

    Raises:
        ValueError: if the chain does not have this quantity.
    """
    links = links_to_cost(c, by)
    value = 1.0
    for link in links:
        value *= link.value
    return Formula(
        f"∂C₀/∂{by} = " + " · ".join(f"∂{link.of}/∂{link.by}" for link in links),
        " · ".join(factor(link.value) for link in links) + f" = {shown(value)}",
        value,
        find(vars(Chain)["derivatives"], "found[link.of] * link.value"),
        "The chain rule: the product of the factors between the two.",
    )


def quantity(c: Chain, name: str) -> Formula | None:
    """Return the formula of z, a or C₀, or None for any other name."""
    if name == "C₀":
        last = list(c.values)[-1]
        a, line = c.values[last], find(plain.neuron, "C =")
        return Formula(
            f"C₀ = ({last} − y)²", f"({shown(a)} − {factor(c.y)})² = {shown(c.cost)}", c.cost, line, "The squared distance."
        )
    if name not in c.values or name == "a⁽⁰⁾":
        return None
    before = list(c.values)[list(c.values).index(name) - 1]
    value = c.values[name]
    if name.startswith("a"):
        line, says = find(plain.sigmoid, "a ="), "The sigmoid squeezes the weighted sum between 0 and 1."
        return Formula(f"{name} = σ({before})", f"σ({shown(c.values[before])}) = {shown(value)}", value, line, says)
    w, b = (_parameter(c, letter + name[1:]) for letter in "wb")
    return Formula(
        f"{name} = {w.name} {before} + {b.name}",
        f"{factor(w.value)} · {factor(c.values[before])} + {factor(b.value)} = {shown(value)}",
        value,
        find(plain.neuron, "z ="),
        "The weight times the previous activation, plus the bias.",
    )


def _parameter(c: Chain, name: str) -> Parameter:
    return next(p for p in c.parameters if p.name == name)


def _line(link: Link) -> Line:
    """Find the line of code that computes a link."""
    kind = "C" if link.of == "C₀" else link.of[0] + link.by[0]
    return find(plain.neuron, _MADE[kind])

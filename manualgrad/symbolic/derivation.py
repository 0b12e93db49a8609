"""The derivation of backpropagation step by step with SymPy, as text or LaTeX.

It starts with one neuron, and adds more layers (two more factors for each), several neurons (their paths add up) and several
examples (they are averaged). Each result is compared with `sympy.diff` of the whole cost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sympy
from sympy import Expr, Symbol

from manualgrad.symbolic.expression import Derivation, Factor, derive
from manualgrad.symbolic.notation import superscript

__all__ = ["Equation", "Section", "derivation"]


@dataclass(frozen=True)
class Equation:
    """An equation as text and as LaTeX."""

    text: str
    latex: str


@dataclass(frozen=True)
class Section:
    """A step of the derivation: a heading, a sentence or two, and equations."""

    heading: str
    words: str
    equations: list[Equation]

    @property
    def latex_words(self) -> str:
        """The words, with dollar signs around the formulas."""
        return re.sub(r"\S*[⁽₀-₉σΣ][^\s.:,;]*", lambda found: f"${_latex_name(found[0])}$", self.words)


def derivation(layers: int) -> list[Section]:
    """Derive a network of one neuron per layer, with this many layers after the input, then more neurons and examples."""
    chain = derive((1,) * (layers + 1))
    wide, several = derive((2, 2, 2)), derive((1, 1), examples=2)
    sections = [
        _network(layers),
        _one_neuron(chain),
        *_further_back(chain),
        _several_neurons(wide),
        _several_examples(several),
    ]
    return [*sections, _held_against_sympy({"the chain": chain, "2-2-2": wide, "two examples": several})]


def _network(layers: int) -> Section:
    L = superscript(layers)
    made = [
        _defined(f"z{superscript(l)}", f"w{superscript(l)} a{superscript(l - 1)} + b{superscript(l)}")
        for l in range(1, layers + 1)
    ]
    return Section(
        f"The network {'-'.join('1' * (layers + 1))}",
        "Each layer computes a weighted input z from the previous activation, and its activation a = σ(z) from z; "
        "C₀ is the cost of one example with the desired output y.",
        [*made, _defined("a⁽ˡ⁾", "σ(z⁽ˡ⁾)"), _defined("C₀", f"(a{L} − y)²")],
    )


def _one_neuron(d: Derivation) -> Section:
    W, b = d.W[-1][0][0], d.b[-1][0]
    return Section(
        "The last neuron: three factors",
        "A nudge to w nudges z, which nudges a, which nudges the cost: the ratios multiply. For b, only the first one differs.",
        [*_product(W, d.paths[W][0]), *_product(b, d.paths[b][0])],
    )


def _further_back(d: Derivation) -> list[Section]:
    sections = []
    for l in range(len(d.W) - 1, 0, -1):
        W, b = d.W[l - 1][0][0], d.b[l - 1][0]
        path = d.paths[W][0]
        sections.append(
            Section(
                f"Layer {l}: {len(path)} factors",
                f"z{superscript(l + 1)} depends on a{superscript(l)} too, not only on w and b: two more factors per layer.",
                [*_product(W, path), *_product(b, d.paths[b][0])],
            )
        )
    return sections


def _several_neurons(d: Derivation) -> Section:
    W = d.W[0][1][0]
    paths = d.paths[W]
    start = _partial("C₀", str(W))
    shared, rests = paths[0][:2], [path[2:] for path in paths]
    ratios = Equation(
        f"{start.text} = {_ratios(shared).text} · [ {' + '.join(_ratios(rest).text for rest in rests)} ]",
        f"{start.latex} &= {_ratios(shared).latex} \\left[ {' + '.join(_ratios(rest).latex for rest in rests)} \\right]",
    )
    values = Equation(
        f"= {_values(shared).text} · [ {' + '.join(_values(rest).text for rest in rests)} ]",
        f"&= {_values(shared).latex} \\left[ {' + '.join(_values(rest).latex for rest in rests)} \\right]",
    )
    return Section(
        "Several neurons per layer, 2-2-2: the sum over the paths",
        "w⁽¹⁾₁₀ connects input 0 to neuron 1. That neuron affects the cost through every neuron j of the next layer, "
        "and these contributions add up: Σ_j.",
        [ratios, values],
    )


def _several_examples(d: Derivation) -> Section:
    W = d.W[0][0][0]
    each = [_partial(f"C{sub}", str(W)) for sub in "₀₁"]
    average = Equation(
        f"{_partial('C', str(W)).text} = ½ ({each[0].text} + {each[1].text})",
        f"{_partial('C', str(W)).latex} &= \\frac{{1}}{{2}} \\left({each[0].latex} + {each[1].latex}\\right)",
    )
    result = d.by_chain_rule[W]
    return Section(
        "Several examples: the average",
        "The whole cost, and so its derivative, is an average over the examples. For two examples and one layer:",
        [average, Equation(f"= {_text(result)}", f"&= {_latex(result)}")],
    )


def _held_against_sympy(derivations: dict[str, Derivation]) -> Section:
    equations = []
    for name, d in derivations.items():
        left = {str(d.difference(p)) for p in d.parameters}
        sentence = f"{name}: {len(d.parameters)} derivatives minus those by sympy.diff of the whole cost: {', '.join(left)}"
        equations.append(Equation(sentence, f"&\\text{{{sentence}}}"))
    return Section(
        "Comparison with SymPy",
        "Every product and sum above, with all z and a substituted, minus SymPy's derivative of the cost is",
        equations,
    )


def _product(parameter: Symbol, path: Sequence[Factor]) -> list[Equation]:
    start, ratios, values = _partial("C₀", str(parameter)), _ratios(path), _values(path)
    return [
        Equation(f"{start.text} = {ratios.text}", f"{start.latex} &= {ratios.latex}"),
        Equation(f"= {values.text}", f"&= {values.latex}"),
    ]


def _ratios(path: Sequence[Factor]) -> Equation:
    parts = [_partial(str(factor.of), str(factor.by)) for factor in path]
    return Equation(" · ".join(part.text for part in parts), r" \cdot ".join(part.latex for part in parts))


def _values(path: Sequence[Factor]) -> Equation:
    return Equation(
        " · ".join(_text(factor.value) for factor in path), r" \cdot ".join(_latex(factor.value) for factor in path)
    )


def _partial(of: str, by: str) -> Equation:
    return Equation(f"∂{of}/∂{by}", f"\\frac{{\\partial {_latex_name(of)}}}{{\\partial {_latex_name(by)}}}")


def _defined(name: str, value: str) -> Equation:
    return Equation(f"{name} = {value}", f"{_latex_name(name)} &= {_latex_name(value)}")


def _text(expression: Expr) -> str:
    written = str(expression).replace("sigma_prime", "σ′").replace("sigma", "σ").replace("**2", "²")
    return written.replace("*", " ").replace("-", "−")


def _latex(expression: Expr) -> str:
    names = {symbol: _latex_name(str(symbol)) for symbol in expression.free_symbols}
    return sympy.latex(expression, symbol_names=names).replace(r"\sigma_{prime}", r"\sigma'")


_LATEX = {"σ": r"\sigma", "Σ": r"\sum", "−": "-", "ˡ": "l", "½": r"\frac{1}{2}", "²": "^2"}
_PLAIN = str.maketrans("⁽⁾⁰¹²³⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉₍₎", "()01234567890123456789()")


def _latex_name(name: str) -> str:
    """Convert w⁽²⁾₁₀ to w^{(2)}_{10}."""
    name = re.sub("⁽[^⁾]*⁾", lambda found: f"^{{{found[0].translate(_PLAIN)}}}", name)
    name = re.sub("[₀-₉₍₎,]+", lambda found: f"_{{{found[0].translate(_PLAIN)}}}", name)
    for letter, latex in _LATEX.items():
        name = name.replace(letter, latex)
    return name

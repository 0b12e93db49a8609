"""The docstrings' notation, in TeX: nothing is lost, nothing is turned about, and what is not understood is not guessed."""

import inspect
import re
import sys
import unicodedata
from collections import Counter

import pytest
from paths import ROOT

sys.path.append(str(ROOT / "docs"))

from making import docstring, signs, sources
from making.equations import display
from making.lexer import NotAFormula
from making.notation import tex
from making.prose import paragraph

MEANT = {
    "∂C/∂x_j": r"\frac{\partial C}{\partial x_{j}}",
    "r (h_j − h̄)": r"r\,(h_{j} - \bar{h})",
    "σ(z)": r"\sigma(z)",
    "m = Σ_i x_i / M": r"m = \sum_{i} \frac{x_{i}}{M}",
    "c Σ_t a b_t / N_t": r"c\,\sum_{t} \frac{a\,b_{t}}{N_{t}}",
    "(Σ_t b_t) / x": r"\frac{\sum_{t} b_{t}}{x}",
    "a / b²": r"\frac{a}{b^{2}}",
    "c g / b + 1": r"\frac{c\,g}{b} + 1",
    "v / A² u": r"\frac{v}{A^{2}}\,u",
    "p / Σ_k e^(x_k)": r"\frac{p}{\sum_{k} e^{x_{k}}}",
    "1/2 (u + 1)": r"\frac{1}{2}\,(u + 1)",
    "(u − 1)/u · 1/u": r"\frac{u - 1}{u} \cdot \frac{1}{u}",
    "(a + b) (c + d)/e": r"(a + b)\,\frac{c + d}{e}",
    "1 / √(v + ε)": r"\frac{1}{\sqrt{v + \varepsilon}}",
    "Wᵀ": r"W^{\mathsf{T}}",
    "aᵇ⁻¹": "a^{b-1}",
    "e⁻ᶻ": "e^{-z}",
    "dx̂_i": r"d\hat{x}_{i}",
    "z d|z|/dz": r"z\,\frac{d|z|}{dz}",
    "|d| − 1": "|d| - 1",
    "W_(i_k)e": "W_{i_{k} e}",
    "x_index(t)": r"x_{\mathrm{index} (t)}",
    "q'_nk": r"q_{nk}^{\prime}",
    "z σ″": r"z\,\sigma^{\prime\prime}",
    "delta_j a_prev_k": r"\delta_{j}\,a_{\mathrm{prev}, k}",
    "y[n,o,p]": r"y[n ,\; o ,\; p]",
    "Σ_{j≠i} x_j": r"\sum_{j \ne i} x_{j}",
    "(∂C/∂S)ᵀ Q": r"\left( \frac{\partial C}{\partial S} \right)^{\mathsf{T}}\,Q",
    "z where z > 0, else a number v": r"z \text{ where } z > 0 ,\; \text{ else a number } v",
    "b a g": r"b\,a\,g",
}


@pytest.mark.parametrize(("text", "meant"), MEANT.items(), ids=MEANT)
def test_a_formula_is_typeset_as_it_is_meant(text, meant):
    assert tex(text) == meant


@pytest.mark.parametrize("text", ["(a", "a)", "|x", "a ☃ b", "a /", "x_", "√", "a ]b["])
def test_what_is_not_in_the_notation_is_refused(text):
    with pytest.raises(NotAFormula):
        tex(text)


def test_a_block_that_is_not_in_the_notation_is_shown_as_it_stands():
    assert docstring.markdown("A sentence.\n\n    (a = b\n    c", lambda name: None) == "A sentence.\n\n```text\n(a = b\nc\n```"


def blocks():
    """Every block of equations in the catalogue, with its page."""
    texts = [(page.path, page.docstring) for page in (*sources.pages(), *sources.shared_pages())]
    texts += [(page.path, inspect.cleandoc(cls.__doc__ or "")) for page in sources.pages() for cls in page.classes]
    return [(path, part) for path, text in texts for part in text.split("\n\n") if part.startswith("    ")]


def signs_of(text):
    """Which letters, digits and operators a formula has; not how they stand."""
    text = unicodedata.normalize("NFD", re.sub(r"\bdelta", "δ", text))
    text = "".join(signs.RAISED.get(sign, signs.LOWERED.get(sign, sign)) for sign in text)
    text = text.translate(str.maketrans({"'": "′", "-": "−"})).replace("···", "⋯").replace("...", "…")
    return Counter(re.sub(r"[\s/()_^{}√`&]", "", text))


def unset(formula):
    """TeX's commands as the signs that they stand for."""
    formula = formula.replace(r"\mathrm{prev}, ", "prev ")
    formula = re.sub(r"\\(begin|end)\{aligned\}|\\\\\[0.4em\]|\\(left|right|quad|qquad|displaystyle)\b|\\[,; ]", " ", formula)
    formula = re.sub(r"\\hat\{(\\?\w+)\}", "\\1\u0302", re.sub(r"\\bar\{(\\?\w+)\}", "\\1\u0304", formula))
    formula = (
        re.sub(r"\\(frac|sqrt|text|mathrm|rlap|operatorname)\b", " ", formula)
        .replace(r"\mathsf{T}", "T")
        .replace(r"\prime\prime", "″")
        .replace(r"\prime", "′")
    )
    formula = formula.replace(r"\dots", "…").replace(r"\cdots", "⋯").replace(r"\partial", "∂").replace(r"\_", "")
    tables = (signs.RELATIONS, signs.OPERATORS, signs.DELIMITERS, signs.BIG, signs.LETTERS)
    commands = {name: sign for table in tables for sign, name in table.items() if name.startswith("\\")}
    for name in sorted(commands, key=len, reverse=True):
        formula = re.sub(re.escape(name) + r"(?![A-Za-z])", commands[name], formula)
    return formula.replace("\\", "")


def order_of(text):
    """Its words and relations, from the first to the last."""
    return re.findall(r"[a-z]{4,}|[=≤≥⟺]", text.replace("&", ""))


@pytest.mark.parametrize(("path", "block"), blocks(), ids=[f"{path}-{n}" for n, (path, _) in enumerate(blocks())])
def test_a_block_of_the_catalogue_is_typeset_loses_no_sign_and_keeps_its_order(path, block):
    typeset = unset(display(block.splitlines()))
    assert signs_of(typeset) == signs_of(re.sub(r",(?=\s{2,})", "", block))
    assert order_of(typeset) == order_of(block.replace("delta", ""))


def test_prose_is_left_alone_and_its_formulas_are_typeset():
    link = {"softmax.py": "/softmax.md"}.get
    said = paragraph("Let g = ∂C/∂y, a number b a day (see softmax.py), of a [N, C]; `keepdim` is as it was.", link)
    assert said == (
        r"Let $g = \frac{\partial C}{\partial y}$, a number $b$ a day (see [softmax.py](/softmax.md)), of a `[N, C]`;"
        " `keepdim` is as it was."
    )


def test_equations_stand_below_each_other_at_their_relation_and_remarks_beside_them():
    found = display(["    a = b    because of b", "    c + d = d        e = f"])
    assert found.splitlines()[1:-1] == [r"a &= b && \text{because of } b \\[0.4em]", r"c + d &= d \qquad e = f"]

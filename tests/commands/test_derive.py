"""`manualgrad derive`."""

from screens import manualgrad


def test_the_derivation_is_text_for_the_terminal(capsys):
    code, out, err = manualgrad(capsys, "derive")
    assert (code, err) == (0, "")
    assert "∂C₀/∂w⁽³⁾ = ∂z⁽³⁾/∂w⁽³⁾ · ∂a⁽³⁾/∂z⁽³⁾ · ∂C₀/∂a⁽³⁾\n    = a⁽²⁾ · σ′(z⁽³⁾) · 2 (a⁽³⁾ − y)" in out
    assert "Layer 1: 7 factors" in out
    assert "w⁽²⁾₀₁ · σ′(z⁽²⁾₀) · 2 (a⁽²⁾₀ − y₀) + w⁽²⁾₁₁ · σ′(z⁽²⁾₁) · 2 (a⁽²⁾₁ − y₁)" in out
    assert "the chain: 6 derivatives minus those by sympy.diff of the whole cost: 0" in out


def test_the_derivation_is_latex_for_a_document(capsys):
    code, out, _ = manualgrad(capsys, "derive", "--layers", 2, "--latex")
    assert code == 0
    assert r"&= a^{(1)} \cdot \sigma'{\left(z^{(2)} \right)} \cdot 2 \left(a^{(2)} - y\right)" in out
    assert out.isascii()
    assert out.count(r"\begin{align*}") == out.count(r"\end{align*}") == 6

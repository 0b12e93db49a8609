"""`manualgrad chain`."""

import re

import pytest
from matplotlib.text import Text
from screens import is_picture, manualgrad


@pytest.mark.parametrize("layers", [1, 3, 8])
def test_the_chain_shows_every_factor(layers, capsys, tmp_path):
    code, out, err = manualgrad(capsys, "chain", "--layers", layers)
    assert (code, err) == (0, "")
    assert out.count("∂C₀/∂w") == layers
    assert "∂a⁽¹⁾/∂z⁽¹⁾ │ σ′(z⁽¹⁾) = (1 − a⁽¹⁾) a⁽¹⁾" in out
    assert is_picture(tmp_path / "runs" / "chain.png")


def test_tanh_and_the_cross_entropy_have_their_own_formulas(capsys, tmp_path):
    code, out, err = manualgrad(capsys, "chain", "--activation", "tanh", "--cost", "cross-entropy")
    assert (code, err) == (0, "")
    assert "∂a⁽¹⁾/∂z⁽¹⁾ │ tanh′(z⁽¹⁾) = 1 − a⁽¹⁾²" in out
    assert "∂a⁽³⁾/∂z⁽³⁾ │ σ′(z⁽³⁾) = (1 − a⁽³⁾) a⁽³⁾" in out
    assert "∂C₀/∂a⁽³⁾   │ (a⁽³⁾ − y) / (a⁽³⁾ (1 − a⁽³⁾))" in out
    a, slope = (float(text.replace("−", "-")) for text in re.search(r"a⁽³⁾ = (\S+)\s.*a⁽³⁾ − y = (\S+)\.", out, re.S).groups())
    assert slope == pytest.approx(a - 1, abs=1e-3)
    assert is_picture(tmp_path / "runs" / "chain.png")


def test_a_layer_back_is_spoken_of_where_there_is_one(capsys):
    screens = {layers: manualgrad(capsys, "chain", "--layers", layers)[1] for layers in (1, 2)}
    assert "Each layer further back adds two factors." in screens[2]
    assert "Each layer further back" not in screens[1]
    assert "Three factors each; every layer further back adds two" in screens[1]


def test_the_pictures_numbers_are_the_screens(capsys, monkeypatch):
    figures = []
    monkeypatch.setattr("manualgrad.teaching.plots.chain.save", lambda figure, path: figures.append(figure))
    _, out, _ = manualgrad(capsys, "chain")
    drawn = "\n".join(text.get_text() for text in figures[0].findobj(Text))
    printed = set(re.findall(r"[+−]\d[\d.]*(?:e[+-]\d+)?", out))
    assert len(printed) > 20
    assert printed <= set(re.findall(r"[+−]\d[\d.]*(?:e[+-]\d+)?", drawn))

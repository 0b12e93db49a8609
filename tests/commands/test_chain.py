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
    assert is_picture(tmp_path / "chain.png")


def test_a_layer_back_is_spoken_of_where_there_is_one(capsys):
    screens = {layers: manualgrad(capsys, "chain", "--layers", layers)[1] for layers in (1, 2)}
    assert "Two more factors for each layer back." in screens[2]
    assert "Two more factors" not in screens[1]
    assert "Three factors each; every further layer back adds two" in screens[1]


def test_the_pictures_numbers_are_the_screens(capsys, monkeypatch):
    figures = []
    monkeypatch.setattr("manualgrad.teaching.plots.chain.save", lambda figure, path: figures.append(figure))
    _, out, _ = manualgrad(capsys, "chain")
    drawn = "\n".join(text.get_text() for text in figures[0].findobj(Text))
    printed = set(re.findall(r"[+−]\d[\d.]*(?:e[+-]\d+)?", out))
    assert len(printed) > 20
    assert printed <= set(re.findall(r"[+−]\d[\d.]*(?:e[+-]\d+)?", drawn))

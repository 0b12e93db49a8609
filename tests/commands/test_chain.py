"""`manualgrad chain`."""

import pytest
from screens import is_picture, manualgrad


@pytest.mark.parametrize("layers", [1, 3, 8])
def test_the_chain_shows_every_factor(layers, capsys, tmp_path):
    code, out, err = manualgrad(capsys, "chain", "--layers", layers)
    assert (code, err) == (0, "")
    assert out.count("∂C₀/∂w") == layers
    assert "∂a⁽¹⁾/∂z⁽¹⁾ │ σ′(z⁽¹⁾) = (1 − a⁽¹⁾) a⁽¹⁾" in out
    assert is_picture(tmp_path / "chain.png")

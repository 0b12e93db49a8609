"""The derivation as text and LaTeX."""

import matplotlib.mathtext

from manualgrad.symbolic.derivation import derivation


def test_every_equation_is_latex_that_can_be_set():
    parser = matplotlib.mathtext.MathTextParser("path")
    for section in derivation(3):
        for equation in section.equations:
            parser.parse(f"${equation.latex.replace('&', '')}$")

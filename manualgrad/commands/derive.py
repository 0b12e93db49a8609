"""`manualgrad derive`: derive backpropagation by computer algebra."""

from __future__ import annotations

import argparse
from typing import Any

from manualgrad.commands import network
from manualgrad.commands.errors import BadInput

__all__ = ["add"]

_MOST = 8


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "derive",
        help="derive backpropagation by computer algebra",
        description="Derive backpropagation by computer algebra: one neuron, more layers, several neurons, several "
        "examples. Each result is compared with SymPy's derivative of the whole cost.",
    )
    parser.add_argument("--layers", type=network.positive, default=3, metavar="L", help="layers after the input (default: 3)")
    parser.add_argument("--latex", action="store_true", help="print LaTeX, for the body of a document")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from manualgrad.commands.terminal import console
    from manualgrad.symbolic.derivation import derivation

    if options.layers > _MOST:
        raise BadInput(f"--layers must be at most {_MOST}, to be readable, got {options.layers}")
    sections = derivation(options.layers)
    if options.latex:
        for section in sections:
            equations = " \\\\\n".join(equation.latex for equation in section.equations)
            print(f"\\section*{{{section.heading}}}\n{section.latex_words}\n\\begin{{align*}}\n{equations}\n\\end{{align*}}\n")
        return 0
    screen = console()
    for section in sections:
        screen.print(section.heading, style="bold", markup=False)
        screen.print(section.words, markup=False)
        for equation in section.equations:
            screen.print(f"    {equation.text}", markup=False, soft_wrap=True)
        screen.print()
    return 0

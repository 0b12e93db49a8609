"""`manualgrad chain`: the chain rule in a network of one neuron per layer."""

from __future__ import annotations

import argparse
from typing import Any

from manualgrad.commands import network
from manualgrad.commands.errors import BadInput
from manualgrad.training.costs import COSTS

__all__ = ["add"]

_X, _Y = 0.7, 1.0
_MOST = 8  # layers
_WRITTEN = {"sigmoid": "σ(z)", "tanh": "tanh(z), and σ(z) at the end"}


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "chain",
        help="show every factor of the chain rule, with its value, for one neuron per layer",
        description="Show every factor of the chain rule with its value, for a network of one neuron per layer; then compare "
        "the products with finite differences.",
    )
    parser.add_argument("--layers", type=network.positive, default=3, metavar="L", help="layers after the input (default: 3)")
    parser.add_argument(
        "--seed", type=network.natural, default=0, metavar="N", help="random seed of the weights and biases (default: 0)"
    )
    parser.add_argument(
        "--activation", choices=list(_WRITTEN), default="sigmoid", help="activation before the last layer (default: sigmoid)"
    )
    parser.add_argument("--cost", choices=COSTS, default="quadratic", help="cost of the sigmoid output (default: quadratic)")
    network.add_picture(parser, "chain.png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    import torch

    from manualgrad.commands.terminal import console, number, save, table
    from manualgrad.network.mlp import MLP
    from manualgrad.teaching.chain import H, chain
    from manualgrad.teaching.plots.chain import plot_chain

    if options.layers > _MOST:
        raise BadInput(f"--layers must be at most {_MOST}, to fit on a screen, got {options.layers}")
    torch.manual_seed(options.seed)
    model = MLP([1] * (options.layers + 1), [options.activation] * (options.layers - 1) + ["sigmoid"], dtype=torch.float64)
    with torch.no_grad():
        for p in model.parameters():
            p.uniform_(-2, 2)
    c = chain(model, _X, _Y, options.cost)

    screen = console()
    screen.print(
        f"[bold]{'-'.join('1' * (options.layers + 1))}: one neuron per layer, "
        f"z = w a + b, a = {_WRITTEN[options.activation]}[/]"
    )
    values = ", ".join(f"{name} = {number(value)}" for name, value in c.values.items())
    C = "(a − y)²" if options.cost == "quadratic" else "−y log a − (1 − y) log(1 − a)"
    screen.print(f"{values}\nC₀ = {C} = {number(c.cost)} with y = {c.y:g}\n")

    factors = table("The factors", "<factor", "<formula", "value")
    for link in dict.fromkeys(link for parameter in c.parameters for link in reversed(parameter.links)):
        factors.add_row(f"∂{link.of}/∂{link.by}", link.formula, number(link.value))
    screen.print(factors)

    products = table("Their products", "<", "<product of the factors", "value", f"difference,\nh = {H:g}")
    for parameter in c.parameters:
        product = " · ".join(number(link.value) for link in parameter.links)
        products.add_row(f"∂C₀/∂{parameter.name}", product, number(parameter.product), number(parameter.difference))
    screen.print(products)
    if options.cost == "cross-entropy":
        z, a = list(c.values)[-2:]
        screen.print(f"The slope of the last sigmoid cancels: ∂C₀/∂{z} = {a} − y = {number(c.derivatives[z])}.")
    if options.layers == 1:
        screen.print("Three factors each; every layer further back adds two (try --layers 2).")
    else:
        screen.print("Each layer further back adds two factors.")
    save(options.out, lambda path: plot_chain(c, f"The chain rule, one neuron per layer: x = {_X}, y = {_Y:g}", path))
    screen.print(f"The picture: {options.out}", soft_wrap=True, markup=False)
    return 0

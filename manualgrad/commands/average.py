"""`manualgrad average`: the wishes of single examples against their average."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from manualgrad.commands import network
from manualgrad.commands.errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console
    from torch import Tensor
    from torch.nn import Sequential

__all__ = ["add"]

_EXAMPLES, _STEPS, _LR = 100, 1000, 5.0


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "average",
        help="the wishes of single examples against their average",
        description=f"The nudge that each of {_EXAMPLES} examples wants of one weight, and their mean, which descent takes; or "
        "what becomes of a network that listens to one digit alone.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--weight", metavar="W3[2,5]", help="layer 3, to neuron 2, from neuron 5 (the most sensitive one)")
    what.add_argument("--only-digit", type=network.natural, metavar="D", help="train on images of this digit alone")
    network.add_options(parser, "average.png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from manualgrad.commands.terminal import console

    screen = console()
    looked_at = network.load(options, screen)
    if options.only_digit is None:
        _wishes(options, looked_at, screen)
    else:
        _only(options, looked_at, screen)
    screen.print(f"The picture: {options.out}", soft_wrap=True, markup=False)
    return 0


def _wishes(options: argparse.Namespace, looked_at: network.Network, screen: Console) -> None:
    import torch

    from manualgrad.commands.terminal import bar, number, save, table
    from manualgrad.teaching.plots.average import plot_wishes
    from manualgrad.teaching.sensitivity import rank, weight, wishes

    model, training = looked_at.model.double(), looked_at.training
    batch = torch.randperm(len(training))[:_EXAMPLES]
    x, y, labels = training.x[batch].double(), training.y[batch].double(), training.labels[batch]
    if options.weight is None:
        named = rank(model, x, y, [1])[1][0].weight
    else:
        try:
            named = weight(options.weight, model)
        except ValueError as error:
            raise BadInput(f"--weight: {error}") from error
    nudges = wishes(model, x, y, named)
    title = f"What {_EXAMPLES} examples want of {named} in {looked_at.name}"
    screen.print(title, style="bold", markup=False)
    shown = table("The nudges wanted, digit by digit", "digit", "examples", "least", "mean", "most", "<mean")
    means = [nudges[labels == d].mean().item() for d in range(10) if (labels == d).any()]
    for digit in labels.unique().tolist():
        own = nudges[labels == digit]
        numbers = (number(value.item()) for value in (own.min(), own.mean(), own.max()))
        shown.add_row(str(digit), str(len(own)), *numbers, bar(own.mean().item(), max(map(abs, means))))
    screen.print(shown)
    up = int((nudges > 0).sum())
    size, mean = nudges.abs().mean().item(), nudges.mean().item()
    screen.print(
        f"{up} want it higher, {int((nudges < 0).sum())} lower. A nudge is {size:.4g} long on average, "
        f"and the average nudge, which descent takes, is {number(mean)}."
    )
    save(options.out, lambda path: plot_wishes(nudges, labels, title, path))


def _only(options: argparse.Namespace, looked_at: network.Network, screen: Console) -> None:
    from manualgrad.commands.terminal import save, table
    from manualgrad.teaching.plots.average import plot_only
    from manualgrad.teaching.sensitivity import listen_to, predictions
    from manualgrad.training.loop import accuracy

    digit, training, test = options.only_digit, looked_at.training, looked_at.test
    own = training.labels == digit
    if not own.any():
        raise BadInput(f"--only-digit: no training image has the label {digit}")

    def listening(x: Tensor, y: Tensor) -> Sequential:
        return listen_to(looked_at.model, x, y, steps=_STEPS, batch_size=_EXAMPLES, lr=_LR)

    networks = {
        "before": looked_at.model,
        f"after {_STEPS} steps on all digits": listening(training.x, training.y),
        f"after {_STEPS} steps on {digit}s alone": listening(training.x[own], training.y[own]),
    }
    seen = {name: (predictions(model, test.x), accuracy(model, test)) for name, model in networks.items()}
    title = f"A network that listens to {digit}s alone: {looked_at.name}"
    screen.print(title, style="bold", markup=False)
    shown = table(f"The {len(test):,} test images", "<network", "right", f"called a {digit}")
    for name, (counts, right) in seen.items():
        shown.add_row(name, f"{right:.1%}", f"{int(counts[digit]) / len(test):.1%}")
    screen.print(shown)
    save(options.out, lambda path: plot_only(digit, seen, title, path))

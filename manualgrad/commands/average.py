"""`manualgrad average`: the nudges that single examples want, and their average."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from manualgrad.commands import network
from manualgrad.commands.errors import BadInput

if TYPE_CHECKING:
    from rich.console import Console
    from torch import Tensor
    from torch.nn import Sequential

__all__ = ["add"]

_EXAMPLES, _STEPS, _HEARD = 100, 500, 10_000  # _HEARD: training examples whose cost determines the learning rate


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "average",
        help="compare the nudges that single examples want with their average",
        description=f"Show the nudge (negative gradient) that each of {_EXAMPLES} examples wants for one weight, and their "
        "mean, which gradient descent follows. With --only-digit, show what training on one digit alone does to a network.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--weight", metavar="W3[2,5]", help="in layer 3, to neuron 2, from neuron 5 (default: one that many want to nudge far)"
    )
    what.add_argument("--only-digit", type=network.natural, metavar="D", help="train on images of this digit alone")
    parser.add_argument(
        "--lr",
        type=network.rate,
        metavar="X",
        help="learning rate of --only-digit (default: the highest good one for all digits)",
    )
    network.add_options(parser, "average.png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from manualgrad.commands.terminal import console

    if options.lr is not None and options.only_digit is None:
        raise BadInput("--lr requires --only-digit; without it, nothing is trained")
    screen = console()
    looked_at = network.load(options, screen, partial(_check, options))
    network.check_cost(looked_at)
    if options.only_digit is None:
        _wishes(options, looked_at, screen)
    else:
        _only(options, looked_at, screen)
    screen.print(f"The picture: {options.out}", soft_wrap=True, markup=False)
    return 0


def _check(options: argparse.Namespace, looked_at: network.Network) -> None:
    from manualgrad.teaching.sensitivity import weight

    if options.only_digit is not None:
        network.check_digit("--only-digit", options.only_digit, looked_at.training)
    if options.weight is not None:
        try:
            weight(options.weight, looked_at.model)
        except ValueError as error:
            raise BadInput(f"--weight: {error}") from error


def _wishes(options: argparse.Namespace, looked_at: network.Network, screen: Console) -> None:
    import torch

    from manualgrad.commands.terminal import bar, number, save, table
    from manualgrad.teaching.plots.average import plot_wishes
    from manualgrad.teaching.sensitivity import most_wanted, weight, wishes

    model, training = looked_at.model.double(), looked_at.training
    batch = torch.randperm(len(training))[:_EXAMPLES]
    x, y, labels = training.x[batch].double(), training.y[batch].double(), training.labels[batch]
    why = ""
    if options.weight is None:
        named, longest = most_wanted(model, x, y, looked_at.cost)
        why = f"Half of them want a nudge of {longest:.4g} or more, up or down: more than for any other weight.\n"
    else:
        named = weight(options.weight, model)
    nudges = wishes(model, x, y, named, looked_at.cost)
    title = f"What {_EXAMPLES} examples want of {named}"
    screen.print(f"{title} in {looked_at.name}", style="bold", markup=False)
    screen.print(why, end="")
    shown = table("The wanted nudges by digit", "digit", "examples", "min", "mean", "max", "<mean")
    means = [nudges[labels == d].mean().item() for d in range(10) if (labels == d).any()]
    for digit in labels.unique().tolist():
        own = nudges[labels == digit]
        numbers = (number(value.item()) for value in (own.min(), own.mean(), own.max()))
        shown.add_row(str(digit), str(len(own)), *numbers, bar(own.mean().item(), max(map(abs, means))))
    screen.print(shown)
    up = int((nudges > 0).sum())
    size, mean = nudges.abs().mean().item(), nudges.mean().item()
    screen.print(
        f"{up} want it higher, {int((nudges < 0).sum())} lower. The average size of a nudge is {size:.4g}, "
        f"and the average nudge, which descent follows, is {number(mean)}."
    )
    save(options.out, lambda path: plot_wishes(nudges, labels, f"{title}\n{looked_at.name}", path))


def _only(options: argparse.Namespace, looked_at: network.Network, screen: Console) -> None:
    from rich.progress import Progress

    from manualgrad.commands.terminal import save, table
    from manualgrad.teaching.descent import RATES, average_cost, boldest
    from manualgrad.teaching.plots.average import plot_only
    from manualgrad.teaching.sensitivity import listen_to, predictions
    from manualgrad.training.loop import accuracy

    digit, training, test = options.only_digit, looked_at.training, looked_at.test
    own = training.labels == digit

    def listening(x: Tensor, y: Tensor, lr: float) -> Sequential:
        how = {"steps": _STEPS, "batch_size": _EXAMPLES, "seed": options.seed, "cost": looked_at.cost}
        return listen_to(looked_at.model, x, y, lr=lr, **how)

    rates = RATES if options.lr is None else (options.lr,)
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        tracked = progress.track(rates, description="learning rates")
        on_all = {lr: listening(training.x, training.y, lr) for lr in tracked}
    heard = training[:_HEARD]
    lr = boldest({lr: average_cost(model, heard.x, heard.y, looked_at.cost) for lr, model in on_all.items()})
    networks = {
        "before": looked_at.model,
        f"after {_STEPS} steps on all digits": on_all[lr],
        f"after {_STEPS} steps on {digit}s alone": listening(training.x[own], training.y[own], lr),
    }
    seen = {name: (predictions(model, test.x), accuracy(model, test)) for name, model in networks.items()}
    title = f"A network that listens to {digit}s alone"
    screen.print(f"{title}: {looked_at.name}", style="bold", markup=False)
    of = f": the highest of {', '.join(f'{tried:g}' for tried in rates)} at which training on all digits ends within 5% of "
    why = f"{of}the lowest cost (--lr overrides it)" if options.lr is None else ""
    screen.print(f"Learning rate {lr:g}{why}.")
    shown = table(f"The {len(test):,} test images", "<network", "accuracy", f"predicted {digit}")
    for name, (counts, right) in seen.items():
        shown.add_row(name, f"{right:.1%}", f"{int(counts[digit]) / len(test):.1%}")
    screen.print(shown)
    before, all_digits, _ = (right for _, right in seen.values())
    if all_digits < before - 0.02:
        screen.print("At this learning rate, training on all digits makes it worse, too.")
    save(options.out, lambda path: plot_only(digit, seen, f"{title}\n{looked_at.name}", path))

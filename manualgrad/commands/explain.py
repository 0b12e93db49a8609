"""`manualgrad explain`: the nudges that one training example wants."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Any

from manualgrad.commands import network
from manualgrad.commands.errors import BadInput

if TYPE_CHECKING:
    from rich.table import Table
    from torch import Tensor

    from manualgrad.teaching.explain import Explanation

__all__ = ["add"]

_STRONGEST = 6
_FIRST = 100  # number of training images of a digit that are searched


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "explain",
        help="show the nudges that one training example wants for weights, biases and activations",
        description="Show the nudges that one training example wants for weights, biases and activations, which are the "
        "negative derivatives of its cost, as tables and as a picture.",
    )
    example = parser.add_mutually_exclusive_group()
    example.add_argument(
        "--digit",
        type=network.natural,
        metavar="D",
        help=f"of the first {_FIRST} images of digit D, show the one that wants the largest nudges of the outputs (default: 2)",
    )
    example.add_argument("--index", type=network.natural, metavar="N", help="show training image N, counted from 0")
    parser.add_argument(
        "--neuron", type=network.natural, metavar="J", help="the output to show in detail (default: that of the label)"
    )
    network.add_options(parser, "explain.png")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from manualgrad.commands.terminal import console, save
    from manualgrad.teaching.explain import explain
    from manualgrad.teaching.plots.explain import plot_explanation
    from manualgrad.training.costs import formula

    screen = console()
    looked_at = network.load(options, screen, partial(_check, options))
    training = looked_at.training
    index, why = _example(options, looked_at)
    label = int(training.labels[index])
    neuron = label if options.neuron is None else options.neuron
    x, y = training.x[index].double(), training.y[index].double()
    e = explain(looked_at.model.double(), x, y, neuron, looked_at.cost)
    if not e.trace.cost.isfinite():
        raise BadInput(
            f"training image {index} has the cost {e.trace.cost.item()} in {looked_at.name}, so it has no derivatives to show"
        )
    title = f"What training image {index}, a {label}, wants of {looked_at.name}"
    screen.print(title, style="bold", markup=False)
    if why:
        screen.print(why)
    C = formula(looked_at.cost) + (", with a = softmax(z)," if looked_at.cost == "cross-entropy" else "")
    screen.print(f"A nudge to q is −∂C₀/∂q; C₀ = {C} = {e.trace.cost.item():.4f} is this image's cost.\n")
    for part in (_outputs(e), _weights(e), _activations(e), _layer_before(e), _steps(e)):
        screen.print(part)
    save(options.out, lambda path: plot_explanation(e, title, path))
    screen.print(f"The picture, back to the first layer's weights: {options.out}", soft_wrap=True, markup=False)
    return 0


def _check(options: argparse.Namespace, looked_at: network.Network) -> None:
    training = looked_at.training
    outputs = training.y.shape[1]
    if options.neuron is not None and options.neuron >= outputs:
        raise BadInput(f"--neuron must be an output from 0 to {outputs - 1}, got {options.neuron}")
    if options.index is not None and options.index >= len(training):
        raise BadInput(f"--index must be a training image from 0 to {len(training) - 1}, got {options.index}")
    if options.index is None:
        network.check_digit("--digit", _digit(options), training)


def _digit(options: argparse.Namespace) -> int:
    return 2 if options.digit is None else options.digit


def _example(options: argparse.Namespace, looked_at: network.Network) -> tuple[int, str]:
    """Return the index of the training image, and, for --digit, the reason why it was chosen."""
    from manualgrad.teaching.explain import most_to_see

    training = looked_at.training
    if options.index is not None:
        return options.index, ""
    digit = _digit(options)
    found = (training.labels == digit).nonzero()[:_FIRST, 0]
    row, wishes = most_to_see(looked_at.model, training.x[found], training.y[found], looked_at.cost)
    first = f"Of the first {len(found)} training images of a {digit}"
    return int(found[row]), f"{first}, its outputs have the strongest wishes, Σ |∂C₀/∂z| = {wishes:.4f}."


def _outputs(e: Explanation) -> Table:
    from manualgrad.commands.terminal import bar, number, table

    nudge = "nudge to z, y − a" if e.outputs.activation == "softmax" else "nudge 2(y − a)"
    shown = table("What it wants of the outputs", "output", "activation a", "target y", nudge, "<")
    largest = e.output_wishes.abs().max().item()
    for j, (a, y, wish) in enumerate(zip(e.outputs.a.tolist(), e.y.tolist(), e.output_wishes.tolist(), strict=True)):
        shown.add_row(str(j), f"{a:.4f}", f"{y:.0f}", number(wish), bar(wish, largest))
    return shown


def _weights(e: Explanation) -> Table:
    from manualgrad.commands.terminal import number, table

    j, wishes = e.neuron, e.weight_wishes
    title = f"Output {j} alone: bias {number(e.bias_wish)}; its strongest wishes of weights"
    shown = table(title, "from k", "a_k", f"nudge to W[{j},k]", "<")
    for k in wishes.abs().argsort(descending=True)[:_STRONGEST].tolist():
        shown.add_row(str(k), f"{e.outputs.a_prev[k]:.4f}", *_wish(wishes, k))
    shown.caption = "A weight is nudged in proportion to the activation a_k that it comes from."
    return shown


def _activations(e: Explanation) -> Table:
    from manualgrad.commands.terminal import number, table

    j, W, wishes = e.neuron, e.outputs.W, e.wishes_before(-1)[e.neuron]
    assert W is not None
    shown = table(f"Output {j} alone: its strongest wishes of activations", "k", f"W[{j},k]", "nudge to a_k", "<")
    for k in wishes.abs().argsort(descending=True)[:_STRONGEST].tolist():
        shown.add_row(str(k), number(W[j, k].item()), *_wish(wishes, k))
    shown.caption = f"An activation is nudged in proportion to its weight W[{j},k]."
    return shown


def _wish(wishes: Tensor, k: int) -> tuple[str, str]:
    """Return one wish, and its bar relative to the largest."""
    from manualgrad.commands.terminal import bar, number

    return number(wishes[k].item()), bar(wishes[k].item(), wishes.abs().max().item())


def _layer_before(e: Explanation) -> Table:
    from manualgrad.commands.terminal import number, table

    wishes, own = e.wishes_before(-1).sum(0), e.wishes_before(-1)[e.neuron]
    shown = table(
        "The wishes of all outputs for the layer before, added up", "k", f"of output {e.neuron}", "of the others", "sum", "<"
    )
    for k in wishes.abs().argsort(descending=True)[:_STRONGEST].tolist():
        one = own[k].item()
        shown.add_row(str(k), number(one), number(wishes[k].item() - one), *_wish(wishes, k))
    return shown


def _steps(e: Explanation) -> Table:
    from manualgrad.commands.terminal import number, table
    from manualgrad.teaching.explain import STEP

    shown = table(f"What a step of {STEP} times the wishes does to the cost", "<along the wishes of", "predicted", "measured")
    for step in e.steps:
        shown.add_row(step.along, number(step.predicted), number(step.measured))
    return shown

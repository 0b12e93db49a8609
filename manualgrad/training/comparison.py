"""The same training with manualgrad's layers and with torch.nn's, side by side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from torch import Tensor
from torch.testing import assert_close

from manualgrad.training.loop import EpochResult, Training
from manualgrad.training.plots.comparison import plot_comparison
from manualgrad.training.trouble import Watch

__all__ = ["compare"]

_STEPS = 100  # costs compared step by step; later ones drift apart because the last bits differ
_POINTS = 0.005  # tolerance for the final accuracies


def compare(make: Callable[[str], Training], picture: Path, title: str, console: Console, watch: Watch) -> int:
    """Train with both libraries, alternating by epoch, and show cost, accuracy and time side by side.

    Args:
        make: makes a training from "manualgrad" or "torch", both with the same seed.
        picture: the file for the curves; title: the title above them.
        watch: describes what is wrong with a training.

    Returns:
        0 if the costs of the first 100 steps agree within `torch.testing.assert_close` and the final accuracies within half a
        percentage point; 1 otherwise.

    Raises:
        OSError: when the picture cannot be written.
    """
    trainings = {layers: make(layers) for layers in ("manualgrad", "torch")}
    costs: dict[str, list[Tensor]] = {layers: [] for layers in trainings}
    ours, theirs = trainings.values()
    console.print("[dim]epoch      cost   torch.nn   accuracy   torch.nn   seconds   torch.nn[/]")
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=2 * ours.epochs * ours.steps_per_epoch)

        def after_step_of(training: Training, costs: list[Tensor]) -> Callable[[], None]:
            def after_step() -> None:
                if len(costs) < _STEPS:
                    costs.append(training.cost.clone())
                progress.advance(bar)

            return after_step

        runs = [training.run(after_step_of(training, costs[layers])) for layers, training in trainings.items()]
        for a, b in zip(*runs, strict=True):
            rest = f"{a.accuracy:8.2%}   {b.accuracy:8.2%}   {a.seconds:7.2f}   {b.seconds:8.2f}"
            console.print(f"{a.epoch:5}  {a.cost:8.5f}   {b.cost:8.5f}   {rest}")
    steps_agree = _steps_agree(costs["manualgrad"], costs["torch"], console)
    accuracies_agree = _accuracies_agree(ours.results[-1], theirs.results[-1], console)
    seconds, theirs_seconds = (sum(result.seconds for result in training.results) for training in trainings.values())
    ratio = seconds / theirs_seconds
    console.print(f"Time: {seconds:.1f} s with manualgrad's layers, {theirs_seconds:.1f} s with torch.nn's, ratio {ratio:.2f}.")
    for layers, training in trainings.items():
        if trouble := watch.trouble(training.results):
            console.print(f"[red]With {layers}'s layers, {trouble}.[/]")
    plot_comparison(ours.results, theirs.results, title, picture)
    console.print(f"The curves: {escape(str(picture))}")
    return 0 if steps_agree and accuracies_agree else 1


def _steps_agree(our_costs: list[Tensor], their_costs: list[Tensor], console: Console) -> bool:
    ours, theirs = torch.stack(our_costs), torch.stack(their_costs)
    far = ((ours - theirs).abs() / theirs.abs()).max().item()
    try:
        assert_close(ours, theirs)
        agree = True
    except AssertionError:
        agree = False
    verdict = "within assert_close's tolerance" if agree else "[red]more than assert_close allows[/]"
    console.print(f"\nLargest relative difference of the costs in the first {len(ours)} steps: {far:.1e}, {verdict}.")
    return agree


def _accuracies_agree(ours: EpochResult, theirs: EpochResult, console: Console) -> bool:
    far = abs(ours.accuracy - theirs.accuracy)
    verdict = "within half a point" if far <= _POINTS else "[red]more than half a point apart[/]"
    console.print(f"Final accuracy: {ours.accuracy:.2%} and {theirs.accuracy:.2%}, {verdict}.")
    return far <= _POINTS

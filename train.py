"""Train a network of hand-differentiated layers on MNIST, on the CPU or a GPU, and test it.

    python train.py                                       the notes' network, 784-16-16-10: 95%
    python train.py --hidden 100 --batch-size 10          98%
    python train.py --hidden 30 --batch-size 10           the network of Nielsen's book, chapter 1
    python train.py --dataset fashion-mnist --hidden 100
    python train.py --device cuda:1
    python train.py --engine backprop                     the same steps without autograd, in half the time

The network is an nn.Sequential of manualgrad's layers; autograd runs their hand-written backward methods. What comes of it
goes to runs/<time>-<dataset>-<layers>/, or to the folder that --out names: see manualgrad/runs.py.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path
from typing import NoReturn

try:
    import torch
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from manualgrad.data import CLASSES, DATASETS, DataError, load
    from manualgrad.plots.curve import plot_curve
    from manualgrad.runs import Run, default_folder
    from manualgrad.training import EpochResult, make_network, train
except ModuleNotFoundError as error:
    print(f'train.py: {error.name} is missing: pip install "manualgrad[train]"', file=sys.stderr)
    sys.exit(2)


# Options


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2^63 - 1")
    return int(text)


def learning_rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def device(text: str) -> torch.device:
    """auto, cpu, cuda, cuda:N or mps, as far as this machine has it."""
    if text == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if torch.mps.is_available() else "cpu")
    kind, _, number = text.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (":" in text and (kind != "cuda" or not number.isdecimal())):
        raise argparse.ArgumentTypeError(f"{text!r} is none of auto, cpu, cuda, cuda:N (N = 0, 1, ...) and mps")
    here = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.mps.is_available())}[kind]
    if int(number or 0) >= here:
        raise argparse.ArgumentTypeError(f"{text!r} is not on this machine, which has {here or 'no'} {kind} device")
    return torch.device(text)


def options() -> argparse.Namespace:
    description, _, rest = (__doc__ or "").partition("\n\n")
    parser = Parser(description=description, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add(
        "--hidden",
        type=positive_int,
        nargs="*",
        default=[16, 16],
        metavar="N",
        help="sizes of the hidden layers (16 16)",
    )
    add("--activation", choices=["sigmoid", "relu"], default="sigmoid", help="of the hidden layers (sigmoid)")
    add("--epochs", type=positive_int, default=30, metavar="N", help="passes over the training images (30)")
    add("--batch-size", type=positive_int, default=100, metavar="N", help="examples in a mini-batch (100)")
    add("--lr", type=learning_rate, metavar="X", help="learning rate at the start (0.05 x batch size)")
    add("--seed", type=seed, default=0, metavar="N", help="of the initial weights and the shuffling (0)")
    add("--device", type=device, default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps (auto)")
    add(
        "--engine",
        choices=["autograd", "backprop"],
        default="autograd",
        help="what a step is: autograd through the layers and torch.optim.SGD, or manualgrad.sgd_step (autograd)",
    )
    add("--compile", action="store_true", help="torch.compile the network, which takes a while at the start")
    add("--dataset", choices=list(DATASETS), default="mnist", help="the images (mnist)")
    add("--data-dir", type=Path, metavar="DIR", help="where torchvision's folders MNIST/raw/, ... lie or are to be put")
    add("--out", type=Path, metavar="DIR", help="folder for the results (runs/<time>-<dataset>-<layers>)")
    chosen = parser.parse_args()
    if chosen.lr is None:
        chosen.lr = 0.05 * chosen.batch_size
    if chosen.compile and chosen.engine == "backprop":
        parser.error("--compile is for --engine autograd: backprop has no graph that could be compiled")
    return chosen


def fail(message: str) -> NoReturn:
    print(f"train.py: {message}", file=sys.stderr)
    sys.exit(2)


# The job


def compile_network(model: torch.nn.Module, x: torch.Tensor) -> None:
    """Compile it in place, forward and backward, now: so that what fails does so before anything is written."""
    import torch._dynamo  # here, as it takes seconds

    model.compile()
    try:
        model(x).sum().backward()
    except torch._dynamo.exc.TorchDynamoException as error:
        fail(f"--compile: torch.compile fails on this machine ({str(error).splitlines()[0]}).")


def main() -> int:
    chosen = options()
    console = Console(highlight=False)

    try:
        training, test = (examples.to(chosen.device) for examples in load(chosen.dataset, chosen.data_dir))
    except DataError as error:
        fail(str(error))

    torch.manual_seed(chosen.seed)
    sizes = [training.x.shape[1], *chosen.hidden, CLASSES]
    model = make_network(sizes, chosen.activation).to(chosen.device)

    if chosen.compile:
        with console.status("compiling"):
            compile_network(model, training.x[: chosen.batch_size])

    asked = ("dataset", "activation", "epochs", "batch_size", "lr", "seed", "engine", "compile")
    config = {"sizes": sizes, "device": str(chosen.device)} | {name: getattr(chosen, name) for name in asked}
    folder = chosen.out or default_folder(chosen.dataset, sizes)
    try:
        run = Run(folder, config)
    except FileExistsError as error:
        fail(f"--out: {error}, which would be lost: name another folder.")
    except OSError as error:
        fail(f"--out: {folder} cannot be written to ({error.strerror}).")

    layers, parameters = "-".join(map(str, sizes)), sum(p.numel() for p in model.parameters())
    console.print(f"[bold]{layers}[/], {chosen.activation}, {parameters:,} parameters, on {chosen.device}")
    console.print(f"{chosen.dataset}: {len(training):,} images to train on, {len(test):,} to test on\n")

    results: list[EpochResult] = []
    start, interrupted = time.perf_counter(), False
    columns = (
        TextColumn("epoch {task.fields[epoch]} of {task.fields[epochs]}"),
        BarColumn(None),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        steps = math.ceil(len(training) / chosen.batch_size)
        bar = progress.add_task("", total=chosen.epochs * steps, epoch=1, epochs=chosen.epochs)

        def show(step: int) -> None:
            if step % 25 == 0:
                progress.update(bar, completed=step, epoch=(step - 1) // steps + 1)

        console.print("[dim]epoch     cost   test accuracy   seconds[/]")
        try:
            epochs = train(
                model,
                training,
                test,
                epochs=chosen.epochs,
                batch_size=chosen.batch_size,
                lr=chosen.lr,
                engine=chosen.engine,
                after_step=show,
            )
            for result in epochs:
                results.append(result)
                run.add(result)
                console.print(f"{result.epoch:5}   {result.cost:6.4f}   {result.accuracy:13.2%}   {result.seconds:7.2f}")
        except KeyboardInterrupt:
            interrupted = True

    run.save(model)
    if results:
        plot_curve(results, run.folder / "curve.png", f"{layers} ({chosen.activation}) on {chosen.dataset}")

    seconds = time.perf_counter() - start
    if interrupted:
        console.print(f"\nInterrupted in epoch {len(results) + 1}: the network is saved as it was then.")
    if results:
        share = f"[bold]{results[-1].accuracy:.2%}[/] of the {len(test):,} test images"
        console.print(f"\n{share} are classified right after {len(results)} epochs and {seconds:.1f} s.", soft_wrap=True)
    written = sorted(path.name for path in run.folder.iterdir())
    console.print(f"{', '.join(written)} are in {run.folder}", soft_wrap=True)
    if chosen.data_dir is None:
        console.print(f"What an image wants of it: manualgrad explain --checkpoint {run.folder}", soft_wrap=True)
    return 130 if interrupted else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before or after the training itself
        sys.exit(130)

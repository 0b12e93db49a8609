"""Train a network of hand-differentiated layers on MNIST, on the CPU or on GPUs, and test it.

    python train.py                                       train 784-16-16-10 (two hidden layers) in half a minute
    python train.py --recipe nielsen-30                   the network of Nielsen's book, chapter 1
    python train.py --recipe best                         the best result of sigmoid layers in ten minutes
    python train.py --recipe lenet5                       LeCun's convolutional network
    python train.py --recipe softmax                      relu, cross entropy and Adam, as most people train MNIST
    python train.py --hidden 100 --epochs 10 --batch-size 20
    python train.py --dataset fashion-mnist --hidden 100
    python train.py --engine backprop                     the same steps without autograd, in half the time
    python train.py --compare                             compare with torch.nn's layers
    python train.py --resume runs/...                     resume a run that was stopped or killed

    torchrun --nproc-per-node=2 train.py                  two processes that share each mini-batch
    torchrun --nproc-per-node=2 --max-restarts=3 train.py --out runs/mine
    torchrun --nnodes=2 --nproc-per-node=8 --rdzv-id=mine --rdzv-backend=c10d --rdzv-endpoint=HOST:29500 train.py

The network is an nn.Sequential of manualgrad's layers; autograd runs their hand-written backward methods. The results are
saved in runs/<time>-<dataset>-<layers>/, or in the folder given by --out; manualgrad/training/runs.py describes the files.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import math
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

try:
    import torch
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn, track

    from manualgrad import fused, nn
    from manualgrad.training import costs
    from manualgrad.training.comparison import compare
    from manualgrad.training.data import CLASSES, DataError, Examples, load
    from manualgrad.training.keeper import Keeper
    from manualgrad.training.loop import EpochResult, Training
    from manualgrad.training.network import make, name_of, sizes_of
    from manualgrad.training.options import config, options
    from manualgrad.training.plots.curve import plot_curve
    from manualgrad.training.plots.kernels import plot_kernels
    from manualgrad.training.plots.mistakes import plot_confusion, plot_worst
    from manualgrad.training.processes import Processes, is_lost_connection, join, leave, local_rank
    from manualgrad.training.program import call, install, print_any_name, program, typed
    from manualgrad.training.runs import Checkpoint, Run, default_folder
    from manualgrad.training.steps import AMP, AutogradStep, BackpropStep, Step
    from manualgrad.training.summary import summary
    from manualgrad.training.trouble import Watch
except ModuleNotFoundError as error:
    where = '-e ".[train]"' if Path(__file__).with_name("pyproject.toml").is_file() else '"manualgrad[train]"'
    print(f"{Path(sys.argv[0]).name}: {(error.name or '').partition('.')[0]} is missing: pip install {where}", file=sys.stderr)
    sys.exit(2)
except ValueError as error:  # MANUALGRAD_PRODUCT names an unknown library
    print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
    sys.exit(2)

if TYPE_CHECKING:
    from manualgrad.training.tensorboard import Board


def warn(message: str) -> None:
    print(f"{program()}: {message}", file=sys.stderr)


def fail(message: str) -> NoReturn:
    if local_rank() == 0:
        warn(message)
    sys.exit(2)


# Data and model


def read_data(chosen: argparse.Namespace) -> tuple[Examples, Examples]:
    """Return the training and the test examples, on the training device."""
    try:
        training, test = load(chosen.dataset, chosen.data_dir, note=warn if local_rank() == 0 else str)
    except DataError as error:
        fail(str(error))
    if chosen.validation:
        if chosen.validation >= len(training):
            fail(f"--validation must leave images to train on, got {chosen.validation} of {len(training):,} training images.")
        training, test = training[: -chosen.validation], training[-chosen.validation :]
    pixels = training.x.shape[1]
    if chosen.distort and math.isqrt(pixels) ** 2 != pixels:
        fail(f"--distort requires square images, got images of {pixels} pixels.")
    return training.to(chosen.device), test.to(chosen.device)


def make_training(
    chosen: argparse.Namespace, sizes: list[int], layers: str, training: Examples, test: Examples, processes: Processes
) -> Training:
    torch.manual_seed(chosen.seed)
    try:
        model = make(chosen.network, sizes, chosen.activation, layers, chosen.cost).to(chosen.device)
    except (RuntimeError, MemoryError) as error:
        fail(
            f"--hidden: {name_of(chosen.network, sizes)} does not fit in memory ({str(error).splitlines()[0]}); "
            "use fewer neurons."
        )
    if chosen.compile:
        compile_network(model, training.x[: chosen.batch_size])
    take_step: Step
    if chosen.engine == "backprop":
        take_step = BackpropStep(model, chosen.cost)
    else:
        take_step = AutogradStep(
            model,
            cost=chosen.cost,
            optimizer=chosen.optimizer,
            weight_decay=chosen.weight_decay,
            clip_grad_norm=chosen.clip_grad_norm,
            amp=chosen.amp,
            processes=processes,
        )
    return Training(
        model,
        training,
        test,
        epochs=chosen.epochs,
        batch_size=chosen.batch_size,
        lr=chosen.lr,
        schedule=chosen.schedule,
        distort=chosen.distort,
        generator=torch.Generator(chosen.device).manual_seed(chosen.seed),
        take_step=take_step,
        cost=chosen.cost,
        processes=processes,
        warn=warn,
    )


def compile_network(model: torch.nn.Module, x: torch.Tensor) -> None:
    """Compile the model in place, forward and backward, now, so that it fails before any file is written."""
    import torch._dynamo  # imported here because it takes seconds

    model.compile()
    try:
        model(x).sum().backward()
    except torch._dynamo.exc.TorchDynamoException as error:
        fail(f"--compile: torch.compile failed on this machine ({str(error).splitlines()[0]}).")


def prepare_formulas(training: Training, chosen: argparse.Namespace, console: Console) -> None:
    """Compile the network's formulas, or load them, and say how long it took."""
    start = time.perf_counter()
    x, y = (t[: chosen.batch_size] for t in (training.training.x, training.training.y))
    if chosen.engine == "backprop":
        with console.status("compiling the step"):
            fused()(BackpropStep(copy.deepcopy(training.model), chosen.cost))(x, y, 0.0, len(x))
        console.print(f"the fused step is ready after {time.perf_counter() - start:.1f} s\n")
        return
    autocast = torch.autocast(chosen.device.type, AMP[chosen.amp]) if chosen.amp else contextlib.nullcontext()
    with autocast:
        count = fused.prepare(
            training.model,
            x,
            loss=lambda output: costs.total(chosen.cost, output, y, nn.functional),
            progress=lambda names: track(names, "compiling formulas", console=console, transient=True),
        )
    console.print(f"{count} fused formulas are ready after {time.perf_counter() - start:.1f} s\n")


# Results


def draw(run: Run, training: Training, title: str, those: str) -> None:
    """Draw curve.png, confusion.png and worst.png for `those`, the test or held-out images; for lenet5 also kernels.png."""
    if training.results:
        plot_curve(training.results, title, those, run.folder / "curve.png")
    cost = run.config["cost"]
    with torch.no_grad():
        output = training.model(training.test.x)
    a, of_each = costs.activations(cost, output), costs.of_each(cost, output, training.test.y)
    n = f"{len(a):,} {those}"
    plot_confusion(training.test, a, f"{title}: {n}", run.folder / "confusion.png")
    plot_worst(training.test, a, of_each, f"{title}: the highest costs among {n}", run.folder / "worst.png")
    if run.config["network"] == "lenet5":
        plot_kernels(training.model, training.test, a, title, those, run.folder / "kernels.png", cost)


def picture(folder: Path) -> Path:
    """Return the path of --compare's picture, after checking that it can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "compare.png").touch()
    except OSError as error:
        fail(f"--out: cannot write to {folder} ({error.strerror}).")
    return folder / "compare.png"


def open_run(run: Run, training: Training, new: bool) -> None:
    try:
        run.start(training) if new else run.resume(training)
    except FileExistsError as error:
        fail(f"--out: {error}; choose another folder, or resume that run with --resume {typed(run.folder)}.")
    except OSError as error:
        fail(f"{'--out' if new else '--resume'}: cannot write to {run.folder} ({error.strerror}).")


def import_board() -> type[Board]:
    try:
        from manualgrad.training.tensorboard import Board
    except ModuleNotFoundError as error:
        fail(f"--tensorboard: {error.name} is missing: {install('tensorboard')}")
    return Board


def report(console: Console, run: Run, training: Training, those: str, interrupted: bool, trouble: str) -> None:
    results, n, folder = training.results, len(training.test), escape(typed(run.folder))
    if interrupted:
        console.print(f"\nInterrupted in epoch {training.epoch}; the network was saved.")
        console.print(f"To resume: {call()} --resume {folder}")
    if results:
        seconds = sum(result.seconds for result in results)
        share = f"[bold]{results[-1].accuracy:.2%}[/] of the {n:,} {those}"
        console.print(f"\n{share} are classified correctly after {epochs(len(results))} and {seconds:.1f} s.")
    if trouble:
        console.print(f"[bold]Training problem:[/] {trouble}.")
    if not training.is_finite():
        console.print("The network was not saved; checkpoint.pt holds the last finite one.")
    if run.folder.is_dir():
        written = sorted(path.name for path in run.folder.iterdir())
        console.print(f"{', '.join(written)} are in {folder}")
    if run.config["network"] == "mlp" and (run.folder / "model.pt").exists():
        data = f" --data-dir {escape(typed(run.config['data_dir']))}" if run.config["data_dir"] else ""
        console.print(f"To see the gradient of a single image: manualgrad explain --checkpoint {folder}{data}")


def epochs(n: int) -> str:
    return f"{n} epoch{'s' * (n != 1)}"


def resumption(training: Training, checkpoint: Checkpoint) -> str:
    """Describe where a run resumes, and the effect of a changed number of epochs."""
    folder, was = escape(str(checkpoint.folder)), checkpoint.config["epochs"]
    if training.epoch > training.epochs:
        return f"{folder} is finished after {epochs(training.epochs)}; to train it further, pass a larger --epochs."
    place = f"in epoch {training.epoch}, after {training.step} of its {training.steps_per_epoch} steps"
    if training.step == 0:
        place = f"at the start of epoch {training.epoch}"
    if training.epochs == was:
        return f"Resuming {folder} {place}."
    then = f"Its length changes from {epochs(was)} to {training.epochs}"
    if training.schedule == "constant":
        return f"Resuming {folder} {place}. {then}; the result is bit-identical to a run started with that length."
    return (
        f"Resuming {folder} {place}. {then}: from here on the learning rate follows the {training.schedule} schedule for "
        f"{epochs(training.epochs)}, so the result differs from a run started with that length."
    )


class Interruption:
    """Delays Ctrl-C until the step is complete, so that the saved state can be resumed; a second Ctrl-C acts at once."""

    def __enter__(self) -> Interruption:
        self.asked_for = False
        self.before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self.before)

    def _ask(self, *_: object) -> None:
        self.asked_for = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def take(self) -> None:
        if self.asked_for:
            raise KeyboardInterrupt


def learning_rate(chosen: argparse.Namespace) -> str:
    reason = chosen.lr_is_chosen_for
    return f"learning rate {chosen.lr:.3g}" + (f", chosen for {reason}; --lr overrides it" if reason else "")


# Main


def main() -> int:
    print_any_name()
    processes = join()
    chosen, checkpoint = options(sys.argv[1:], __doc__ or "", processes)
    console = Console(highlight=False, soft_wrap=True, quiet=chosen.quiet or not processes.first)
    settings = config(chosen)
    Board = import_board() if chosen.tensorboard else None
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    if processes.size > 1 and chosen.device.type == "cuda":
        chosen.device = torch.device("cuda", local_rank())
        torch.cuda.set_device(chosen.device)

    training_set, test_set = read_data(chosen)
    try:
        sizes = sizes_of(chosen.network, training_set.x.shape[1], chosen.hidden, CLASSES)
    except ValueError as error:
        fail(f"--network: {error}.")
    name = name_of(chosen.network, sizes)
    folder = checkpoint.folder if checkpoint else chosen.out or default_folder(chosen.dataset, name)
    title = f"{name}{f' ({chosen.activation})' if chosen.activation else ''} on {chosen.dataset}"

    def training_with(layers: str) -> Training:
        with console.status("compiling") if chosen.compile else contextlib.nullcontext():
            return make_training(chosen, sizes, layers, training_set, test_set, processes)

    watch = Watch(test_set.labels, settings, len(training_set))
    if chosen.compare:
        console.print(
            f"[bold]{title}[/], manualgrad's layers compared with torch.nn's\n{summary(settings)}\n{learning_rate(chosen)}\n"
        )
        try:
            return compare(training_with, picture(folder), title, console, watch)
        except OSError as error:
            warn(f"{folder / 'compare.png'} could not be written ({error.strerror})")
            return 1

    training = training_with(chosen.layers)
    if checkpoint:
        training.load_state_dict(checkpoint.training)
    run = Run(folder, {"sizes": sizes, **settings})
    keeper = None
    if processes.first:
        open_run(run, training, new=checkpoint is None)
        board = Board(folder / "tensorboard", training.epoch) if Board else None
        keeper = Keeper(run, training, chosen.save_every, warn, board)

    parameters = sum(p.numel() for p in training.model.parameters())
    where = f"on {settings['device']}" + f", in {processes.size} processes" * (processes.size > 1)
    console.print(f"[bold]{title}[/]: {parameters:,} parameters, {where}")
    those = "held-out images" if chosen.validation else "test images"
    console.print(f"{len(training_set):,} training images, {len(test_set):,} {those}")
    console.print(f"{summary(settings)}\n{learning_rate(chosen)}\n")
    if checkpoint:
        console.print(f"{resumption(training, checkpoint)}\n")
        if processes.first and checkpoint.torch_version != torch.__version__:
            warn(
                f"the run began with torch {checkpoint.torch_version}, this is {torch.__version__}: "
                "the last bits of the results may differ"
            )

    if chosen.fused:
        prepare_formulas(training, chosen, console)
    try:
        with fused() if chosen.fused else contextlib.nullcontext():
            interrupted = follow(training, keeper, watch, console, alone=processes.size == 1)
    except RuntimeError as error:
        if not is_lost_connection(error):
            raise
        warn(f"process {processes.rank} lost the connection to another process; resume with --resume {typed(folder)}")
        return 1
    leave()
    if not keeper:
        return 0
    kept = keeper.finish()
    if training.is_finite():
        kept &= keeper.attempt("curve.png or another picture", lambda: draw(run, training, title, those))
    report(console, run, training, those, interrupted, watch.trouble(training.results))
    return 130 if interrupted else 0 if kept and training.is_finite() else 1


def follow(training: Training, keeper: Keeper | None, watch: Watch, console: Console, alone: bool) -> bool:
    """Train with a progress bar and print a line per epoch; return whether Ctrl-C stopped the training."""
    columns = (
        TextColumn("epoch {task.fields[epoch]} of {task.fields[epochs]}"),
        BarColumn(None),
        TimeRemainingColumn(),
    )
    with (
        Interruption() if alone else contextlib.nullcontext() as interruption,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        steps = training.steps_per_epoch
        bar = progress.add_task("", total=training.epochs * steps, epoch=training.epoch, epochs=training.epochs)

        def after_step() -> None:
            if training.step % 25 == 0:
                progress.update(bar, completed=(training.epoch - 1) * steps + training.step, epoch=training.epoch)
            if keeper:
                keeper.after_step()
            if interruption:
                interruption.take()

        def show(result: EpochResult) -> None:
            console.print(f"{result.epoch:5}   {result.cost:6.4f}   {result.accuracy:13.2%}   {result.seconds:7.2f}")

        console.print("[dim]epoch     cost        accuracy   seconds[/]")
        for result in training.results:
            show(result)
        try:
            for result in training.run(after_step):
                show(result)
                if keeper:
                    keeper.after_epoch()
                    trouble = watch.trouble(training.results)
                    if trouble and not watch.trouble(training.results[:-1]):
                        warn(trouble)
        except KeyboardInterrupt:
            if not interruption:
                raise  # mid-step, and the other processes do not know of it
            return True
    return False


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # before or after the training itself, or in one of several processes
        sys.exit(130)

"""Time full runs of `python train.py`: 30 epochs of 784-16-16-10 on MNIST, including startup, with either engine.

python benchmarks/commands.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

from measure import HERE, show, table
from rich.console import Console
from rich.progress import track

COMMANDS = {
    "python train.py": ([], 12.0),
    "python train.py --layers torch": (["--layers", "torch"], None),
    "python train.py --engine backprop": (["--engine", "backprop"], 7.0),
    "python train.py --engine backprop --epochs 1": (["--engine", "backprop", "--epochs", "1"], None),
}
ROUNDS = 5


def seconds(options: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(HERE.parent / "train.py"), *options, "--out", f"{folder}/run"]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in track(range(ROUNDS), "commands, interleaved", console=Console(stderr=True), transient=True):
        for name, (options, _) in COMMANDS.items():
            taken[name].append(seconds(options))
    rows = table("Full commands: seconds", "", "min", "median", "max", "bound")
    for name, (_, bound) in COMMANDS.items():
        of = taken[name]
        rows.add_row(
            name,
            *(f"{value:.1f}" for value in (min(of), statistics.median(of), max(of))),
            "" if bound is None else f"{bound:.0f} ({'met' if statistics.median(of) <= bound else 'not met'})",
        )
    show(rows)


if __name__ == "__main__":
    main()

"""Shared code of the benchmarks: run contestants interleaved, each in its own process, and describe the machine."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

HERE = Path(__file__).parent
ROUNDS = 31
ROUND_SECONDS = 0.02  # minimum duration of a round
ROUND_CALLS = 5  # minimum calls in a round; a warm-up call precedes them, since the first call after a pause is slow
LONG_SECONDS = 0.1  # calls that take longer than this run once per round, without a warm-up
SETTLE_SECONDS = 0.04  # OpenMP's threads busy-wait for about 15 ms after their last work, on a core that the next process needs


class Contestant:
    """A process that times the calls returned by `function` of `module`.

    Each contestant has its own process because libraries slow each other down: the threads of NumPy's OpenBLAS busy-wait after
    a product, and slow whatever runs next in that process.
    """

    def __init__(self, module: str, function: str, python: str = sys.executable) -> None:
        environment = {
            **os.environ,
            "OMP_PROC_BIND": "true",  # one core per thread: two busy-waiting threads on one core delay each other for ms
            "OPENBLAS_THREAD_TIMEOUT": "26",  # 2^26 cycles, about 25 ms: busy-wait only between its own products
            "OPENBLAS_NUM_THREADS": str(torch.get_num_threads()),
        }
        if torch.backends.cpu.get_cpu_capability() == "AVX512":
            environment["OPENBLAS_CORETYPE"] = "SKYLAKEX"  # its best kernel, on AMD too
        self.name = f"{module}.{function}"
        self.process = subprocess.Popen(
            [python, str(HERE / "worker.py"), module, function],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def make(self, *arguments: object, calls: int = 0) -> list[float]:
        """Create the call to time, and return its values from `calls` calls."""
        values: list[float] = self._ask({"make": arguments, "calls": calls})
        return values

    def seconds(self, calls: int) -> float:
        """Return the mean seconds per call, after warm-up calls if `calls` is at least 5."""
        time.sleep(SETTLE_SECONDS)
        seconds: float = self._ask({"run": calls, "warm": calls // 5})
        return seconds

    def _ask(self, request: object) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError):
            answer = {"error": "the process ended without an answer"}
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer["value"]

    def __enter__(self) -> Contestant:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()


@dataclass(frozen=True)
class Case:
    """A column of a comparison; the arguments are passed to the functions that create the calls."""

    title: str
    arguments: tuple[object, ...] = ()


@dataclass(frozen=True)
class Bound:
    """Upper bounds on the time of `of` divided by the time of the fastest of `to`, one per case; None means no bound."""

    of: str
    to: Sequence[str]
    at_most: Sequence[float | None]


Seconds = dict[str, list[list[float]]]  # per call, by contestant, case and round


def race(
    title: str, cases: Sequence[Case], functions: Mapping[str, tuple[str, ...]], rounds: int, alike: bool = True
) -> Seconds:
    """Time the contestants, given by module and function, interleaved; `alike` checks that their calls return the same numbers.

    Raises:
        RuntimeError: if they return different numbers.
    """
    seconds: Seconds = {name: [] for name in functions}
    with contextlib.ExitStack() as processes:
        contestants = {name: processes.enter_context(Contestant(*where)) for name, where in functions.items()}
        pool = processes.enter_context(ThreadPoolExecutor())  # create all calls concurrently, since some compile
        for case in track(cases, f"{title}, interleaved", console=Console(stderr=True), transient=True):
            made = {name: pool.submit(contestant.make, *case.arguments, calls=2) for name, contestant in contestants.items()}
            values = {name: making.result() for name, making in made.items()}
            if alike:
                _check_alike(case, values)
            for name, of_rounds in _in_turns(contestants, rounds).items():
                seconds[name].append(of_rounds)
    return seconds


def compare(
    title: str,
    cases: Sequence[Case],
    functions: Mapping[str, tuple[str, ...]],
    bounds: Sequence[Bound],
    rounds: int = ROUNDS,
    alike: bool = True,
) -> None:
    """Time the contestants, and show a table of the times and one of the ratios."""
    seconds = race(title, cases, functions, rounds, alike)
    times = table(f"{title}: median µs", "", *(case.title for case in cases))
    for name, of_cases in seconds.items():
        times.add_row(name, *(f"{statistics.median(of_rounds) * 1e6:,.0f}" for of_rounds in of_cases))
    ratios = table(f"{title}: ratio (upper bound)", "", *(case.title for case in cases))
    for bound in bounds:
        cells = [_verdict(bound, seconds, i) for i in range(len(cases))]
        ratios.add_row(f"{bound.of} / {bound.to[0] if len(bound.to) == 1 else 'best peer'}", *cells)
    show(times, ratios)


def _verdict(bound: Bound, seconds: Seconds, i: int) -> str:
    best = min(bound.to, key=lambda name: statistics.median(seconds[name][i]))
    ratio, at_most = median_ratio(seconds[bound.of][i], seconds[best][i]), bound.at_most[i]
    said = f"{ratio:.2f}" if len(bound.to) == 1 else f"{ratio:.2f} of {best}"
    return said if at_most is None else f"{said} (≤ {at_most:.2f}: {'met' if ratio <= at_most else 'not met'})"


def _check_alike(case: Case, values: Mapping[str, list[float]]) -> None:
    (first, expected), *others = values.items()
    for name, found in others:
        if any(abs(a - b) > 1e-3 * abs(b) for a, b in zip(found, expected, strict=True)):
            raise RuntimeError(f"{case.title}: {name} returned {found}, but {first} returned {expected}")


def _in_turns(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, list[float]]:
    """Return the seconds per call of each contestant and round, interleaved so that a slow phase of the machine affects all."""
    calls = {name: _calls(contestant.seconds(1)) for name, contestant in contestants.items()}
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            seconds[name].append(contestant.seconds(calls[name]))
    return seconds


def _calls(seconds: float) -> int:
    return 1 if seconds > LONG_SECONDS else max(ROUND_CALLS, round(ROUND_SECONDS / seconds))


def median_ratio(of: Sequence[float], to: Sequence[float]) -> float:
    """Return the median over the rounds of the ratio within a round."""
    return statistics.median(a / b for a, b in zip(of, to, strict=True))


def machine() -> str:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        cpu = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), cpu)
    if torch.cuda.is_available():
        cpu = f"{torch.cuda.get_device_name()}, {cpu}"
    packages = ("torch", "torchvision", "numpy", "backpack-for-pytorch", "opacus")
    installed = {distribution.name for distribution in metadata.distributions()}
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages if name in installed)
    return f"{cpu}, {torch.get_num_threads()} threads, Python {platform.python_version()}, {versions}{_jax_version()}"


def _jax_version() -> str:
    found = sorted(JAX.glob("lib*/**/site-packages/jax-*.dist-info"))
    return f", jax {found[-1].name.removeprefix('jax-').removesuffix('.dist-info')}" if found else ""


JAX = HERE / ".jax"


def jax_python() -> str | None:
    """Return the interpreter of an environment with JAX, created at the first call; None, with a message, if that fails."""
    python = JAX / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if python.is_file() and subprocess.run([python, "-c", "import jax"], capture_output=True, check=False).returncode == 0:
        return str(python)
    console = Console(stderr=True)
    with console.status(f"installing JAX in {JAX}"):
        try:
            venv.create(JAX, with_pip=True, clear=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "jax"], check=True, capture_output=True)
            return str(python)
        except (OSError, subprocess.CalledProcessError) as error:
            console.print(f"JAX is skipped: installing it in {JAX} failed ({error}).")
            return None


def table(title: str, first: str, *columns: str) -> Table:
    made = Table(first, title=title, title_justify="left", box=box.MARKDOWN)
    for column in columns:
        made.add_column(column, justify="right")
    return made


def show(*tables: Table) -> None:
    """Print tables at full width, even if the terminal is narrower."""
    console = Console(width=200, soft_wrap=True)
    for made in tables:
        console.print(made)
        console.print()
    console.print(machine(), highlight=False)
    console.print()

"""What every benchmark here shares: interleaved rounds in one process, and where they ran."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table


def interleaved(contestants: Mapping[str, Callable[[], object]], rounds: int, repeat: int = 1) -> dict[str, list[float]]:
    """Seconds a call, for each contestant and round: they take turns, so that a slow spell of the machine meets them all."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for timed in [False, *[True] * rounds]:
        for name, call in contestants.items():
            start = time.perf_counter()
            for _ in range(repeat):
                call()
            if timed:
                seconds[name].append((time.perf_counter() - start) / repeat)
    return seconds


def median_ratio(of: list[float], to: list[float]) -> float:
    """The median over the rounds of the ratio within a round."""
    return statistics.median(a / b for a, b in zip(of, to, strict=True))


def machine() -> str:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        cpu = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), cpu)
    return f"{cpu}, {torch.get_num_threads()} threads, torch {torch.__version__}, Python {platform.python_version()}"


def show(table: Table) -> None:
    console = Console()
    console.print(table)
    console.print(f"[dim]{machine()}[/]", soft_wrap=True, highlight=False)

"""Measure the MNIST test accuracy and the time of train.py's recipes, with three seeds each; takes 45 minutes.

python benchmarks/recipes.py [RECIPE ...]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import HERE, show, table
from rich.console import Console
from rich.progress import track

RECIPES = ("notes", "nielsen-30", "nielsen-100", "best", "softmax", "lenet5")
SEEDS = range(3)


def run(recipe: str, seed: int) -> tuple[float, float]:
    """Return the test accuracy after the last epoch, and the seconds that the command takes, including startup."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--recipe", recipe, "--seed", str(seed), "--quiet", "--out", f"{folder}/run"]
        start = time.perf_counter()
        subprocess.run([sys.executable, str(HERE.parent / "train.py"), *options], check=True)
        seconds = time.perf_counter() - start
        *_, last = Path(folder, "run", "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return json.loads(last)["accuracy"], seconds


def main() -> None:
    recipes = sys.argv[1:] or RECIPES
    work = [(recipe, seed) for recipe in recipes for seed in SEEDS]
    found: dict[str, list[tuple[float, float]]] = {recipe: [] for recipe in recipes}
    for recipe, seed in track(work, "training", console=Console(stderr=True), transient=True):
        found[recipe].append(run(recipe, seed))
    rows = table("Recipes: test accuracy and seconds", "", "min", "mean", "max", "seconds, min", "median", "max")
    for recipe, runs in found.items():
        accuracies, seconds = ([one[i] for one in runs] for i in (0, 1))
        shown = (f"{value:.2%}" for value in (min(accuracies), statistics.mean(accuracies), max(accuracies)))
        times = (f"{value:.0f}" for value in (min(seconds), statistics.median(seconds), max(seconds)))
        rows.add_row(recipe, *shown, *times)
    show(rows)


if __name__ == "__main__":
    main()

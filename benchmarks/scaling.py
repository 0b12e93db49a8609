"""Plot how the time of a training step grows with width, depth and batch size: scaling.png.

python benchmarks/scaling.py
"""

from __future__ import annotations

import math
import statistics

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from measure import HERE, Case, Seconds, jax_python, machine, race, show, table
from steps import PEERS

PICTURE = HERE / "scaling.png"
ROUNDS = 7
NAMES = ("torch.nn", "torch.compile", "NumPy by hand", "NumPy, one thread", "JAX jit", "manualgrad.nn", "MLP", "sgd_step")
SWEEPS: dict[str, dict[int, tuple[list[int], int]]] = {
    "width w of w-w-w-w, batch 256": {w: ([w] * 4, 256) for w in (16, 64, 256, 1024)},
    "layers of 64 neurons, batch 256": {d: ([64] * (d + 1), 256) for d in (1, 2, 4, 8, 16, 32)},
    "batch size, 784-128-10": {n: ([784, 128, 10], n) for n in (1, 8, 64, 512, 4096)},
}
GREY = {"torch.nn": "-", "torch.compile": "--", "NumPy by hand": ":", "JAX jit": "-."}
COLOURED = {"manualgrad.nn": "#9ecae1", "MLP": "#3182bd", "sgd_step": "#d62728"}


def slope(x: list[int], seconds: list[float]) -> float:
    """Return the exponent of x with which the time grows between the last two points."""
    return math.log(seconds[-1] / seconds[-2]) / math.log(x[-1] / x[-2])


def quicker(a: list[list[float]], b: list[list[float]]) -> list[list[float]]:
    """Return the faster of two contestants in each case."""
    return [min(pair, key=statistics.median) for pair in zip(a, b, strict=True)]


def draw(axes: Axes, what: str, x: list[int], seconds: Seconds) -> None:
    for name, of_cases in seconds.items():
        y = [statistics.median(of_rounds) * 1e6 for of_rounds in of_cases]
        style = {"color": COLOURED[name], "lw": 2} if name in COLOURED else {"color": "0.45", "ls": GREY[name], "lw": 1.3}
        axes.loglog(x, y, marker="o", ms=3, label=f"{name}  {slope(x, y):.2f}", **style)
    axes.set(xlabel=what)
    axes.set_xticks(x, [f"{value:,}" for value in x])
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.legend(title="slope of the last segment", fontsize=8, title_fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    jax = jax_python()
    functions = {**PEERS, **({"JAX jit": ("step_jax", "jax_jit", jax)} if jax else {})}
    functions |= {name: ("step_torch", way) for name, way in zip(COLOURED, ("layers", "mlp", "sgd_step"), strict=True)}
    functions = {name: functions[name] for name in NAMES if name in functions}
    figure = Figure(figsize=(15, 5.2), layout="constrained")
    figure.suptitle(f"Time of a training step (median of {ROUNDS} rounds)")
    figure.supxlabel(machine().split(", torchvision")[0], fontsize=8, color="0.4")
    for axes, (what, sweep) in zip(figure.subplots(1, 3), SWEEPS.items(), strict=True):
        cases = [Case(str(x), arguments) for x, arguments in sweep.items()]
        seconds = race(what, cases, functions, ROUNDS)
        seconds["NumPy by hand"] = quicker(seconds["NumPy by hand"], seconds.pop("NumPy, one thread"))
        draw(axes, what, list(sweep), seconds)
        rows = table(f"Median µs by {what}", "", *(case.title for case in cases), "slope")
        for name, of_cases in seconds.items():
            medians = [statistics.median(of_rounds) * 1e6 for of_rounds in of_cases]
            rows.add_row(name, *(f"{median:,.0f}" for median in medians), f"{slope(list(sweep), medians):.2f}")
        show(rows)
    figure.axes[0].set_ylabel("µs")
    figure.savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()

"""Profile a training step by hand and with torch.nn: writes a text file per model to benchmarks/profiles/.

    OMP_PROC_BIND=true python benchmarks/profiles.py [names of models]

Each file lists the Functions and the nodes of the backward, with the number of calls per step and the milliseconds that they
take including their callees. (The profiler's overhead makes small calls look slower than they are.)
"""

from __future__ import annotations

import sys

from measure import HERE, machine
from model_steps import MODELS, ours, torchs
from torch.profiler import profile

STEPS, WARM_UP, LINES = 6, 3, 24


def main(names: list[str]) -> None:
    for name in names or list(MODELS):
        tables = [f"{title}: {_table(make(name))}" for title, make in (("torch.nn", torchs), ("by hand", ours))]
        path = HERE / "profiles" / f"{name.lower()}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n\n".join([f"A training step of {name}", *tables, machine()]) + "\n", encoding="utf-8")
        print(path)


def _table(step: object) -> str:
    assert callable(step)
    for _ in range(WARM_UP):
        step()
    with profile() as seen:
        for _ in range(STEPS):
            step()
    events = seen.key_averages()
    whole = sum(event.self_cpu_time_total for event in events) / STEPS / 1e3
    shown = [event for event in events if _is_shown(event.key)]
    lines = [
        f"{event.cpu_time_total / STEPS / 1e3:10.2f} ms  {event.count / STEPS:5g} times  {event.key}"
        for event in sorted(shown, key=lambda event: -event.cpu_time_total)[:LINES]
    ]
    return "\n".join([f"{whole:.1f} ms", *lines])


def _is_shown(key: str) -> bool:
    is_node = key.endswith(("Backward", "Backward0")) and "evaluate_function" not in key
    return is_node or key.endswith("Function") or key in ("aten::mm", "aten::addmm", "aten::bmm", "aten::convolution")


if __name__ == "__main__":
    main(sys.argv[1:])

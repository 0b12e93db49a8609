"""Run all benchmarks, one after the other, and replace the last run's tables in README.md with their output.

python benchmarks
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
README = HERE / "README.md"
SCRIPTS = ("steps", "floors", "vit", "per_example", "memory", "commands", "epoch", "scaling")
HEADING = "## The last run\n"


def main() -> int:
    text, _, _ = README.read_text(encoding="utf-8").partition(HEADING)
    parts = [text, HEADING]
    for script in SCRIPTS:
        print(f"{script}.py", file=sys.stderr)
        ran = subprocess.run([sys.executable, HERE / f"{script}.py"], stdout=subprocess.PIPE, text=True, check=False)
        if ran.returncode:
            return ran.returncode
        print(ran.stdout)
        parts.append(f"\n### {script}.py\n\n{tidy(ran.stdout)}\n")
    README.write_text("".join(parts), encoding="utf-8")
    return 0


def tidy(output: str) -> str:
    """Turn a terminal's output of tables and lines into Markdown by removing its padding."""
    lines = [line.strip() for line in output.splitlines()]
    kept = [line for i, line in enumerate(lines) if line or (i and lines[i - 1])]
    return "\n".join(kept).strip()


if __name__ == "__main__":
    sys.exit(main())

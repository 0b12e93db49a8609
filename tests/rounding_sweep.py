"""Run the tests that compare rounded numbers under other instruction sets, numbers of threads and seeds.

python tests/rounding_sweep.py [--seeds 10] [--threads 1 2 4] [--only WORD] [pytest's own options and files]

Each setting is a process of pytest, one after another: all of them take hours. What fails is printed as it ends.
"""

import argparse
import itertools
import os
import subprocess
import sys
from pathlib import Path

SETTINGS = (
    "ATEN_CPU_CAPABILITY=default",
    "ATEN_CPU_CAPABILITY=avx2",
    "ONEDNN_MAX_CPU_ISA=AVX2",
    "MKL_ENABLE_INSTRUCTIONS=AVX2",
)
FILES = (
    *("tests/functions", "tests/nn", "tests/network"),
    *("tests/test_operators.py", "tests/test_product.py", "tests/test_nestings.py"),
)
ROUNDED = "float32 or float16 or complex64 or half or rounding or precision or large"  # in a test's name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--only", default=ROUNDED, help="pytest's -k")
    options, rest = parser.parse_known_args()
    failed = 0
    for setting, threads, seed in itertools.product(SETTINGS, options.threads, range(options.seeds)):
        name, value = setting.split("=")
        command = [sys.executable, "-m", "pytest", "-q", "-r", "f", "-m", "", "-k", options.only, "--seed", str(seed)]
        done = subprocess.run(
            [*command, *(rest or FILES)],
            cwd=Path(__file__).parents[1],
            env={**os.environ, name: value, "OMP_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
        )
        lines = done.stdout.splitlines()
        print(f"{setting}, threads {threads}, seed {seed}: {lines[-1] if lines else done.stderr[-500:]}", flush=True)
        print(*(line for line in lines if line.startswith("FAILED")), sep="\n", end="")
        failed += done.returncode != 0
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())

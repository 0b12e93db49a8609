"""Plant faults in the package's derivatives and calls, one at a time, and see which ones the tests find.

    python tests/planted_faults.py record             # run the default tests, and record which of them reach each line
    python tests/planted_faults.py plant --seed 0 --count 30
    python tests/planted_faults.py plant --seed 0 --only 7     # one of them again

A fault is a changed operator, comparison, number or truth value in a line drawn at random from manualgrad/functions,
manualgrad/function and manualgrad/torch_api. For each fault, the tests that reach its line run until one fails. Run this in a
checkout that nobody edits: the fault is written into the file, and taken out again afterwards.
"""

import argparse
import ast
import random
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "manualgrad"
ROOMS = ("functions", "function", "torch_api")
DATA = ROOT / ".coverage"

PAIRS = (
    *((ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.MatMult, ast.Mult), (ast.Pow, ast.Mult), (ast.And, ast.Or)),
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn)),
)
OPERATORS = dict(PAIRS) | {other: one for one, other in PAIRS if other is not ast.Mult} | {ast.Mult: ast.Div, ast.Div: ast.Mult}


def places(path):
    """Yield the line, and a function that plants the fault, for each expression in a function's body that can be changed."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in (n for statement in function.body for n in ast.walk(statement)):
                yield from ((node.lineno, path, node, kind) for kind in kinds(node))


def kinds(node):
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in OPERATORS:
        yield "operator"
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OPERATORS:
        yield "comparison"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield "sign"
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        yield "number"


def changed(node, kind):
    """The source of the expression with the fault in it."""
    if kind == "operator":
        node.op = OPERATORS[type(node.op)]()
    elif kind == "comparison":
        node.ops[0] = OPERATORS[type(node.ops[0])]()
    elif kind == "sign":
        return f"({ast.unparse(node.operand)})"
    else:
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1
    return f"({ast.unparse(node)})"


def planted(source, node, kind):
    """The file's source with the fault in it: what an expression spans, in bytes, is replaced by the changed expression."""
    lines = source.encode().splitlines(keepends=True)
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    whole = source.encode()
    return (whole[:start] + changed(node, kind).encode() + whole[end:]).decode()


def draw(seed):
    """Yield faults at random, each line at most once."""
    found = [place for room in ROOMS for path in sorted((PACKAGE / room).rglob("*.py")) for place in places(path)]
    random.Random(seed).shuffle(found)
    seen = set()
    for line, path, node, kind in found:
        if (path, line) not in seen:
            seen.add((path, line))
            yield line, path, node, kind


def tests_that_reach(data, path, line):
    contexts = data.contexts_by_lineno(str(path)).get(line, [])
    return sorted({context.split("|")[0] for context in contexts if "::" in context})


def run_tests(tests, extra):
    listed = ROOT / ".planted-tests"
    listed.write_text("\n".join(tests))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-n",
        "auto",
        "-p",
        "no:cacheprovider",
        "-r",
        "f",
        *extra,
        f"@{listed}",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    failed = [text for text in done.stdout.splitlines() if text.startswith(("FAILED", "ERROR"))]
    return done.returncode, failed[0][:150] if failed else (done.stdout.splitlines() or [""])[-1]


def record(tests):
    names = [f"--cov={PACKAGE / room}" for room in ROOMS]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "--cov-context=test", "--cov-report=", *names, *tests]
    return subprocess.run(command, cwd=ROOT).returncode


def plant(seed, count, only):
    from coverage import CoverageData

    data = CoverageData(str(DATA))
    data.read()
    number = found = 0
    for line, path, node, kind in draw(seed):
        tests = tests_that_reach(data, path, line)
        name = f"{path.relative_to(ROOT)}:{line}"
        if not tests:
            print(f"   redrawn  {name}: no default test reaches it", flush=True)
            continue
        number += 1
        if only is None or number == only:
            found += try_one(number, name, path, node, kind, tests)
        if number == count:
            break
    print(f"{found} of {number if only is None else 1} found")


def try_one(number, name, path, node, kind, tests):
    source = path.read_text(encoding="utf-8")
    before = ast.unparse(node)
    try:
        path.write_text(planted(source, node, kind), encoding="utf-8")
        code, text = run_tests(tests, [])
    finally:
        path.write_text(source, encoding="utf-8")
    is_found = code in (1, 2) and text.startswith(("FAILED", "ERROR"))  # 2: xdist stops at the first
    verdict = "found" if is_found else "SURVIVED" if code == 0 else f"exit {code}"
    print(f"{number:3} {verdict:8} {name}: {before} -> {ast.unparse(node)} [{kind}], {len(tests)} tests, {text}", flush=True)
    return is_found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    recording = commands.add_parser("record", help="run the default tests under coverage")
    recording.add_argument("tests", nargs="*", help="only these files and folders (default: all)")
    planting = commands.add_parser("plant", help="plant faults")
    planting.add_argument("--seed", type=int, default=0)
    planting.add_argument("--count", type=int, default=30)
    planting.add_argument("--only", type=int, help="the number of one fault")
    options = parser.parse_args()
    return record(options.tests) if options.command == "record" else plant(options.seed, options.count, options.only)


if __name__ == "__main__":
    sys.exit(main())

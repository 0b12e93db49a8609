"""A formula, traced with symbolic sizes and compiled by Inductor."""

from __future__ import annotations

import ast
import inspect
import logging
import re
import tempfile
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from manualgrad._fused.switch import tracing

if TYPE_CHECKING:
    from manualgrad._fused.kernels import Formula

__all__ = ["compiled"]

# The example's sizes: distinct, no multiples of each other, and so large that Inductor divides the work among threads, which
# takes 512 elements for each; the same in every process, so that a resumed training gets the same kernel.
_SIZES = {
    1: (1 << 20,),
    2: (4096, 250),
    3: (64, 150, 110),
    4: (16, 22, 60, 50),
    5: (512, 28, 26, 57, 53),
    6: (8, 28, 26, 64, 57, 53),
    7: (512, 28, 26, 57, 53, 47, 43),
    8: (512, 28, 26, 57, 53, 47, 43, 41),
}

# A sum of more than 4096 numbers is accumulated in parts; such a kernel is right for all sizes, like one that does not
# (`need_use_acc_helper` in torch/_inductor/codegen/cpp.py).
_ACCURACY = re.compile(r"(>|<=) 4096$")


def compiled(formula: Formula) -> tuple[str, dict[str, Path]]:
    """Return the source of a function `call` of the arrays, and the shared library of each kernel that it calls.

    Raises:
        RuntimeError: when the code that Inductor generates is not of the form that this file knows.
    """
    result: list[Any] = []

    def work() -> None:
        try:
            result.append(_compiled(formula))
        except BaseException as error:
            result.append(error)

    # In a thread of its own no mode, transform, autocast or no_grad of the caller is active.
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(result[0], BaseException):
        raise result[0]
    return result[0]


def _compiled(formula: Formula) -> tuple[str, dict[str, Path]]:
    import torch._inductor
    from torch._inductor import config
    from torch.fx.experimental.proxy_tensor import make_fx

    function, shapes, dtypes, numbers, threads = formula
    letters = sorted({letter for shape in shapes for letter in shape if not letter.isdigit()}, key="".join(shapes).index)
    size = {**dict(zip(letters, _SIZES[len(letters)], strict=True)), "1": 1, "2": 2}
    examples: list[Any] = [
        torch.ones([size[letter] for letter in shape], dtype=t) for shape, t in zip(shapes, dtypes, strict=True)
    ]

    options = {"out": None} if "out" in inspect.signature(function).parameters else {}

    def traced(*arrays: Any) -> Any:
        found = function(*arrays, *numbers, **options)
        return found if isinstance(found, tuple) else (found,)

    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # it warns that there is no CUDA
    with torch.no_grad(), tracing():
        graph = make_fx(traced, tracing_mode="symbolic")(*examples)
    # What comes from Inductor's cache has no guards that could be checked, so it is asked for what it cannot have.
    caching: Any = torch.compiler.config
    with (
        torch.no_grad(),
        caching.patch(cache_key_tag=uuid.uuid4().hex),
        config.patch({"cpp.threads": threads}),
        tempfile.TemporaryDirectory() as folder,
    ):
        artifact = torch._inductor.standalone_compile(graph, examples, dynamic_shapes="from_graph")
        artifact.save(path=folder, format="unpacked")
        (file,) = Path(folder).glob("*/*.py")
        source = file.read_text(encoding="utf-8")
    _refuse_guards(graph, shapes)
    return _call(source), _libraries(source)


def _refuse_guards(graph: torch.fx.GraphModule, shapes: tuple[str, ...]) -> None:
    """Raise if the kernel is right only for some sizes, since nobody checks a guard when it is called."""
    array = next(node for node in graph.graph.nodes if node.op == "placeholder").meta["val"]
    environment = array.fake_mode.shape_env
    fixed = {size for shape in shapes for size in shape if size.isdigit()}
    for guard in environment.guards:
        if _ACCURACY.search(str(guard.expr)):
            continue
        ranges = [environment.var_to_range[symbol] for symbol in guard.expr.free_symbols]
        if not all(r.lower == r.upper and str(r.lower) in fixed for r in ranges):
            raise RuntimeError(f"the kernel would hold only where {guard.expr}")


def _call(source: str) -> str:
    """Return the function `call` of the generated module, with one parameter per array and without the checks of its inputs."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef) and node.name == "call"]
    if len(calls) != 1:
        raise RuntimeError("Inductor's module has not one function `call`")
    (call,) = calls
    first, *rest = call.body
    if not (isinstance(first, ast.Assign) and ast.unparse(first.value) == "args" and isinstance(first.targets[0], ast.Tuple)):
        raise RuntimeError("Inductor's `call` does not begin with its arguments")
    parameters = ", ".join(ast.unparse(name) for name in first.targets[0].elts)
    body = [ast.unparse(node) for node in rest if not re.match(r"args\.clear|assert_|del ", ast.unparse(node))]
    return f"def call({parameters}):\n" + "".join(f"    {line}\n" for statement in body for line in statement.splitlines())


def _libraries(source: str) -> dict[str, Path]:
    """Return the shared library of each kernel of the generated module, which is loaded already."""
    module: dict[str, Any] = {"__name__": "manualgrad_fused"}
    exec(compile(source, "<Inductor>", "exec"), module)
    names = re.findall(r"^(\w+) = async_compile\.\w+\(", source, re.MULTILINE)
    return {name: Path(module[name].__self__.__file__) for name in names}

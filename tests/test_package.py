"""What the package as a whole holds to."""

import ast
import pickle
import subprocess
import sys

import torch
from paths import PACKAGE

import manualgrad


def test_importing_manualgrad_imports_torch_alone():
    """Of what else is installed it brings in no more than torch itself does."""
    code = """
import sys, torch
before = {name.partition(".")[0] for name in sys.modules}
import manualgrad
print({name.partition(".")[0] for name in sys.modules} - before - set(sys.stdlib_module_names), "torch._dynamo" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "{'manualgrad'} False\n"


def test_no_public_function_hides_a_module():
    for name in manualgrad.__all__:
        value, module = getattr(manualgrad, name), sys.modules.get(f"manualgrad.{name}")
        assert module is None or module is value, name


def test_an_mlp_that_version_0_1_0_pickled_is_loaded(monkeypatch):
    monkeypatch.setattr(manualgrad.MLP, "__module__", "manualgrad.network")  # where it was
    content = pickle.dumps(manualgrad.MLP([3, 2]))
    monkeypatch.undo()
    assert b"manualgrad.network.mlp" not in content
    assert type(pickle.loads(content)) is manualgrad.MLP
    assert pickle.loads(content)(torch.rand(5, 3)).shape == (5, 2)


def test_what_dynamo_traces_asks_isinstance_about_tuples():
    """torch 2.9's Dynamo cannot trace `isinstance(x, int | float)`."""
    for room in ("torch_api", "functions", "function", "nn"):
        for path in (PACKAGE / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
                    assert not isinstance(node.args[1], ast.BinOp), f"{path}:{node.lineno}"

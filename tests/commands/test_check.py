"""`manualgrad check` on the command line."""

import io
import re
import subprocess
import sys

import pytest

from manualgrad.cli import main
from manualgrad.testing import CHECKS

MODULE = """
import torch

class Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x * g

class Right(Wrong):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g

def make_inputs():
    return (torch.randn(3),)

def make_nothing():
    return None

def make_trouble():
    return torch.ones(3) @ torch.ones(4)

number = 3
"""


@pytest.fixture(autouse=True)
def _module(tmp_path, monkeypatch):
    (tmp_path / "layers_of_mine.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.delitem(sys.modules, "layers_of_mine", raising=False)


def check(function="layers_of_mine:Right", inputs="layers_of_mine:make_inputs"):
    return main(["check", function, "--inputs", inputs])


def test_a_correct_function_exits_with_0(capsys):
    assert check() == 0
    assert "backward              SUCCESS" in capsys.readouterr().out


def test_a_broken_function_exits_with_1_and_says_why(capsys):
    assert check("layers_of_mine:Wrong") == 1
    assert "backward              FAILED: the gradient of x[0] is " in capsys.readouterr().out


def test_a_check_that_itself_fails_exits_with_3(monkeypatch):
    import manualgrad.testing

    monkeypatch.setitem(manualgrad.testing._CHECKS, "shapes", lambda subject, sample: 1 / 0)
    assert check() == 3


def test_a_class_is_instantiated_where_it_can_be_without_arguments(capsys):
    assert check("torch.nn:GELU") == 0
    printed = capsys.readouterr().out
    assert printed.startswith("torch.nn:GELU is a class; checking an instance made without arguments, GELU().")
    assert "backward              SUCCESS" in printed


def test_nothing_checked_exits_with_3(capsys):
    assert check("torch:isnan") == 3
    assert "nothing was checked" in capsys.readouterr().out


def test_progress_is_shown_on_a_terminal_alone(monkeypatch, capsys):
    from rich.console import Console

    from manualgrad.commands import terminal

    assert main(["check", "layers_of_mine:Right", "--inputs", "layers_of_mine:make_inputs", "--checks", "backward"]) == 0
    piped = capsys.readouterr().out
    assert piped == "backward  SUCCESS\n\n1 check: all passed\n"
    screen = io.StringIO()
    monkeypatch.setattr(terminal, "console", lambda: Console(file=screen, force_terminal=True))
    assert main(["check", "layers_of_mine:Right", "--inputs", "layers_of_mine:make_inputs", "--checks", "backward,shapes"]) == 0
    assert "shapes (2 of 2)" in screen.getvalue()


BAD = {
    "a class": ({"function": "torch.nn:Linear"}, "torch.nn:Linear is a class that needs arguments"),
    "no colon": ({"function": "layers_of_mine"}, "'layers_of_mine' must have the form package.module:name"),
    "no module": ({"function": "nowhere:F"}, "nowhere cannot be imported: No module named 'nowhere'"),
    "no name": ({"function": "layers_of_mine:F"}, "module layers_of_mine has no attribute F"),
    "no function": ({"function": "layers_of_mine:number"}, "fn must be a Function or a callable, got int"),
    "trouble": (
        {"inputs": "layers_of_mine:make_trouble"},
        "--inputs: layers_of_mine:make_trouble raised RuntimeError: inconsistent tensor size",
    ),
    "no inputs": ({"inputs": "layers_of_mine:make_nothing"}, "inputs must be a tuple of arguments"),
    "inputs no function": (
        {"inputs": "layers_of_mine:number"},
        "layers_of_mine:number must be a function that returns the inputs",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_exits_with_2_and_one_sentence(arguments, message, capsys):
    assert check(**arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.exhaustive
def test_it_runs_as_a_module(tmp_path):
    command = [sys.executable, "-m", "manualgrad", "check", "layers_of_mine:Wrong", "--inputs", "layers_of_mine:make_inputs"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1
    assert "FAILED" in result.stdout
    assert result.stderr == ""


def test_list_says_what_each_check_looks_for(capsys):
    assert main(["check", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CHECKS)
    assert all(re.search(r"\s{2,}[A-Zt].{20,}", line) for line in lines)


def test_checks_named_are_run_alone(capsys):
    arguments = ["check", "layers_of_mine:Wrong", "--inputs", "layers_of_mine:make_inputs"]
    assert main([*arguments, "--checks", "vmap, shapes"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 checks: 1 skipped"
    assert main([*arguments, "--checks", "backward"]) == 1
    assert main([*arguments, "--checks", "backwards"]) == 2
    assert "checks must be names from forward_is_pure, " in capsys.readouterr().err

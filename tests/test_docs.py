"""The documents: their code runs, what they quote is there, and so is what they point to."""

import ast
import re
import shlex

import pytest
import torch
from paths import ROOT

import manualgrad
from manualgrad import cli
from manualgrad.training.options import options
from manualgrad.training.processes import ALONE

DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
BACKPROPAGATION = ROOT / "docs" / "backpropagation.md"

document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def blocks(path):
    return re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


RUNNABLE = [block for block in blocks(BACKPROPAGATION) if not block.startswith("# manualgrad/")]


def test_the_backpropagation_document_has_code_that_runs():
    assert len(RUNNABLE) >= 6


@pytest.mark.parametrize("block", RUNNABLE, ids=range(1, len(RUNNABLE) + 1))
def test_each_block_of_the_backpropagation_document_runs_by_itself(block):
    exec(block, {})


def test_the_citation_is_of_this_version():
    assert f"version: {manualgrad.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_readmes_code_of_the_algorithm_runs():
    (block,) = [block for block in blocks(ROOT / "README.md") if "import MLP" in block]
    exec(block, {})


def test_the_readmes_code_of_by_hand_prints_what_it_says(capsys):
    (block,) = [block for block in blocks(ROOT / "README.md") if "by_hand()" in block]
    exec(block, {"torch": torch, "manualgrad": manualgrad})
    assert capsys.readouterr().out == "1.0\n"


def test_the_lines_that_it_quotes_stand_in_the_package():
    quoted = [block for block in blocks(BACKPROPAGATION) if block.startswith("# manualgrad/")]
    assert len(quoted) >= 5
    for block in quoted:
        for line in block.splitlines():
            if line.startswith("# manualgrad/"):
                lines = (ROOT / line[2:]).read_text(encoding="utf-8").splitlines()
            else:
                assert line in lines, line


def code_alone(source, name):
    """A class without its annotations, decorators and docstring."""
    (found,) = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name]
    found.body = [node for node in found.body if isinstance(node, ast.FunctionDef)]
    for function in found.body:
        function.returns = None
        for argument in function.args.args:
            argument.annotation = None
    return ast.unparse(found)


def test_the_layer_that_the_readme_shows_is_that_of_the_package():
    (block,) = [block for block in blocks(ROOT / "README.md") if "class ReLUFunction" in block]
    source = (ROOT / "manualgrad" / "functions" / "activations" / "relu.py").read_text(encoding="utf-8")
    assert code_alone(block, "ReLUFunction") == code_alone(source, "ReLUFunction")


@document
def test_every_test_that_a_document_names_exists(document):
    for row in document.read_text(encoding="utf-8").splitlines():
        module = None
        for name in re.findall(r"`((?:[\w/]*test_\w+\.py::)?test_\w+)`", row):
            module = name.split("::")[0] if "::" in name else module
            assert module, f"{name} without its module"
            source = (ROOT / "tests" / module).read_text(encoding="utf-8")
            assert f"def {name.split('::')[-1]}(" in source, name


@document
def test_every_picture_and_file_that_a_document_links_is_there(document):
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).is_file(), target


@document
def test_every_command_that_a_document_names_is_one(document, monkeypatch):
    """It is parsed, and not run."""
    text = document.read_text(encoding="utf-8")
    commands = {c for c in re.findall(r"`(?:python -m )?manualgrad ([a-z][^`]*)`", text) if c.split()[0] != "check"}
    ran = []
    for name in ("explain", "chain", "sensitivity", "average", "descent", "derive", "predict"):
        monkeypatch.setattr(getattr(cli, name), "run", lambda options: ran.append(options) or 0)
    monkeypatch.setattr(cli.train, "run", lambda arguments: ran.append(options(arguments, "", ALONE)) or 0)
    for command in commands:
        assert cli.main(shlex.split(command)) == 0
    assert len(ran) == len(commands)


@document
def test_every_call_of_train_py_that_a_document_shows_is_one(document):
    """It is parsed, and not run."""
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    calls = re.findall(r"(?:python|torchrun[^\n`]*?) train\.py([^`\n(#&|]*)", text)
    assert calls or document.name != "README.md"
    for call in calls:
        arguments = [argument for argument in shlex.split(call) if argument not in ("--help", "--resume", "runs/...")]
        options(arguments, "", ALONE)


def test_every_idea_of_the_notes_has_a_command_or_function_and_a_test():
    table = BACKPROPAGATION.read_text(encoding="utf-8").split("## Where each idea is")[1]
    rows = [row.split("|")[1:-1] for row in table.splitlines() if row.startswith("|")][2:]
    assert len(rows) >= 15
    for idea, command, test in rows:
        assert idea.strip()
        assert "`" in command
        assert "::test_" in test

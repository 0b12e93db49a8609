"""The documents: their code runs, what they quote is there, and so is what they point to."""

import ast
import re
import shlex
import sys

import pytest
from paths import ROOT

sys.path.append(str(ROOT / "docs"))

import torch_under_check
from torch_faults import FAULTS

import manualgrad
from manualgrad import cli
from manualgrad.testing import CHECKS, check_function
from manualgrad.training.options import options
from manualgrad.training.processes import ALONE

DOCS = ROOT / "docs"
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md")),
    *sorted(path for path in DOCS.rglob("*.md") if not path.is_relative_to(DOCS / "generated")),
]
LESSON = [DOCS / "backpropagation.md", *sorted((DOCS / "learn").glob("*.md"))]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


document = pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)


def blocks(path):
    """The blocks of Python on a page, each with what it prints, where a block of output follows."""
    found = re.findall(r"```python\n(.*?)```(?:\s*```output\n(.*?)```)?", path.read_text(encoding="utf-8"), re.DOTALL)
    return [(code, printed) for code, printed in found]


def is_quoted(code):
    return code.startswith("# manualgrad/")


WITH_CODE = [path for path in DOCUMENTS if any(not is_quoted(code) for code, _ in blocks(path))]
WORDS = re.compile(r"-?\d+\.[\de-]+")  # numbers that are drawn are apart from the words


@pytest.mark.parametrize("document", WITH_CODE, ids=name_of)
def test_every_code_block_of_a_page_runs_and_prints_what_follows_it(document, capsys):
    """From the first to the last, as a reader types them."""
    typed = {"__name__": "typed"}
    for code, printed in blocks(document):
        if is_quoted(code):
            continue
        exec(code, typed)
        shown = capsys.readouterr().out
        if printed:
            assert WORDS.sub("", shown).split() == WORDS.sub("", printed).split()


def test_the_pages_that_teach_have_code():
    assert {name_of(path) for path in WITH_CODE} >= {
        *("README.md", "docs/start.md", "docs/in-a-model.md", "docs/write-your-own.md", "docs/how-it-works.md"),
        *(
            "docs/learn/chain.md",
            "docs/learn/neurons.md",
            "docs/learn/wishes.md",
            "docs/learn/average.md",
            "docs/learn/descent.md",
        ),
    }


def test_the_citation_is_of_this_version():
    assert f"version: {manualgrad.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_lines_that_the_lesson_quotes_stand_in_the_package():
    quoted = [code for path in LESSON for code, _ in blocks(path) if is_quoted(code)]
    assert len(quoted) >= 5
    for block in quoted:
        for line in block.splitlines():
            if line.startswith("# manualgrad/"):
                lines = (ROOT / line[2:]).read_text(encoding="utf-8").splitlines()
            else:
                assert line in lines, line


def test_the_lesson_quotes_short_formulas():
    quoted = [line for path in LESSON for code, _ in blocks(path) if is_quoted(code) for line in code.splitlines()]
    assert max(map(len, quoted)) <= 80
    plain = [line for line in quoted if not line.startswith("#")]
    assert all(re.fullmatch(r" +\w+ = [^#]+", line) for line in plain)


@document
def test_no_document_links_to_a_server_that_may_not_run(document):
    assert not re.search(r"\]\(https?://(127\.0\.0\.1|localhost)", document.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["README.md", "docs/start.md"])
def test_a_newcomer_is_told_how_to_get_the_repository_an_environment_and_the_library_alone(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    repository = re.search(r'^Repository = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)[1]
    places = [
        text.index(line)
        for line in (f"\ngit clone {repository}\ncd manualgrad\n", "\npython3 -m venv .venv", 'pip install -e ".[train]"')
    ]
    assert places == sorted(places)
    assert f"pip install git+{repository}" in text
    assert ".venv\\Scripts\\activate" in text


def test_the_start_has_no_line_that_powershell_5_refuses():
    assert "&&" not in (DOCS / "start.md").read_text(encoding="utf-8")


def code_alone(source, name):
    """A class without its annotations, decorators and docstring."""
    (found,) = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name]
    found.body = [node for node in found.body if isinstance(node, ast.FunctionDef)]
    for function in found.body:
        function.returns = None
        for argument in function.args.args:
            argument.annotation = None
    return ast.unparse(found)


def test_the_layer_that_is_shown_is_that_of_the_package():
    (block,) = [code for code, _ in blocks(DOCS / "how-it-works.md") if "class ReLUFunction" in code]
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
    for name in ("explain", "chain", "sensitivity", "average", "descent", "derive", "play", "predict"):
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
    assert calls or name_of(document) not in ("README.md", "docs/start.md", "docs/training.md")
    for call in calls:
        arguments = [argument for argument in shlex.split(call) if argument not in ("--help", "--resume", "runs/...")]
        options(arguments, "", ALONE)


def test_every_idea_of_the_notes_has_a_command_or_function_and_a_test():
    table = (DOCS / "backpropagation.md").read_text(encoding="utf-8").split("## Where each idea is")[1]
    rows = [row.split("|")[1:-1] for row in table.splitlines() if row.startswith("|")][2:]
    assert len(rows) >= 15
    for idea, command, test in rows:
        assert idea.strip()
        assert "`" in command
        assert "::test_" in test


README = ROOT / "README.md"


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").split()) <= 700


def test_the_readmes_first_screen_has_its_table_two_commands_and_the_pages_picture():
    screen = README.read_text(encoding="utf-8").split("## ")[0]
    assert '\npip install -e ".[train]" && python train.py\npip install -e ".[test]" && pytest -n auto\n' in screen
    assert "(docs/pictures/play.png)" in screen
    assert screen.count("| right |") >= 5


def rows_of_the_readmes_table():
    found = re.findall(
        r"^\| `(F\..+?)` \| (.+?) \| (silently wrong|raises) \| right \|$", README.read_text(encoding="utf-8"), re.M
    )
    checks = {"forward mode": "forward_ad"}
    return [(name, checks.get(what, what.replace(" ", "_")), how) for name, many, how in found for what in many.split(", ")]


@pytest.mark.parametrize("number", [0, 1])
def test_each_block_of_the_readme_runs_alone(number, capsys):
    code, printed = blocks(README)[number]
    exec(code, {"__name__": "typed"})
    assert capsys.readouterr().out.split() == printed.split()


def test_the_readmes_table_has_rows():
    assert len(rows_of_the_readmes_table()) >= 8


@pytest.mark.parametrize(("name", "check", "how"), rows_of_the_readmes_table())
def test_a_derivative_that_the_readme_names_is_not_pytorchs_and_is_ours(name, check, how):
    """PyTorch's, by the table of all of its functions under check; ours by the same check on the same inputs."""
    table = (DOCS / "torch-under-check.md").read_text(encoding="utf-8")
    ((faults, not_applicable),) = re.findall(rf"^\| `{re.escape(name)}` \| (.*) \| (.*) \|$", table, re.M)
    words = check.replace("_", " ")
    assert f"{words}: [fault" in faults if how == "silently wrong" else words in not_applicable.split(", ")
    function, inputs = torch_under_check.SUBJECTS[name]
    assert check_function(manualgrad.by_hand()(function), inputs, checks=check) == {check: "SUCCESS"}


def test_each_program_that_the_readmes_table_links_is_of_its_row():
    """That the program shows the fault, and that ours does not have it, is in test_torch_under_check.py."""
    rows = re.findall(
        r"^\| `F\.(\w+)`.* \[.+?\]\(docs/torch-under-check\.md#fault-(\d+)\) \| right \|$",
        README.read_text(encoding="utf-8"),
        re.M,
    )
    assert [name for name, _ in rows] == ["layer_norm", "scaled_dot_product_attention", "hardsigmoid"]
    for name, n in rows:
        assert FAULTS[int(n) - 1].what.startswith(name)
        assert FAULTS[int(n) - 1].by_hand


def measured_models():
    """Of each model, by hand beside torch.nn: eager, fused and compiled."""
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8").partition("### models.py")[2].partition("\n## ")[0]
    return {name: ratios for name, *ratios in re.findall(r"^\| (\S+) \| (\S+) \(.*?\| (\S+) .*?\| (\S+) \(.*?\|", text, re.M)}


def test_the_pages_speeds_are_those_that_were_measured():
    page = (DOCS / "speed.md").read_text(encoding="utf-8")
    models = measured_models()
    assert len(models) == 6
    for name, (eager, fused, compiled) in models.items():
        assert re.search(rf"^\| {name}.* \| {eager} \| {fused} \| {compiled} \|$", page, re.M), name


def test_the_readmes_numbers_are_those_of_the_pages():
    readme = README.read_text(encoding="utf-8")
    pages = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("torch-under-check", "catalogue")}
    assert f"PyTorch {re.search(r'PyTorch ([0-9.]+)', pages['torch-under-check'])[1]} |" in readme
    shares = re.findall(r"^\| (.+?) \| 0% \| \d+% \| (\d+%) \|$", pages["catalogue"], re.M)
    assert {share for _, share in shares} == {"100%"}
    assert f"[{len(shares)} models](docs/catalogue.md)" in readme
    for model in ("resnet18", "vit_b_16", "swin_t", "GPT-2", "Llama"):
        assert model in readme
        assert any(name.startswith(model) for name, _ in shares)
    eager, fused, compiled = measured_models()["resnet18"]
    said = f"swapped and inside `by_hand`, takes {eager} times as long in eager mode, {fused} fused and {compiled} compiled"
    assert f"a resnet18, {said}" in " ".join(readme.split())
    assert f"{len(CHECKS)} checks: all passed" in readme

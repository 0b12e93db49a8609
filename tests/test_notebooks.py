"""The notebooks: they run, they can be read without running, and need no library but those of the `train` extra."""

import ast
import re
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from paths import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_two():
    assert [path.stem for path in NOTEBOOKS] == ["any_order", "one_example"]


@pytest.mark.few(1)
@notebook
def test_its_cells_run_and_what_they_claim_holds(path):
    """The claims are asserted in the cells."""
    content = nbformat.read(path, as_version=4)
    assert any("assert" in cell.source for cell in content.cells)
    NotebookClient(content, timeout=300, kernel_name="python3", resources={"metadata": {"path": path.parent}}).execute()


@notebook
def test_it_was_run_from_its_top_to_its_end_and_kept_what_it_showed(path):
    cells = code(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "execute_result"}  # and no "error"
    assert any("image/png" in output.get("data", {}) for output in outputs)


@notebook
def test_it_shows_no_warning_and_no_folder_of_the_machine_that_ran_it(path):
    for cell in code(path):
        for output in cell.outputs:
            assert output.get("name") != "stderr"
            assert not re.search(r"/(root|home|tmp|Users)/", str({**output, "data": output.get("data", {}).get("text/plain")}))


@notebook
def test_it_installs_manualgrad_where_it_is_missing_and_opens_in_colab_from_this_repository(path):
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    repository = re.search(r'^Repository = "https://github.com/(.+)"$', pyproject, re.M)[1]
    first, install = nbformat.read(path, as_version=4).cells[:2]
    address = f"https://colab.research.google.com/github/{repository}/blob/main/notebooks/{path.name}"
    assert f"[in Colab]({address})" in first.source
    found, ran = {}, []
    source = install.source.replace("subprocess.run(", "ran.append(")
    assert source != install.source
    exec(source.replace(", check=True", ""), found | {"ran": ran})
    assert ran == []  # it is here
    exec(source.replace('"manualgrad")', '"not_here")').replace(", check=True", ""), found | {"ran": ran})
    assert ran[0][1:4] == ["-m", "pip", "install"]
    assert ran[0][-1] == f"manualgrad[train] @ git+https://github.com/{repository}"


@notebook
def test_it_is_no_larger_than_a_megabyte(path):
    assert path.stat().st_size <= 1e6


@notebook
def test_its_prose_stands_between_all_its_cells_and_its_links_lead_somewhere(path):
    cells = nbformat.read(path, as_version=4).cells
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert len(prose) >= 0.8 * len(code(path))
    for target in re.findall(r"\]\(([^)#:]+)\)", "\n".join(prose)):
        assert (path.parent / target).is_file(), target


@notebook
def test_it_imports_torch_matplotlib_and_manualgrad_alone(path):
    source = "\n".join(line for cell in code(path) for line in cell.source.splitlines() if not line.startswith("%"))
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module.partition(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"torch", "matplotlib", "manualgrad"}

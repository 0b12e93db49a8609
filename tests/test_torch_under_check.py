"""docs/torch-under-check.md: what it accuses PyTorch of is shown by a program each, and its table accuses of nothing else."""

import re
import sys
import warnings

import pytest
import torch
from paths import ROOT
from torch.testing import assert_close

DOCS = ROOT / "docs"
sys.path.append(str(DOCS))

import torch_under_check  # noqa: E402
from torch_faults import FAULTS  # noqa: E402

import manualgrad  # noqa: E402
from manualgrad.torch_api.catalogue import CATALOGUE  # noqa: E402

TEXT = (DOCS / "torch-under-check.md").read_text(encoding="utf-8")
TABLE = TEXT.partition("## Functions and modules under check")[2]
WRITTEN_WITH = re.search(r"PyTorch (\d+\.\d+\.\d+\S*), CPU", TEXT)[1]


def run(program):
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(program, found)
    return found["got"], found["wanted"]


def closeness(got):
    """Of a Python number, 12 digits; of a tensor, assert_close's own for its dtype."""
    return {"rtol": 1e-12, "atol": 0} if isinstance(got, float) else {}


each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what.partition(":")[0])


@each_fault
def test_a_program_shows_the_fault(fault):
    if torch.__version__.partition("+")[0] != WRITTEN_WITH.partition("+")[0]:
        pytest.skip(f"the document is of PyTorch {WRITTEN_WITH}")
    if "with AVX2" in fault.what and torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("this processor, or its setting, has no AVX2")
    got, wanted = run(fault.program)
    if isinstance(got, Exception):
        return
    with pytest.raises(AssertionError):
        assert_close(got, wanted, **closeness(got))


@each_fault
def test_by_hand_has_not_the_fault_or_has_not_the_function(fault):
    wanted = run(fault.program)[1]
    with manualgrad.by_hand():
        got = run(fault.program)[0]
    if fault.by_hand:
        assert_close(got, wanted, **closeness(got))
    else:
        assert fault.what.startswith("linalg.det")
        assert torch.linalg.det not in CATALOGUE


def test_the_faults_come_before_the_table_of_all_functions():
    head, _, rest = TEXT.partition("## The faults")
    assert head.startswith(f"# PyTorch under the same checks\n\n{len(FAULTS)} faults")
    for n, fault in enumerate(FAULTS, 1):
        assert f"| [fault {n}](#fault-{n}) | {fault.what} |" in head
    assert "## Functions and modules under check" in rest


def test_the_document_holds_every_program_and_no_accusation_without_one():
    for n, fault in enumerate(FAULTS, 1):
        assert f"### Fault {n}\n\n{fault.what}" in TEXT
        assert fault.program.strip() in TEXT
    linked = {int(n) for n in re.findall(r"\[fault (\d+)\]\(#fault-\1\)", TABLE)}
    assert linked == {n for n, fault in enumerate(FAULTS, 1) if fault.explains}
    assert "**?**" not in TEXT


def test_the_document_has_a_row_for_each_of_at_least_60_subjects():
    rows = re.findall(r"^\| `(.+?)` \|", TABLE, re.MULTILINE)
    assert rows == list(torch_under_check.SUBJECTS)
    assert len(rows) >= 60


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["torch.sigmoid", "F.layer_norm", "F.pixel_shuffle"])
def test_a_row_is_what_the_checks_say(name):
    if torch.__version__.partition("+")[0] != WRITTEN_WITH.partition("+")[0]:
        pytest.skip(f"the document is of PyTorch {WRITTEN_WITH}")
    row = torch_under_check.table({name: torch_under_check.check(name)}).splitlines()[-1]
    assert row in TABLE

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

TEXT = (DOCS / "torch-under-check.md").read_text(encoding="utf-8")
WRITTEN_WITH = re.search(r"PyTorch (\d+\.\d+\.\d+\S*), CPU", TEXT)[1]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what.partition(":")[0])
def test_a_program_shows_the_fault(fault):
    if torch.__version__.partition("+")[0] != WRITTEN_WITH.partition("+")[0]:
        pytest.skip(f"the document is of PyTorch {WRITTEN_WITH}")
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(fault.program, found)
    got, wanted = found["got"], found["wanted"]
    if isinstance(got, Exception):
        return
    with pytest.raises(AssertionError):
        assert_close(got, wanted)


def test_the_document_holds_every_program_and_no_accusation_without_one():
    for n, fault in enumerate(FAULTS, 1):
        assert f"### Fault {n}\n\n{fault.what}" in TEXT
        assert fault.program.strip() in TEXT
    linked = {int(n) for n in re.findall(r"\[fault (\d+)\]\(#fault-\1\)", TEXT)}
    assert linked == set(range(1, len(FAULTS) + 1))
    assert "**?**" not in TEXT


def test_the_document_has_a_row_for_each_of_at_least_60_subjects():
    rows = re.findall(r"^\| `(.+?)` \|", TEXT, re.MULTILINE)
    assert rows == list(torch_under_check.SUBJECTS)
    assert len(rows) >= 60


@pytest.mark.parametrize("name", ["torch.sigmoid", "F.layer_norm", "F.pixel_shuffle"])
def test_a_row_is_what_the_checks_say(name):
    if torch.__version__.partition("+")[0] != WRITTEN_WITH.partition("+")[0]:
        pytest.skip(f"the document is of PyTorch {WRITTEN_WITH}")
    row = torch_under_check.table({name: torch_under_check.check(name)}).splitlines()[-1]
    assert row in TEXT

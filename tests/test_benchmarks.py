"""The benchmarks compare what they say."""

import sys

import pytest
import torch
from paths import ROOT
from torch.testing import assert_close

from manualgrad import audit, by_hand

sys.path.append(str(ROOT / "benchmarks"))
sys.path.append(str(ROOT / "tests" / "symbolic"))

import function_steps
from test_catalogue import FUNCTIONS


def test_every_function_is_timed():
    slope = {"BCESlope"}  # which only the backward of BCELoss applies
    assert function_steps.CALLS.keys() == FUNCTIONS.keys() - slope


@pytest.mark.parametrize("name", function_steps.CALLS)
def test_a_timed_call_is_the_functions_own_and_computes_what_torchs_does(name):
    call, inputs = function_steps.CALLS[name](8)
    inputs = [t.requires_grad_() for t in inputs]
    expected = call(*inputs)
    with by_hand():
        y = call(*inputs)
    found = audit(y)
    assert f"{name}Function" in found.manual
    assert not found.native
    g = torch.rand_like(y)
    assert_close(torch.autograd.grad(y, inputs, g), torch.autograd.grad(expected, inputs, g), rtol=1e-4, atol=1e-4)

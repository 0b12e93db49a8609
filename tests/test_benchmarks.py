"""The benchmarks compare what they say."""

import sys

import pytest
import torch
from function_samples import BENCHMARKS, FUNCTIONS
from paths import ROOT
from torch.testing import assert_close

from manualgrad import audit, by_hand

sys.path.append(str(ROOT / "benchmarks"))

import function_steps


def test_every_function_is_timed():
    slope = {"BCESlope"}  # which only the backward of BCELoss applies
    assert BENCHMARKS.keys() == FUNCTIONS.keys() - slope


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_timed_call_is_the_functions_own_and_computes_what_torchs_does(name):
    call, inputs = function_steps.made(name, 8)
    inputs = [t.requires_grad_() for t in inputs]
    expected = call(*inputs)
    with by_hand():
        y = call(*inputs)
    found = audit(y)
    assert f"{name}Function" in found.manual
    assert not found.native
    g = torch.rand_like(y)
    assert_close(torch.autograd.grad(y, inputs, g), torch.autograd.grad(expected, inputs, g), rtol=1e-4, atol=1e-4)

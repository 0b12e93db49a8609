"""What holds for every Function."""

import pytest
import torch
from gradients import random

from manualgrad.functions import LinearFunction, MSELossFunction, ReLUFunction, SigmoidFunction


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        (LinearFunction, (random(5, 3), random(4, 3), random(4))),
        (SigmoidFunction, (random(5, 3),)),
        (ReLUFunction, (random(5, 3),)),
        (MSELossFunction, (random(5, 3), random(5, 3), "mean", random(5, 3))),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_backward_runs_no_backward_kernel_of_pytorchs(function, inputs):
    class Names(torch.utils._python_dispatch.TorchDispatchMode):
        def __torch_dispatch__(self, op, types, args=(), kwargs=None):
            names.append(str(op))
            return op(*args, **(kwargs or {}))

    names = []
    output = function.apply(*inputs).sum()
    with Names():
        output.backward()
    assert names
    assert not [name for name in names if "backward" in name]


@pytest.mark.parametrize("function", [LinearFunction, SigmoidFunction, ReLUFunction, MSELossFunction])
def test_a_derivation_stands_in_the_docstring_of_the_file(function):
    docstring = __import__(function.__module__, fromlist=["_"]).__doc__
    for word in ("Backward", "Forward mode", "Shapes", "∂C/∂" if function is not ReLUFunction else "da/dz"):
        assert word in docstring

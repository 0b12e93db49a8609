"""What holds for every Function of the catalogue: check_function finds nothing, and no backward is PyTorch's."""

import pytest
import torch
from function_samples import FUNCTIONS, SAMPLES
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from manualgrad.testing import CHECKS, check_function


def inputs_of(name):
    """The inputs in float64, of which those get gradients that may."""
    function, inputs, _ = SAMPLES[name]
    found = [t.double() if isinstance(t, torch.Tensor) and t.is_floating_point() else t for t in inputs]
    constant = CONSTANT.get(function.__name__.removesuffix("Function"), ())
    return tuple(
        t.clone().requires_grad_(t.is_floating_point() and k not in constant) if isinstance(t, torch.Tensor) else t
        for k, t in enumerate(found)
    )


# Inputs that torch does not differentiate by, by their places.
CONSTANT = {
    "BatchNorm": (3, 4),
    "BatchNormEvaluation": (3, 4),
    "ClassCrossEntropy": (2,),
    "InstanceNorm": (3, 4),
    "NLLLoss": (2,),
    "RReLU": (1,),
}


def test_each_function_has_a_sample():
    assert {function for function, *_ in SAMPLES.values()} == set(FUNCTIONS.values())


# The checks that take three quarters of the time: of these orders and modes, test_transformed_operators.py and
# test_compiled_calls.py have every operator.
SLOW = ("compile", "saved_tensors", "third_derivative", "forward_over_forward", "func_transforms", "extreme_values")
FIRST = {sample.function: name for name, sample in reversed(SAMPLES.items())}


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", FIRST.values())
def test_the_quick_checks_find_nothing(name):
    assert_passes(name, [check for check in CHECKS if check not in SLOW])


@pytest.mark.exhaustive
@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", SAMPLES)
def test_check_function_finds_nothing_and_leaves_nothing_out(name):
    assert_passes(name, CHECKS)


def assert_passes(name, checks):
    function, _, but = SAMPLES[name]
    report = check_function(function, inputs_of(name), checks=[check for check in checks if check not in but])
    assert all(verdict.startswith("SUCCESS") for verdict in report.values())


@pytest.mark.parametrize("name", SAMPLES)
def test_a_backward_runs_no_backward_kernel_of_pytorchs(name):
    class Names(TorchDispatchMode):
        def __torch_dispatch__(self, op, types, args=(), kwargs=None):
            names.append(str(op))
            return op(*args, **(kwargs or {}))

    names = []
    outputs = [t for t in tree_leaves(SAMPLES[name].function.apply(*inputs_of(name))) if t.requires_grad]
    gradients = [torch.rand_like(output) for output in outputs]
    with Names():
        torch.autograd.backward(outputs, gradients)
    assert names
    assert not [op for op in names if "backward" in op]

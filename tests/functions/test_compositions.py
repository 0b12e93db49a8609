"""What torch composes in C++, composed of hand-written functions: on PyTorch's samples."""

import pytest
import torch
from samples import assert_every_sample_is_by_hand
from torch.testing._internal.common_methods_invocations import op_db

JOINED = "hstack vstack dstack column_stack block_diag"
SUMS = "var_mean std_mean diff trapezoid trapz cumulative_trapezoid kron cov vdot linalg.vecdot sum_to_size"
OTHERS = "float_power deg2rad rad2deg fliplr flipud rot90"
NAMES = f"{JOINED} {SUMS} {OTHERS}".split()
OPS = [op for op in op_db if op.name in NAMES]


def test_each_name_is_among_torchs_samples():
    assert {op.name for op in OPS} == set(NAMES)


def first(output):
    return torch.cat([t.reshape(-1) for t in output]) if isinstance(output, tuple) else output


def is_left_out(op):
    """Weights of cov, which are torch's; what is no more than the input, which torch returns as it is."""
    if op.name == "diff":
        return lambda sample: 0 in (sample.kwargs.get("n"), *sample.args[:1])
    if op.name == "sum_to_size":
        return lambda sample: sample.input.sum_to_size(*sample.args).shape == sample.input.shape
    return lambda sample: any(sample.kwargs.get(name) is not None for name in ("fweights", "aweights"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128, torch.bfloat16], ids=str)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_an_operator_agrees_on_every_sample_and_is_by_hand(op, dtype, device):
    assert_every_sample_is_by_hand(op, dtype, device, leave_out=is_left_out(op), result=first)

"""What torch.compile takes whole, it takes whole inside by_hand, with the same values and gradients: on PyTorch's samples."""

import pytest
import torch
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db
from torch_calls import outcome

from manualgrad import by_hand

OPS = [op for op in op_db if torch.float32 in op.supported_dtypes("cpu") and "empty" not in op.name]  # that is never the same
PLACES = ("around", "inside")
# What torch writes in Python, and hands over to a mode; calls in names that need torch's signatures; a composition of ours.
IN_PYTHON = (
    "split atleast_1d atleast_2d atleast_3d block_diag cdist cartesian_prod meshgrid stft unravel_index hstack addmm max"
)
OF_PYTHON = [op for op in OPS if op.name in IN_PYTHON.split() or op.name in ("nn.functional.grid_sample", "__getitem__")]


def compiled(function, place):
    """The function compiled whole, with the block around the compiled one, inside it, or nowhere."""

    def within(*args, **kwargs):
        with by_hand():
            return function(*args, **kwargs)

    torch._dynamo.reset()
    whole = torch.compile(within if place == "inside" else function, fullgraph=True, backend="aot_eager")

    def around(*args, **kwargs):
        with by_hand():
            return whole(*args, **kwargs)

    return around if place == "around" else whole


def assert_compiles_whole(op):
    sample = next(iter(op.sample_inputs("cpu", torch.float32, requires_grad=op.supports_autograd)))
    call = ((sample.input, *sample.args), sample.kwargs)
    try:
        expected = outcome(compiled(op.op, "nowhere"), *call, False)
    except Exception:
        pytest.skip("torch's own does not compile whole")
    for place in PLACES:
        found = outcome(compiled(op.op, place), *call, False)
        for ours, theirs in zip(found[:2], expected[:2], strict=True):
            assert_close(ours, theirs, equal_nan=True, rtol=1e-4, atol=1e-4, msg=lambda text, place=place: f"{place}: {text}")


@pytest.mark.parametrize("op", OF_PYTHON, ids=lambda op: op.name + op.variant_test_name)
def test_what_torch_writes_in_python_compiles_whole(op):
    assert_compiles_whole(op)


@pytest.mark.exhaustive
@pytest.mark.long
@pytest.mark.parametrize("op", [op for op in OPS if op not in OF_PYTHON], ids=lambda op: op.name + op.variant_test_name)
def test_what_torch_compiles_whole_does_so_by_hand(op):
    assert_compiles_whole(op)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.sum(axis=1, keepdims=True),
        lambda x: torch.mm(x, mat2=x),
        lambda x: torch.addmm(2, x, 3, x, x),
        lambda x: x.max(dim=1, keepdims=True)[0],
        lambda x: x[[2, 0]] * x[range(2)],
        lambda x: torch.nn.functional.gelu(x=x),
    ],
)
@pytest.mark.filterwarnings("ignore:This overload of addmm is deprecated")
def test_a_call_in_torchs_other_names_compiles_whole(call, place):
    x = torch.rand(4, 4, requires_grad=True)
    found, expected = (outcome(f, (x,), {}, False) for f in (compiled(call, place), call))
    for ours, theirs in zip(found[:2], expected[:2], strict=True):
        assert_close(ours, theirs)

"""What torch.compile takes whole, it takes whole inside by_hand, with the same values and gradients: on PyTorch's samples."""

import pytest
import torch
from operators import OPS as BY_HAND
from operators import differentiable, has_a_gradient, run, tree_of
from samples import copy_of, inside
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_leaves
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


# Sixteen operators to a graph: to compile is slow, and slower for each graph than for each operator in it.
BREAK_TORCHS_OWN = ("nn.functional.scaled_dot_product_attention", "nn.functional.gaussian_nll_loss")
TOGETHER = [op for name, op in BY_HAND.items() if name not in BREAK_TORCHS_OWN and op.supports_dtype(torch.float32, "cpu")]
GROUPS = [TOGETHER[i : i + 16] for i in range(0, len(TOGETHER), 16)]


def first_sample(op):
    samples = op.sample_inputs("cpu", torch.float32, requires_grad=True)
    return next(sample for sample in samples if has_a_gradient(op, sample))


def compiles(op):
    """Whether torch's own does, in the version at hand."""
    try:
        tree = tree_of(first_sample(op))
        compiled(lambda tree: run(op, tree), "nowhere")(tree)
    except Exception:
        return False
    return True


@pytest.mark.parametrize("ops", GROUPS, ids=lambda ops: f"from {ops[0].name}")
def test_every_operator_by_hand_compiles_whole_with_its_gradients(ops):
    try:
        assert_compile_whole(ops)
    except torch._dynamo.exc.Unsupported:
        less = [op for op in ops if compiles(op)]
        assert len(less) < len(ops), "torch's own compile whole, each by itself"
        assert_compile_whole(less)


def assert_compile_whole(ops):
    trees = [copy_of(tree_of(first_sample(op))) for op in ops]

    def values(trees):
        return [differentiable(run(op, tree)) for op, tree in zip(ops, trees, strict=True)]

    torch._dynamo.reset()
    found = torch.compile(inside(values), fullgraph=True, backend="aot_eager")(trees)
    expected = values(trees)
    inputs = [t for t in tree_leaves(trees) if isinstance(t, torch.Tensor) and t.requires_grad]
    gradients = [
        torch.autograd.grad([y.sin().sum() for y in outputs], inputs, allow_unused=True) for outputs in (found, expected)
    ]
    for ours, theirs in zip((*found, *gradients[0]), (*expected, *gradients[1]), strict=True):
        if theirs is not None:
            assert_close(ours, theirs, equal_nan=True, rtol=1e-4, atol=1e-4)


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

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


def first_call(op):
    sample = next(iter(op.sample_inputs("cpu", torch.float32, requires_grad=op.supports_autograd)))
    return (sample.input, *sample.args), sample.kwargs


def assert_compile_whole_in_both_places(ops):
    """Raise what torch.compile raises where it does not take even torch's own."""
    calls = [first_call(op) for op in ops]

    def all_of_them(calls):
        return [op.op(*args, **kwargs) for op, (args, kwargs) in zip(ops, calls, strict=True)]

    expected = outcome(compiled(all_of_them, "nowhere"), (calls,), {}, False)
    for place in PLACES:
        found = outcome(compiled(all_of_them, place), (calls,), {}, False)
        for ours, theirs in zip(found[:2], expected[:2], strict=True):
            assert_close(ours, theirs, equal_nan=True, rtol=1e-4, atol=1e-4, msg=lambda text, place=place: f"{place}: {text}")


# 32 operators to a graph: to compile is slow, and slower for each graph than for each operator in it.
BREAK_TORCHS_OWN = ("nn.functional.scaled_dot_product_attention", "nn.functional.gaussian_nll_loss")
TOGETHER = [op for name, op in BY_HAND.items() if name not in BREAK_TORCHS_OWN and op.supports_dtype(torch.float32, "cpu")]
TOGETHER = list({op.name: op for op in TOGETHER}.values())  # of an operator's variants, one
GROUPS = [TOGETHER[i : i + 32] for i in range(0, len(TOGETHER), 32)]


def first_sample(op):
    samples = op.sample_inputs("cpu", torch.float32, requires_grad=True)
    return next(sample for sample in samples if has_a_gradient(op, sample))


def compiles(op):
    """Whether torch's own does, in the version at hand."""
    try:
        outcome(compiled(op.op, "nowhere"), *first_call(op), False)
    except Exception:
        return False
    return True


@pytest.mark.parametrize(
    "backend", ["eager", pytest.param("aot_eager", marks=pytest.mark.exhaustive)]
)  # which takes twice as long
@pytest.mark.parametrize("ops", GROUPS, ids=lambda ops: f"from {ops[0].name}")
def test_every_operator_by_hand_compiles_whole_with_its_gradients(ops, backend):
    try:
        assert_compile_whole(ops, backend)
    except torch._dynamo.exc.Unsupported:
        less = [op for op in ops if compiles(op)]
        assert len(less) < len(ops), "torch's own compile whole, each by itself"
        assert_compile_whole(less, backend)


def assert_compile_whole(ops, backend):
    trees = [copy_of(tree_of(first_sample(op))) for op in ops]

    def values(trees):
        return [differentiable(run(op, tree)) for op, tree in zip(ops, trees, strict=True)]

    torch._dynamo.reset()
    found = torch.compile(inside(values), fullgraph=True, backend=backend)(trees)
    expected = values(trees)
    inputs = [t for t in tree_leaves(trees) if isinstance(t, torch.Tensor) and t.requires_grad]
    gradients = [
        torch.autograd.grad([y.sin().sum() for y in outputs], inputs, allow_unused=True) for outputs in (found, expected)
    ]
    for ours, theirs in zip((*found, *gradients[0]), (*expected, *gradients[1]), strict=True):
        if theirs is not None:
            assert_close(ours, theirs, equal_nan=True, rtol=1e-4, atol=1e-4)


def test_what_torch_writes_in_python_compiles_whole():
    assert_compile_whole_in_both_places(OF_PYTHON)


# Those that torch's own compiles do not take: random numbers, sizes that depend on numbers, and what reads them.
TORCH_DOES_NOT = (
    *("item", "allclose", "equal", "corrcoef", "cov", "svd_lowrank", "pca_lowrank", "to_sparse", "resize_", "resize_as_"),
    *("sparse.sampled_addmm", "sparse.mm", "linalg.lstsq", "cauchy", "exponential", "geometric", "log_normal", "uniform"),
    *("randn", "randn_like", "rand_like", "randint", "randint_like", "multinomial", "normal", "bernoulli"),
    *(f"jiterator_{kind}" for kind in ("unary", "binary", "binary_return_by_ref", "2inputs_2outputs")),
    "jiterator_4inputs_with_extra_args",
    *(f"nn.functional.{name}" for name in ("fractional_max_pool2d", "fractional_max_pool3d", "rrelu", "ctc_loss", "dropout")),
    *(f"nn.functional.{name}" for name in ("dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")),
    *("nn.functional.multi_head_attention_forward", "nn.functional.gaussian_nll_loss"),
    "nn.functional.scaled_dot_product_attention",
)
OTHERS = [op for op in OPS if op.name not in TORCH_DOES_NOT]


@pytest.mark.exhaustive
@pytest.mark.parametrize("first", range(0, len(OTHERS), 16))
def test_what_torch_compiles_whole_does_so_by_hand(first):
    ops = OTHERS[first : first + 16]
    try:
        assert_compile_whole_in_both_places(ops)
    except (RuntimeError, torch._dynamo.exc.Unsupported):  # another version of torch may not take one of them
        less = [op for op in ops if compiles(op)]
        assert len(less) < len(ops)
        assert_compile_whole_in_both_places(less)


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

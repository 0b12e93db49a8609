"""PyTorch's own samples: what its test suite runs torch's operators and modules on, run on both and compared.

The databases are those that the torch wheel carries for its own tests, torch.testing._internal.
"""

import pytest
import torch
from torch.autograd import forward_ad
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_modules import module_db
from torch.utils._pytree import tree_leaves, tree_map

from manualgrad import nn

NAMES = {
    "nn.functional.linear": "linear",
    "sigmoid": "sigmoid",
    "nn.functional.relu": "relu",
    "nn.functional.mse_loss": "mse_loss",
}
OPS = [op for op in op_db if op.name in NAMES]
MODULES = [module for module in module_db if module.name in ("nn.Linear", "nn.Sigmoid", "nn.ReLU", "nn.MSELoss")]
HALF = (torch.float16, torch.bfloat16)
LAYOUTS = [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc]

pytestmark = pytest.mark.filterwarnings("default:Using a target size")

op_and_dtype = pytest.mark.parametrize(
    ("op", "dtype"), [pytest.param(op, dtype, id=f"{op.name}-{dtype}") for op in OPS for dtype in sorted(op.dtypes, key=str)]
)


def requires_grad(value):
    return isinstance(value, torch.Tensor) and value.requires_grad


def copy_of(tree):
    return tree_map(lambda v: v.detach().clone().requires_grad_(v.requires_grad) if isinstance(v, torch.Tensor) else v, tree)


def random_like(t):
    return torch.randn(t.shape, dtype=torch.complex128 if t.is_complex() else torch.float64).to(t)


def derivatives(call, tree, gradient, tangents):
    """The value and its gradients, for the given gradient of the value; the second gradients and forward mode's tangent."""
    value = call(tree)
    if not value.requires_grad:
        return [value], []
    inputs = [t for t in tree_leaves(tree) if requires_grad(t)]
    gradient = gradient.clone().requires_grad_()
    first = torch.autograd.grad(value, inputs, gradient, create_graph=True)
    second = torch.autograd.grad(first, [*inputs, gradient], tangents, allow_unused=True, materialize_grads=True)
    with forward_ad.dual_level():
        primals = iter(tangents)
        dual = tree_map(lambda v: forward_ad.make_dual(v, next(primals)) if requires_grad(v) else v, tree)
        tangent = forward_ad.unpack_dual(call(dual)).tangent
    return [value, *first], [*second, tangent]


def assert_same(ours, theirs, tree):
    gradient = random_like(theirs(tree).detach())
    tangents = [random_like(t) for t in tree_leaves(tree) if requires_grad(t)]
    first, others = derivatives(ours, copy_of(tree), gradient, tangents)
    expected_first, expected_others = derivatives(theirs, copy_of(tree), gradient, tangents)
    exact_first = None
    for i, (result, expected) in enumerate(zip(first, expected_first, strict=True)):
        if (
            expected.is_cuda
            and expected.dtype in HALF
            and not torch.allclose(result, expected, equal_nan=True, **default_tolerance(expected))
        ):
            # torch's float16 mse_loss rounds each of its factors on CUDA: there, ours must be the closer to float64's.
            exact_first = exact_first or derivatives(theirs, widened(tree), gradient.double(), doubled(tangents))[0]
            assert (result - exact_first[i]).abs().max() <= (expected - exact_first[i]).abs().max()
        else:
            assert_close(result, expected, equal_nan=True)
    for result, expected in zip(others, expected_others, strict=True):
        assert_close(result, expected, **tolerance(expected, [*expected_first, *expected_others]), equal_nan=True)


def default_tolerance(expected):
    rtol, atol = torch.testing._comparison.default_tolerances(expected)
    return {"rtol": rtol, "atol": atol}


def doubled(tree):
    return tree_map(lambda v: v.double() if isinstance(v, torch.Tensor) and v.is_floating_point() else v, tree)


def widened(tree):
    """A copy in float64, its leaves requiring grad as before."""
    return tree_map(
        lambda v, wide: wide.detach().requires_grad_(v.requires_grad) if isinstance(v, torch.Tensor) else v, tree, doubled(tree)
    )


def tolerance(expected, results):
    """The default one; for sums in half precision, of terms of either sign, in proportion to the largest number around."""
    if expected.dtype not in HALF:
        return {}
    eps = 2 * torch.finfo(expected.dtype).eps
    largest = max((t.detach().nan_to_num(0, 0, 0).abs().max().item() for t in results if t.numel()), default=0)
    return {"rtol": eps, "atol": eps * largest}


@op_and_dtype
def test_an_operator_agrees_on_every_sample(op, dtype, device):
    if dtype not in op.supported_dtypes(device.type):
        pytest.skip(f"torch's own takes no {dtype} on {device.type}")
    ours = getattr(nn.functional, NAMES[op.name])
    differentiable = dtype in op.supported_backward_dtypes(device.type) and (dtype.is_floating_point or dtype.is_complex)
    samples = list(op.reference_inputs(device, dtype, requires_grad=differentiable))
    assert samples
    for sample in samples:
        assert_same(
            lambda tree: ours(*tree[0], **tree[1]),
            lambda tree: op(*tree[0], **tree[1]),
            ((sample.input, *sample.args), sample.kwargs),
        )


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_an_operator_agrees_on_its_samples_made_sparse(op, layout, device):
    if not op.supports_sparse and not op.supports_sparse_csr:
        pytest.skip("torch's own takes no sparse tensors")
    for sample in op.sample_inputs(device, torch.float64):
        if sample.input.dim() != 2:
            continue  # as the compressed layouts are
        blocks = {"blocksize": (1, 1)} if layout in (torch.sparse_bsr, torch.sparse_bsc) else {}
        seen = []
        for function in (getattr(nn.functional, NAMES[op.name]), op):
            input = sample.input.to_sparse(layout=layout, **blocks).requires_grad_()
            value = function(input, *sample.args, **sample.kwargs)
            (gradient,) = torch.autograd.grad(value, input, value.detach().clone())
            seen.append((value, gradient))
        assert_close(*seen)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_an_operator_raises_on_every_error_sample(op, device):
    if op.error_inputs_func is None:
        pytest.skip("this PyTorch has no error samples of it; nn/test_functional.py has ours")
    for sample in op.error_inputs(device):
        arguments, kwargs = (sample.sample_input.input, *sample.sample_input.args), sample.sample_input.kwargs
        with pytest.raises(sample.error_type):
            getattr(nn.functional, NAMES[op.name])(*arguments, **kwargs)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_module_agrees_on_every_sample(module, dtype, training, device):
    samples = module.module_inputs_func(module, device=device, dtype=dtype, requires_grad=True, training=training)
    assert samples
    for sample in samples:
        construct, call = sample.constructor_input, sample.forward_input
        ours, theirs = (
            cls(*construct.args, **construct.kwargs).to(device, dtype).train(training)
            for cls in (getattr(nn, module.name[3:]), module.module_cls)
        )
        ours.load_state_dict(theirs.state_dict())
        assert type(ours) is not type(theirs)
        assert_same(
            lambda tree, layer=ours: torch.func.functional_call(layer, *tree),
            lambda tree, layer=theirs: torch.func.functional_call(layer, *tree),
            (dict(theirs.named_parameters()), call.args, call.kwargs),
        )
        if sample.reference_fn is not None:
            assert_close(ours(*call.args, **call.kwargs), sample.reference_fn(ours, *call.args, **call.kwargs))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_module_raises_on_every_error_sample(module, device):
    if module.module_error_inputs_func is None:
        pytest.skip("this PyTorch has no error samples of it; nn/test_functional.py has ours")
    samples = module.module_error_inputs_func(module, device=device, dtype=torch.float32, requires_grad=False, training=True)
    for sample in samples:
        construct, call = sample.module_error_input.constructor_input, sample.module_error_input.forward_input
        with pytest.raises(sample.error_type):
            getattr(nn, module.name[3:])(*construct.args, **construct.kwargs)(*call.args, **call.kwargs)

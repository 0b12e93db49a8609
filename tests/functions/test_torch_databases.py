"""PyTorch's own samples: what its test suite runs torch's operators and modules on, run on both and compared.

The databases are those that the torch wheel carries for its own tests, torch.testing._internal.
"""

import pytest
import torch
from samples import assert_same
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_modules import module_db

from manualgrad import nn

NAMES = {
    "nn.functional.linear": "linear",
    "sigmoid": "sigmoid",
    "nn.functional.relu": "relu",
    "nn.functional.mse_loss": "mse_loss",
}
OPS = [op for op in op_db if op.name in NAMES]
MODULES = [module for module in module_db if module.name in ("nn.Linear", "nn.Sigmoid", "nn.ReLU", "nn.MSELoss")]
LAYOUTS = [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc]

pytestmark = pytest.mark.filterwarnings("default:Using a target size")

op_and_dtype = pytest.mark.parametrize(
    ("op", "dtype"), [pytest.param(op, dtype, id=f"{op.name}-{dtype}") for op in OPS for dtype in sorted(op.dtypes, key=str)]
)


@pytest.mark.few(9)
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

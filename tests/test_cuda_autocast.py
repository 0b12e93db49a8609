"""Under torch.autocast on CUDA all dtypes are torch's: on fake tensors, which know of shapes, dtypes and devices alone.

So no GPU is needed (https://docs.pytorch.org/docs/stable/user_guide/torch_compiler/torch.compiler_fake_tensor.html).
"""

from contextlib import contextmanager, nullcontext

import pytest
import torch
from models import MODELS, batch, build
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_leaves, tree_map

from manualgrad import by_hand, swap

SAMPLES = 6  # of an operator; most show nothing of another's dtypes


@contextmanager
def cuda_autocast(lower=torch.bfloat16):
    """torch.autocast("cuda") turns itself off where there is no GPU."""
    before = torch.get_autocast_dtype("cuda")
    torch.set_autocast_dtype("cuda", lower)
    torch.set_autocast_enabled("cuda", True)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.set_autocast_dtype("cuda", before)
        torch.clear_autocast_cache()


def on_cuda(value):
    """A fake tensor like this one on a GPU."""
    if not isinstance(value, torch.Tensor) or value.layout is not torch.strided:
        return value
    fake = torch.empty_strided(value.size(), value.stride(), dtype=value.dtype, device="cuda")
    return fake.requires_grad_(value.requires_grad)


def dtypes(call, tree, lower=torch.bfloat16):
    """Of the outputs; or the kind of error."""
    with FakeTensorMode():
        args, kwargs = tree_map(on_cuda, tree)
        try:
            with cuda_autocast(lower):
                outputs = [value for value in tree_leaves(call(*args, **kwargs)) if isinstance(value, torch.Tensor)]
        except Exception as error:
            return type(error).__name__
    return [output.dtype for output in outputs]


@pytest.mark.exhaustive
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.filterwarnings("ignore")
def test_every_operator_has_torchs_dtypes(dtype):
    def ours(*args, **kwargs):
        with by_hand():
            return op(*args, **kwargs)

    others, compared = {}, 0
    for op in op_db:
        if dtype not in op.supported_backward_dtypes("cpu"):
            continue
        for sample in list(op.sample_inputs("cpu", dtype, requires_grad=True))[:SAMPLES]:
            tree = ((sample.input, *sample.args), sample.kwargs)
            found, expected = dtypes(ours, tree), dtypes(op, tree)
            compared += isinstance(expected, list)
            if found != expected and expected != "DataDependentOutputException":  # torch asks for a number, which is not there
                others[op.name, op.variant_test_name] = found, expected
    assert others == {}
    assert compared > 1000


MIXED = {
    "scatter_add": lambda x, h, f: x.scatter_add(0, torch.zeros_like(x, dtype=torch.int64), h),
    "index_put": lambda x, h, f: h.index_put((torch.tensor([0, 1], device="cuda"),), x[:2]),
    "cat": lambda x, h, f: torch.cat([h, f]),
    "stack": lambda x, h, f: torch.stack([h, h]),
    "where": lambda x, h, f: torch.where(h > 0, h, f),
    "addcmul": lambda x, h, f: torch.addcmul(x, h, h),
    "dist": lambda x, h, f: torch.dist(h, h),
    "dot": lambda x, h, f: torch.dot(x[0], x[0]),
    "inner": lambda x, h, f: torch.inner(x[0], x[0]),
    "inner of matrices": lambda x, h, f: torch.inner(x, x),
    "einsum": lambda x, h, f: torch.einsum("ij,kj,lj->ikl", x, x, x),
    "sum in a dtype": lambda x, h, f: h.sum(0, dtype=torch.bfloat16),
    "operators": lambda x, h, f: (h**2 + 1 / h) @ x.mT,
}


@pytest.mark.parametrize("lower", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", MIXED)
def test_arguments_of_different_dtypes_give_torchs(name, lower):
    x, h, f = (torch.ones(3, 4, dtype=dtype, requires_grad=True) for dtype in (torch.float32, lower, torch.float16))
    call = MIXED[name]

    def ours(*args):
        with by_hand():
            return call(*args)

    expected = dtypes(call, ((x, h, f), {}), lower)
    assert isinstance(expected, list)
    assert dtypes(ours, ((x, h, f), {}), lower) == expected


def seen_in(name, swapped):
    """The dtypes of what each module returns; a backward would need a driver."""
    model, seen = build(name), []
    model = swap(model) if swapped else model
    for layer in model.modules():
        layer.register_forward_hook(
            lambda layer, inputs, output: seen.append([getattr(t, "dtype", t) for t in tree_leaves(output)])
        )
    with FakeTensorMode():
        tensors = {name: on_cuda(tensor) for name, tensor in (*model.named_parameters(), *model.named_buffers())}
        with cuda_autocast(), by_hand() if swapped else nullcontext():
            torch.func.functional_call(model, tensors, tuple(map(on_cuda, batch(name))))
    return seen


@pytest.mark.parametrize("name", [name for name in MODELS if name != "lstm"])  # which asks cuDNN
def test_every_layer_of_a_swapped_model_has_torchs_dtypes(name):
    found = seen_in(name, swapped=True)
    assert found == seen_in(name, swapped=False)
    assert [torch.bfloat16] in found

"""Each fused formula computes what its operators do: values, precision, nan and infinity, sizes and layouts."""

from contextlib import nullcontext

import pytest
import torch
from function_samples import BENCHMARKS, SAMPLES
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves

import manualgrad
from manualgrad import by_hand, fused
from manualgrad._fused import kernels
from manualgrad.nn import functional as F

# A formula of each family; those of all others are exhaustive.
FAMILIES = ("GELU", "Hardswish", "PReLU", "GLU", "Softmax", "LayerNorm", "BatchNorm", "ClassCrossEntropy", "BCEWithLogitsLoss")
FLOAT16 = pytest.param(torch.float16, marks=pytest.mark.exhaustive)


def some(names):
    marks = {False: pytest.mark.exhaustive, True: ()}
    return pytest.mark.parametrize("name", [pytest.param(name, marks=marks[name in FAMILIES]) for name in names])


def leaf(value, dtype):
    if not isinstance(value, torch.Tensor):
        return value
    value = value.to(dtype) if value.is_floating_point() else value
    return value.detach().clone().requires_grad_(value.is_floating_point())


def gradients(function, inputs, dtype=torch.float64, block=nullcontext, spoil=lambda g: g):
    """The outputs and the gradients, with numbers for the gradients of the outputs."""
    inputs = [leaf(t, dtype) for t in inputs]
    torch.manual_seed(0)
    with block():
        outputs = [t for t in tree_leaves(function(*inputs)) if isinstance(t, torch.Tensor) and t.requires_grad]
    torch.autograd.backward(outputs, [spoil(torch.randn_like(o)) for o in outputs])
    return [*outputs, *(t.grad for t in inputs if isinstance(t, torch.Tensor) and t.requires_grad)]


def assert_fused_alike(function, inputs, dtype, spoil=lambda g: g):
    try:
        expected = gradients(function, inputs, dtype, spoil=spoil)
    except RuntimeError:
        pytest.skip(f"not for {dtype}")
    assert_close(gradients(function, inputs, dtype, fused, spoil), expected, equal_nan=True)


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, pytest.param(torch.float16, marks=pytest.mark.exhaustive)], ids=str
)
@some(SAMPLES)
def test_a_fused_function_computes_what_its_operators_do(name, dtype, monkeypatch):
    outputs = []
    monkeypatch.setattr(manualgrad._fused, "run", lambda *formula: outputs.append(kernels.run(*formula)) or outputs[-1])
    function, inputs, _ = SAMPLES[name]
    assert_fused_alike(function.apply, inputs, dtype)
    assert name not in FAMILIES or any(output is not None for output in outputs), "it ran as operators"


@some(SAMPLES)
def test_nan_and_infinity_are_where_the_operators_have_them(name):
    function, inputs, _ = SAMPLES[name]
    special = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e30, -1e30])

    def with_special(t):
        if not isinstance(t, torch.Tensor) or not t.is_floating_point() or t.numel() < 2:
            return t
        t = t.float().clone()
        t.view(-1)[: min(7, t.numel() // 2)] = special[: min(7, t.numel() // 2)]
        return t

    spoiled = [with_special(inputs[0]), *inputs[1:]]
    try:
        gradients(function.apply, spoiled)
    except RuntimeError:
        spoiled = inputs  # such as a target that must be a probability
    assert_fused_alike(function.apply, spoiled, torch.float32)
    assert_fused_alike(function.apply, inputs, torch.float32, with_special)


@pytest.mark.parametrize("rows", [8, 50], ids=["by one thread", "by all threads"])
@some(BENCHMARKS)
def test_a_fused_call_agrees_at_every_size(name, rows):
    call, makers, constant = BENCHMARKS[name]
    torch.manual_seed(1)
    inputs = [make(rows) for make in makers]
    last = () if constant is None else (constant(rows),)
    expected = gradients(by_hand()(lambda *tensors: call(*tensors, *last)), inputs, torch.float32)
    found = gradients(by_hand()(lambda *tensors: call(*tensors, *last)), inputs, torch.float32, fused)
    assert_close(found, expected, rtol=1e-5, atol=1e-5)


SHAPES = [(), (0,), (1,), (2,), (15,), (16,), (17,), (3, 0), (1, 17), (17, 1), (2, 3, 5), (16, 16, 65), (1, 2, 1, 3)]
LAYOUTS = {
    "contiguous": lambda x: x,
    "transposed": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1) if x.dim() else x,
    "with gaps": lambda x: x.repeat_interleave(2, -1)[..., ::2] if x.dim() else x,
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x,
    "expanded": lambda x: x[..., :1].expand(x.shape) if x.dim() else x,
}
CALLS = {
    "gelu": F.gelu,
    "softmax": lambda x: F.softmax(x, -1) if x.dim() else x * 1,
    "softmax of the first": lambda x: F.softmax(x, 0) if x.dim() else x * 1,
    "layer norm": lambda x: F.layer_norm(x, x.shape[-1:]) if x.dim() else x * 1,
    "mse": lambda x: F.mse_loss(x, torch.zeros_like(x), reduction="mean"),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_any_shape_and_layout(call, layout):
    for shape in SHAPES:
        x = layout(torch.randn(shape, dtype=torch.float64))
        for spoil in (layout, lambda g: g.sum().expand(g.shape)):
            leaves = [x.detach().requires_grad_() for _ in range(2)]  # as they lie in memory
            with fused():
                ours = call(leaves[0])
            theirs = call(leaves[1])
            g = spoil(torch.randn_like(theirs))
            assert_close(torch.autograd.grad(ours, leaves[0], g), torch.autograd.grad(theirs, leaves[1], g), equal_nan=True)


def test_a_gradient_lies_in_memory_as_its_input_does():
    x = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    with fused():
        y = F.gelu(x)
    y.sum().backward()
    assert x.grad.is_contiguous(memory_format=torch.channels_last)


def test_a_gradient_whose_negation_is_due_is_negated():
    x, g = torch.randn(50, requires_grad=True), torch._neg_view(torch.randn(50))
    with fused():
        y = F.gelu(x)
    assert_close(torch.autograd.grad(y, x, g), torch.autograd.grad(F.gelu(x), x, g))


@pytest.mark.exhaustive
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_average_pooling_of_windows_that_overlap(memory_format):
    x = torch.randn(2, 3, 9, 8, dtype=torch.float64).to(memory_format=memory_format).requires_grad_()
    before = len(kernels._kernels)
    for windows in ((3, 2, 1), (5, 3, 2, True), (3, 1, 0, False, True, 7)):
        with fused():
            ours = F.avg_pool2d(x, *windows)
        theirs = torch.nn.functional.avg_pool2d(x, *windows)
        g = torch.randn_like(theirs)
        (found,), expected = (torch.autograd.grad(y, x, g) for y in (ours, theirs))
        assert_close((found,), expected)
        assert found.is_contiguous(memory_format=memory_format)
    assert len(kernels._kernels) == before + 3


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_the_bits_are_the_same_each_time(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        x, w = torch.randn(300, 70), torch.randn(70)
        call = lambda x, w: F.layer_norm(x, (70,), w)  # noqa: E731
        first, second = (gradients(call, (x, w), torch.float32, fused) for _ in range(2))
        assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
        assert_close(first, gradients(call, (x, w), torch.float32), rtol=1e-5, atol=1e-5)
    finally:
        torch.set_num_threads(before)


def test_another_size_needs_no_other_kernel():
    for rows in (40, 50, 60):
        gradients(lambda x: F.softmax(x, 1), (torch.randn(rows, 1000 + rows),), torch.float32, fused)
        count = len(kernels._kernels) if rows == 40 else count  # noqa: F821
    assert len(kernels._kernels) == count


def test_a_number_that_changes_all_the_time_is_not_compiled_all_the_time(monkeypatch):
    monkeypatch.setattr(kernels, "_MOST", 3)
    x = torch.randn(50)
    before = len(kernels._kernels)
    for k in range(6):
        slope = 0.01 * (k + 1)
        assert_close(
            gradients(lambda x, s=slope: F.celu(x, s), (x,), torch.float32, fused),
            gradients(lambda x, s=slope: F.celu(x, s), (x,), torch.float32),
        )
    assert len(kernels._kernels) <= before + 3

"""The matrix products: which library multiplies, and that it makes no other difference."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import manualgrad
from manualgrad import MLP, nn, product

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN")


@pytest.fixture
def calls(monkeypatch):
    """The shapes that oneDNN is given."""
    given = []
    by_onednn = product._by_onednn

    def recording(x, W, b=None):
        given.append((tuple(x.shape), tuple(W.shape)))
        return by_onednn(x, W, b)

    monkeypatch.setattr(product, "_by_onednn", recording)
    return given


def sequential():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(7, 5), nn.Sigmoid(), nn.Linear(5, 3), nn.ReLU())


def mlp():
    torch.manual_seed(0)
    return MLP([7, 5, 3], ["sigmoid", "relu"])


def batch():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(6, 7, generator=generator), torch.rand(6, 3, generator=generator)


def by_autograd(model, x, y):
    cost = nn.MSELoss(reduction="batchmean")(model(x), y)
    cost.backward()
    return [cost.detach(), *(p.grad for p in model.parameters())]


def by_backprop(model, x, y):
    return [manualgrad.backprop(model, x, y), *(p.grad for p in model.parameters())]


def by_sgd_step(model, x, y):
    costs = [manualgrad.sgd_step(model, x, y, lr=1.0) for _ in range(3)]
    return [*costs, *(p.detach() for p in model.parameters())]


def by_norms(model, x, y):
    return [manualgrad.per_example_grad_norms(model, x, y)]


FORWARD = [((6, 7), (5, 7)), ((6, 5), (3, 5))]
BACKWARD = [((3, 6), (5, 6)), ((6, 3), (5, 3)), ((5, 6), (7, 6))]  # ∂C/∂W and ∂C/∂a_prev of the last layer, ∂C/∂W of the first


@pytest.mark.parametrize(
    ("make", "way", "expected"),
    [
        (sequential, by_autograd, FORWARD + BACKWARD),
        (mlp, by_autograd, FORWARD + BACKWARD),
        (mlp, by_backprop, FORWARD + BACKWARD),
        (mlp, by_sgd_step, (FORWARD + BACKWARD) * 3),
        (mlp, by_norms, FORWARD + BACKWARD[1:2]),
    ],
)
def test_with_onednn_forced_every_product_is_its_and_the_numbers_are_the_same(make, way, expected, calls):
    with product.using("torch"):
        theirs = way(make(), *batch())
    assert calls == []
    with product.using("onednn"):
        ours = way(make(), *batch())
    assert sorted(calls) == sorted(expected)
    assert_close(ours, theirs)


@pytest.mark.parametrize(("n", "inputs", "outputs"), [(256, 784, 512), (3, 2048, 5), (100, 784, 16)])
@pytest.mark.parametrize("library", ["torch", "onednn"])
def test_either_library_is_exact_to_float32(library, n, inputs, outputs):
    x, W, b, delta = torch.randn(n, inputs), torch.randn(outputs, inputs), torch.randn(outputs), torch.randn(n, outputs)
    products = {
        "z": (product.linear, (x, W, b)),
        "dC_da_prev": (product.matmul, (delta, W)),
        "dC_dW": (product.mm, (delta.t(), x)),
    }
    for name, (multiply, operands) in products.items():
        with product.using(library), torch.no_grad():
            error = multiply(*operands) - multiply(*(t.double() for t in operands))
            terms = multiply(*(t.double().abs() for t in operands))
        assert (error.abs() <= 1e-6 * terms).all(), name  # bfloat16 is off by 1e-3


@pytest.mark.parametrize("x", [torch.rand(2, 4, 7), torch.rand(4, 2, 7).transpose(0, 1), torch.rand(2, 3, 2, 7)])
def test_more_than_two_dimensions_agree(x, calls):
    layer = nn.Linear(7, 5)
    x.requires_grad_()

    def results():
        z = layer(x)
        return [z, *torch.autograd.grad(z.square().sum(), [x, *layer.parameters()])]

    theirs = results()
    with product.using("onednn"):
        ours = results()
    assert len(calls) >= 2
    assert_close(ours, theirs)


class Special(torch.Tensor):
    pass


CASES = {
    "float64": lambda: (torch.rand(4, 7).double(), torch.rand(5, 7).double(), torch.rand(5).double()),
    "bfloat16": lambda: (torch.rand(4, 7).bfloat16(), torch.rand(5, 7).bfloat16(), torch.rand(5).bfloat16()),
    "complex": lambda: (torch.rand(4, 7) * 1j, torch.rand(5, 7) * 1j, None),
    "one dimension": lambda: (torch.rand(7), torch.rand(5, 7), torch.rand(5)),
    "a bias with gaps": lambda: (torch.rand(4, 7), torch.rand(5, 7), torch.rand(10)[::2]),
    "a bias of one number": lambda: (torch.rand(4, 7), torch.rand(5, 7), torch.rand(1)),
    "a matrix with gaps": lambda: (torch.rand(4, 14)[:, ::2], torch.rand(5, 7), torch.rand(5)),
    "an expanded matrix": lambda: (torch.rand(1, 1).expand(4, 7), torch.rand(5, 7), torch.rand(5)),
    "no examples": lambda: (torch.rand(0, 7), torch.rand(5, 7), torch.rand(5)),
    "no inputs": lambda: (torch.rand(4, 0), torch.rand(5, 0), torch.rand(5)),
    "negated lazily": lambda: (torch._neg_view(torch.rand(4, 7)), torch.rand(5, 7), torch.rand(5)),
    "a weight negated lazily": lambda: (torch.rand(4, 7), torch._neg_view(torch.rand(5, 7)), torch.rand(5)),
    "a weight of one dimension": lambda: (torch.rand(4, 7), torch.rand(7), None),
    "sparse": lambda: (torch.rand(4, 7).to_sparse(), torch.rand(5, 7), torch.rand(5)),
    "mkldnn's own layout": lambda: (torch.rand(4, 7).to_mkldnn(), torch.rand(5, 7).to_mkldnn(), torch.rand(5).to_mkldnn()),
    "a subclass": lambda: (torch.rand(4, 7).as_subclass(Special), torch.rand(5, 7), torch.rand(5)),
    "meta": lambda: (torch.empty(4, 7, device="meta"), torch.empty(5, 7, device="meta"), None),
}


@pytest.mark.parametrize("kind", CASES)
def test_whatever_is_not_a_plain_float32_matrix_is_torchs(kind, calls):
    x, W, b = CASES[kind]()
    with product.using("onednn"), torch.no_grad():
        z = product.linear(x, W, b)
    assert calls == []
    expected = torch.nn.functional.linear(x, W, b)
    assert type(z) is type(expected)
    assert_close(*((t.to_dense() if t.layout is torch._mkldnn else t) for t in (z, expected)))


def test_shapes_that_do_not_fit_raise_torchs_error(calls):
    with product.using("onednn"), pytest.raises(RuntimeError, match="shapes cannot be multiplied"), torch.no_grad():
        product.mm(torch.rand(4, 7), torch.rand(6, 5))
    with product.using("onednn"), pytest.raises(RuntimeError, match="must match the existing size"), torch.no_grad():
        product.linear(torch.rand(4, 7), torch.rand(5, 7), torch.rand(6))
    assert calls == []


def second_derivative(layer, x):
    W = layer.weight
    (first,) = torch.autograd.grad(layer(x).square().sum(), W, create_graph=True)
    return torch.autograd.grad(first.square().sum(), W)


def gradient(layer, x):
    return torch.autograd.grad(layer(x).square().sum(), layer.weight)


def called(layer, parameters, x):
    return torch.func.functional_call(layer, parameters, x)


def forward_mode(layer, x):
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        return torch.autograd.forward_ad.unpack_dual(layer(dual))


def batched_gradients(layer, x):
    z = layer(x)
    return torch.autograd.grad(z, x, torch.eye(z.numel()).reshape(-1, *z.shape), is_grads_batched=True)


def autocast(layer, x):
    with torch.autocast("cpu", torch.bfloat16):
        return gradient(layer, x)


def flops(layer, x):
    with torch.utils.flop_counter.FlopCounterMode(display=False) as counter:
        gradient(layer, x)
    return counter.get_total_flops()


MODES = {
    "torch.compile": lambda layer, x: gradient(torch.compile(layer, fullgraph=True, backend="aot_eager"), x),
    "vmap": lambda layer, x: torch.vmap(layer)(x[:, None]),
    "torch.func.grad": lambda layer, x: torch.func.grad(lambda p: called(layer, p, x).square().sum())(
        dict(layer.named_parameters())
    ),
    "forward mode": forward_mode,
    "batched gradients": batched_gradients,
    "autocast": autocast,
    "a dispatch mode": flops,
    "torch.jit.trace": lambda layer, x: torch.jit.trace(layer, x)(x),
    "torch.export": lambda layer, x: torch.export.export(layer, (x,)).module()(x),
}
# Of these, one product each is outside of the mode: the forward pass before the batch of gradients, the forward pass below the
# transform, on plain tensors, and the run that the trace is checked against.
OUTSIDE = ("batched gradients", "torch.func.grad", "torch.jit.trace")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("mode", MODES)
def test_no_mode_of_pytorch_sees_onednn(mode, calls):
    layer, x = nn.Linear(7, 5), torch.rand(4, 7, requires_grad=True)
    theirs = MODES[mode](layer, x)
    with product.using("onednn"):
        ours = MODES[mode](layer, x)
    assert calls == ([((4, 7), (5, 7))] if mode in OUTSIDE else [])
    assert_close(ours, theirs)


def test_a_trace_and_a_function_mode_see_torchs_product(calls):
    A, B = torch.rand(4, 7), torch.rand(7, 5)
    with product.using("onednn"), torch.no_grad():
        with torch.overrides.BaseTorchFunctionMode():
            product.mm(A, B)
        traced = torch.jit.trace(product.mm, (A, B), check_trace=False)
    assert calls == []
    assert "aten::mm" in str(traced.graph)


def test_a_batch_of_gradients_is_torchs_for_a_batched_weight_too(calls):
    A = torch.rand(4, 7)
    weights = torch.rand(3, 7, 5)

    def one(B):
        with torch.no_grad():
            return product.mm(A, B)

    with product.using("onednn"):
        batch = torch._vmap_internals._vmap(one)(weights)
    assert calls == []
    assert_close(batch, A @ weights)


def test_second_derivatives_agree():
    layer, x = nn.Linear(7, 5), torch.rand(4, 7)
    theirs = second_derivative(layer, x)
    with product.using("onednn"):
        assert_close(second_derivative(layer, x), theirs)


def test_onednn_switched_off_in_torch_is_off_here(calls):
    with product.using("onednn"), torch.backends.mkldnn.flags(enabled=False), torch.no_grad():
        product.mm(torch.rand(4, 7), torch.rand(7, 5))
    assert calls == []


@pytest.mark.parametrize(
    ("vendor", "mkl", "n", "onednn"),
    [
        ("AuthenticAMD", True, 4096, True),
        ("AuthenticAMD", True, 10, False),  # 10 · 32 · 32 multiplications are too few
        ("AuthenticAMD", False, 4096, False),
        ("GenuineIntel", True, 4096, False),
        ("", True, 4096, False),
    ],
)
def test_the_cpus_vendor_and_the_size_decide(vendor, mkl, n, onednn, monkeypatch, calls):
    monkeypatch.setattr(product, "_vendor", lambda: vendor)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: mkl)
    monkeypatch.setattr(product, "_onednn_may_multiply", True)
    token = product._min_flop.set(product._least_flop(None))
    try:
        with torch.no_grad():
            product.mm(torch.rand(n, 32), torch.rand(32, 32))
    finally:
        product._min_flop.reset(token)
    assert bool(calls) == onednn


def test_the_vendor_is_read_off_this_machine():
    cpuinfo = Path("/proc/cpuinfo")
    named = re.search(r"vendor_id\s*: (\w+)", cpuinfo.read_text()) if cpuinfo.is_file() else None
    if named is None or named.group(1) not in ("GenuineIntel", "AuthenticAMD"):
        pytest.skip("no /proc/cpuinfo names one of the two vendors")
    assert product._vendor() == named.group(1)


def in_a_new_process(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


@pytest.mark.few(1)
@pytest.mark.parametrize(("library", "least"), [("onednn", "0"), ("torch", "None")])
def test_the_environment_variable_decides(library, least):
    ran = in_a_new_process("from manualgrad import product; print(product._min_flop.get())", MANUALGRAD_PRODUCT=library)
    assert ran.stdout.strip() == least


def test_an_unknown_library_is_a_value_error():
    with pytest.raises(ValueError, match="using: library must be 'torch' or 'onednn', got 'mkl'"), product.using("mkl"):
        pass
    ran = in_a_new_process("import manualgrad", MANUALGRAD_PRODUCT="mkl")
    assert ran.returncode == 1
    assert "ValueError: MANUALGRAD_PRODUCT must be 'torch' or 'onednn', got 'mkl'" in ran.stderr


def test_without_the_operator_it_is_torchs(monkeypatch, calls):
    monkeypatch.setattr(product, "_ONEDNN", None)
    with product.using("onednn"), torch.no_grad():
        product.mm(torch.rand(4, 7), torch.rand(7, 5))
    assert calls == []


def test_where_onednn_has_no_products_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(product, "_onednn_may_multiply", False)
    monkeypatch.setattr(product, "_suits", lambda *_: pytest.fail("a question"))
    product.mm(torch.rand(4, 7), torch.rand(7, 5))
    product.linear(torch.rand(4, 7), torch.rand(5, 7))


@pytest.mark.parametrize(("library", "may"), [("onednn", True), ("torch", False)])
def test_it_may_multiply_once_it_is_asked_for(library, may, monkeypatch):
    monkeypatch.setattr(product, "_onednn_may_multiply", False)
    with product.using(library):
        assert product._onednn_may_multiply == may
    assert product._onednn_may_multiply == may


def test_the_choice_ends_with_the_block_and_is_the_threads_own():
    before = product._min_flop.get()
    with product.using("onednn"):
        with product.using("torch"):
            assert product._min_flop.get() is None
        assert product._min_flop.get() == 0
    assert product._min_flop.get() == before


def test_a_small_product_is_asked_no_more_than_its_size(monkeypatch):
    monkeypatch.setattr(product, "_is_plain", lambda t: pytest.fail("a question more"))
    monkeypatch.setattr(product, "_onednn_may_multiply", True)
    token = product._min_flop.set(product.MIN_FLOP)
    try:
        with torch.no_grad():
            product.linear(torch.rand(100, 784), torch.rand(16, 784), torch.rand(16))
            product.mm(torch.rand(16, 100), torch.rand(100, 784))
            assert not product.onednn_has(torch.rand(100, 784), 784, 16)
    finally:
        product._min_flop.reset(token)


@pytest.mark.parametrize(("columns", "where"), [(64, []), (1024, [((512, 200), (1024, 200))])], ids=["narrow", "wide"])
def test_a_transposed_matrix_goes_to_onednn_only_with_many_columns(columns, where, calls, monkeypatch):
    monkeypatch.setattr(product, "_onednn_may_multiply", True)
    token = product._min_flop.set(product.MIN_FLOP)
    try:
        A, B = torch.rand(200, 512), torch.rand(200, columns)
        with torch.no_grad():
            found = product.mm(A.t(), B)
    finally:
        product._min_flop.reset(token)
    assert calls == where
    torch.testing.assert_close(found, A.t() @ B)

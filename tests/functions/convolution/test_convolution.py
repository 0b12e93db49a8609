"""x ∗ K + b in one, two and three dimensions, the transposed convolution, and the ways to the gradient of K."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from gradients import check
from samples import assert_same, inside, random_like
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import jacfwd, jacrev, vmap
from torch.testing import assert_close

from manualgrad import audit, by_hand, product
from manualgrad.functions.convolution import _kernel_gradient
from manualgrad.functions.convolution._kernel_gradient import convolve, kernel_gradient

DOUBLE = torch.float64
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")


def random(*shape, dtype=DOUBLE):
    return torch.randn(shape, dtype=dtype).requires_grad_()


def on_tree(op):
    return lambda tree: op(*tree[0], **tree[1])


# torch's samples


def error_of(function, arguments, kwargs):
    with pytest.raises(Exception) as raised:  # noqa: PT011
        function(*[a.requires_grad_() if isinstance(a, torch.Tensor) else a for a in arguments], **kwargs)
    return raised.type, str(raised.value)


WRONG = {
    "same with a stride": lambda x, K: F.conv2d(x, K, padding="same", stride=2),
    "a padding unknown": lambda x, K: F.conv2d(x, K, padding="full"),
    "a stride of three numbers": lambda x, K: F.conv2d(x, K, stride=(1, 1, 1)),
    "a stride of 0": lambda x, K: F.conv2d(x, K, stride=0),
    "a negative padding": lambda x, K: F.conv2d(x, K, padding=-1),
    "channels that do not fit": lambda x, K: F.conv2d(x, K[:, 1:]),
    "groups that do not fit": lambda x, K: F.conv2d(x, K, groups=2),
    "a kernel larger than x": lambda x, K: F.conv2d(x[:, :, :2], K),
    "a bias that does not fit": lambda x, K: F.conv2d(x, K, K[0, 0, 0]),
    "dtypes": lambda x, K: F.conv2d(x, K.float()),
    "an output padding": lambda x, K: F.conv_transpose2d(x, K[:3], output_padding=2),
    "a stride of 1.5": lambda x, K: F.conv_transpose2d(x, K[:3], stride=1.5),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_by_torch(wrong):
    arguments = random(2, 3, 5, 5), random(4, 3, 3, 3).detach()
    assert error_of(inside(wrong), arguments, {}) == error_of(wrong, arguments, {})


# Shapes and layouts


CALLS = {
    "stride": (lambda x, K, b: F.conv2d(x, K, b, stride=(2, 1)), (2, 3, 6, 5), (4, 3, 3, 2)),
    "padding and dilation": (lambda x, K, b: F.conv2d(x, K, b, padding=(2, 1), dilation=(1, 2)), (2, 3, 4, 5), (4, 3, 3, 2)),
    "all, with a rest": (lambda x, K, b: F.conv2d(x, K, b, 3, 1, 2), (2, 2, 9, 8), (3, 2, 2, 3)),
    "same, one more behind": (lambda x, K, b: F.conv2d(x, K, b, padding="same"), (2, 3, 4, 5), (4, 3, 2, 4)),
    "valid": (lambda x, K, b: F.conv1d(x, K, b, padding="valid"), (2, 3, 7), (4, 3, 3)),
    "unbatched": (lambda x, K, b: F.conv1d(x, K, b, padding=[1]), (3, 7), (4, 3, 3)),
    "groups": (lambda x, K, b: F.conv1d(x, K, b, groups=2), (2, 4, 6), (6, 2, 3)),
    "depthwise": (lambda x, K, b: F.conv2d(x, K, b, 2, 1, groups=3), (2, 3, 5, 4), (6, 1, 3, 2)),
    "one place": (lambda x, K, b: F.conv2d(x, K, b, stride=2), (2, 3, 5, 4), (4, 3, 1, 1)),
    "one place, in groups": (lambda x, K, b: F.conv1d(x, K, b, groups=2), (2, 4, 5), (6, 2, 1)),
    "one place and a padding": (lambda x, K, b: F.conv1d(x, K, b, padding=1), (2, 3, 4), (2, 3, 1)),
    "three dimensions": (lambda x, K, b: F.conv3d(x, K, b, (1, 2, 1), (0, 1, 1)), (2, 2, 3, 4, 3), (3, 2, 2, 3, 2)),
    "no examples": (lambda x, K, b: F.conv2d(x, K, b), (0, 3, 4, 4), (2, 3, 2, 2)),
    "transposed": (lambda x, K, b: F.conv_transpose2d(x, K, b, 2, 1, 1), (2, 3, 3, 4), (3, 4, 3, 2)),
    "transposed, much more": (
        lambda x, K, b: F.conv_transpose1d(x, K, b, 1, 1, 2, dilation=3, groups=2),
        (2, 4, 3),
        (4, 3, 3),
    ),
    "transposed, unbatched": (lambda x, K, b: F.conv_transpose3d(x, K, b, (1, 2, 1)), (2, 2, 2, 2), (2, 2, 2, 1, 2)),
}


def inputs_of(name, dtype=DOUBLE):
    function, x, K = CALLS[name]
    x, K = random(*x, dtype=dtype), random(*K, dtype=dtype)
    return x, K, random(function(x, K, None).shape[1 - (x.dim() < K.dim()) :][0], dtype=dtype)


@pytest.mark.few(6)
@pytest.mark.parametrize("name", [name for name in CALLS if name != "no examples"])
def test_every_derivative_against_differences(name):
    check(inside(CALLS[name][0]), *inputs_of(name))


@pytest.mark.parametrize("name", CALLS)
def test_the_derivatives_are_torchs(name):
    function = CALLS[name][0]
    assert_same(on_tree(inside(function)), on_tree(function), (inputs_of(name), {}))


LAYOUTS = {
    "contiguous": lambda x: x,
    "channels last": lambda x: x.to(memory_format=torch.channels_last),
    "expanded": lambda x: x[:1, :, :, :1].expand_as(x),
    "with gaps": lambda x: torch.stack([x, x], -1)[..., 0],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["stride", "depthwise", "one place", "transposed"])
def test_layouts_are_kept_as_torch_keeps_them(name, layout):
    function = CALLS[name][0]
    x, K, b = (t.detach() for t in inputs_of(name, torch.float32))
    seen = []
    for f in (inside(function), function):
        leaves = [t.detach().requires_grad_() for t in (LAYOUTS[layout](x), K, b)]
        y = f(*leaves)
        seen.append((y, *torch.autograd.grad(y.sum() + y.square().sum(), leaves)))
    assert_close(*seen)
    assert [t.stride() for t in seen[0][:2]] == [t.stride() for t in seen[1][:2]]


@pytest.mark.parametrize("needed", list(itertools.product([False, True], repeat=3)))
@pytest.mark.parametrize("name", ["stride", "transposed"])
def test_it_computes_and_keeps_only_what_is_asked_for(name, needed):
    inputs = [t.detach().requires_grad_(n) for t, n in zip(inputs_of(name), needed, strict=True)]
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.shape) or t, lambda t: t):
        y = inside(CALLS[name][0])(*inputs)
    x_needed, K_needed, _ = needed
    assert kept == [inputs[0].shape] * K_needed + [inputs[1].shape] * x_needed
    if any(needed):
        y.sum().backward()
    assert [t.grad is not None for t in inputs] == list(needed)


# The ways to the kernel's gradient


def composed(large, small, kernel, stride, padding, dilation, groups):
    """Place by place of the kernel."""
    N, C, *_ = large.shape
    large = F.pad(large, [p for P in reversed(padding) for p in (P, P)])
    D = large.new_zeros(small.shape[1], C // groups, *kernel)
    for k in itertools.product(*map(range, kernel)):
        met = large
        for dim, (i, s, d, p) in enumerate(zip(k, stride, dilation, small.shape[2:], strict=True), 2):
            met = met.narrow(dim, i * d, (p - 1) * s + 1)[(slice(None),) * dim + (slice(None, None, s),)]
        met = met.reshape(N, groups, C // groups, -1)
        D[(..., *k)] = torch.einsum("ngop,ngcp->goc", small.reshape(N, groups, -1, met.shape[-1]), met).flatten(0, 1)
    return D


# way: N, C, O, places, kernel, stride, padding, dilation, groups
WAYS = {
    "exchanged": ("_exchanged", 2, 3, 5, (6, 7), (3, 2), (2, 1), (1, 2), (1, 2), 1),
    "exchanged, in groups": ("_exchanged", 2, 6, 4, (6, 7), (3, 2), (2, 1), (1, 2), (1, 2), 2),
    "of each channel": ("_of_each_channel", 3, 4, 8, (6, 7), (3, 2), (2, 1), (1, 2), (1, 2), 4),
    "of each channel, on a line": ("_of_each_channel", 3, 4, 4, (9,), (4,), (1,), (3,), (1,), 4),
    "of one place": ("_of_one_place", 3, 4, 8, (6, 7), (1, 1), (2, 3), (0, 0), (1, 1), 1),
    "of one place, in groups": ("_of_one_place", 3, 4, 8, (6, 7), (1, 1), (1, 1), (0, 0), (1, 1), 2),
    "windows": ("_by_windows", 5, 48, 64, (10, 11), (3, 2), (1, 1), (1, 0), (1, 2), 1),
    "windows of few channels": ("_by_windows", 6, 9, 70, (10, 11), (3, 3), (1, 1), (0, 0), (1, 1), 1),
    "windows at a stride": ("_by_windows", 6, 9, 70, (20, 19), (3, 3), (2, 2), (1, 0), (1, 1), 1),
    "windows in groups": ("_by_windows", 3, 32, 128, (11, 11), (3, 3), (1, 1), (1, 1), (1, 1), 2),
    "windows on a line": ("_by_windows", 5, 20, 64, (120,), (5,), (1,), (2,), (2,), 1),
    "windows in three dimensions": ("_by_windows", 9, 6, 32, (6, 9, 11), (3, 2, 3), (1, 2, 2), (1, 0, 1), (2, 1, 1), 1),
    "rows": ("_by_rows", 2, 40, 64, (31, 30), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "rows of many numbers, one by one": ("_by_rows", 2, 90, 210, (14, 13), (3, 3), (1, 1), (1, 1), (1, 1), 1),
    "rows of a stem": ("_by_rows", 2, 3, 16, (101, 128), (7, 7), (2, 2), (3, 3), (1, 1), 1),
    "rows at strides and dilations that share no factor": ("_by_rows", 3, 6, 64, (40, 41), (4, 3), (3, 2), (2, 1), (2, 3), 1),
    "rows of one channel": ("_by_rows", 9, 1, 6, (28, 28), (5, 5), (1, 1), (2, 2), (1, 1), 1),
    "rows in groups": ("_by_rows", 3, 32, 128, (12, 12), (3, 3), (1, 1), (1, 1), (1, 1), 2),
    "rows on a line": ("_by_rows", 3, 20, 64, (300,), (3,), (2,), (2,), (3,), 1),
    "rows in three dimensions": ("_by_rows", 3, 6, 32, (8, 9, 11), (3, 2, 3), (1, 2, 1), (1, 0, 1), (2, 1, 1), 1),
}


def example_of(name):
    way, N, C, O, places, kernel, *geometry, groups = WAYS[name]
    large = torch.randn(N, C, *places, dtype=DOUBLE)
    small = torch.randn_like(convolve(large, large.new_zeros(O, C // groups, *kernel), None, *geometry, groups))
    return way, large, small, (kernel, *geometry, groups)


@pytest.mark.parametrize("layout", ["contiguous", "channels last", "with gaps"])
@pytest.mark.parametrize("name", WAYS)
def test_each_way_is_taken_and_gives_the_formula(name, layout, monkeypatch):
    way, large, small, how = example_of(name)
    if layout == "channels last":
        large, small = (t.movedim(1, -1).contiguous().movedim(-1, 1) for t in (large, small))
    elif layout == "with gaps":
        large, small = (torch.stack([t, t], 1)[:, 1] for t in (large, small))
    taken = []
    for other in {w[0] for w in WAYS.values()}:
        function = getattr(_kernel_gradient, other)
        monkeypatch.setattr(_kernel_gradient, other, lambda *a, f=function, o=other: taken.append(o) or f(*a))
    with torch.no_grad():
        assert_close(kernel_gradient(large, small, *how), composed(large, small, *how), rtol=1e-12, atol=1e-11)
    assert set(taken) == {way}


@pytest.mark.parametrize("library", ["torch", "onednn"])
@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
@pytest.mark.parametrize("name", [name for name, (way, *_) in WAYS.items() if way in ("_by_rows", "_by_windows")])
def test_either_library_multiplies_to_the_same(name, layout, library, monkeypatch):
    _, large, small, how = example_of(name)
    if layout == "channels last":
        large, small = (t.movedim(1, -1).contiguous().movedim(-1, 1) for t in (large, small))
    monkeypatch.setattr(_kernel_gradient, "_BLOCK", large.numel())  # some examples at a time
    expected = composed(large, small, *how)
    with torch.no_grad(), product.using(library):
        assert_close(kernel_gradient(large.float(), small.float(), *how).double(), expected, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(("way", "name"), [("_by_windows", "windows of few channels"), ("_by_rows", "rows of one channel")])
def test_products_are_for_plain_arrays_and_for_graphs_alone(way, name, monkeypatch):
    monkeypatch.setattr(_kernel_gradient, way, lambda *_: pytest.fail(way))
    _, large, small, how = example_of(name)
    large.requires_grad_()
    kernel_gradient(large, small, *how)
    with torch.no_grad():
        vmap(lambda small: kernel_gradient(large, small, *how))(small.expand(2, *small.shape))
        kernel_gradient(large.to("meta"), small.to("meta"), *how)


ON_A_GPU = {
    (64, 64, 56, 3, 1, torch.float32, 1): "_by_rows",
    (64, 64, 56, 3, 1, torch.bfloat16, 1): "_by_windows",
    (3, 64, 224, 7, 2, torch.float32, 1): "_by_windows",
    (512, 512, 7, 3, 1, torch.float16, 1): "_by_windows",
    (512, 512, 7, 3, 1, torch.float32, 1): "_exchanged",
    (64, 128, 56, 1, 2, torch.float32, 1): "_of_one_place",
    (2, 3, 6, 3, 1, torch.float32, 1): "_exchanged",
    (64, 64, 56, 3, 1, torch.float32, 32): "_exchanged",
}


@pytest.mark.parametrize("case", ON_A_GPU, ids=str)
def test_the_way_on_a_gpu(case, monkeypatch):
    """On fake tensors: which know of devices and shapes alone."""
    C, O, n, k, s, dtype, groups = case
    taken = []
    for way in set(ON_A_GPU.values()):
        function = getattr(_kernel_gradient, way)
        monkeypatch.setattr(_kernel_gradient, way, lambda *a, f=function, w=way: taken.append(w) or f(*a))
    monkeypatch.setattr(_kernel_gradient, "unrecorded", lambda t: True)  # but for the mode of fake tensors
    with FakeTensorMode(), torch.no_grad():
        large = torch.empty(8, C, n, n, dtype=dtype, device="cuda")
        small = torch.empty(8, O, *[(n - 1) // s + 1] * 2, dtype=dtype, device="cuda")
        D = kernel_gradient(large, small, (k, k), (s, s), (k // 2, k // 2), (1, 1), groups)
    assert (taken, D.shape, D.dtype) == ([ON_A_GPU[case]], (O, C // groups, k, k), dtype)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_windows_in_half_precision_are_rounded_for_each_block_alone(dtype, monkeypatch):
    monkeypatch.setattr(_kernel_gradient, "_BLOCK", 1)  # an example
    _, large, small, (*how, _) = example_of("windows of few channels")
    large, small = torch.cat([large] * 20).to(dtype), torch.cat([small] * 20).to(dtype)
    exact = composed(large.double(), small.double(), *how, 1)
    D = _kernel_gradient._by_windows(large, small, *how)
    assert D.dtype == dtype
    assert (D - exact).abs().max() <= 1.01 * torch.finfo(dtype).eps * exact.abs().max()


@pytest.mark.few(4)
@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
@pytest.mark.parametrize("name", WAYS)
def test_each_way_compiles_to_the_formula(name, layout):
    _, large, small, how = example_of(name)
    if layout == "channels last":
        large, small = (t.movedim(1, -1).contiguous().movedim(-1, 1) for t in (large, small))
    torch.compiler.reset()
    compiled = torch.compile(kernel_gradient, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        for _ in range(3):  # the second time with a number of examples that may be any
            assert_close(compiled(large, small, *how), composed(large, small, *how), rtol=1e-12, atol=1e-11)
            large, small = (torch.cat([t, t[:1]]) for t in (large, small))


@pytest.mark.parametrize("name", ["windows of few channels", "rows of one channel"])
def test_the_second_derivative_at_a_size_that_has_windows(name):
    _, large, small, (kernel, stride, padding, dilation, groups) = example_of(name)
    K = torch.randn(small.shape[1], large.shape[1], *kernel, dtype=DOUBLE, requires_grad=True)
    tree = ((large.requires_grad_(), K, None, stride, padding, dilation, groups), {})
    assert_same(on_tree(inside(F.conv2d)), on_tree(F.conv2d), tree)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize(("width", "groups"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_half_precision_is_rounded_once_and_not_for_each_example(width, groups, dtype):
    most = 2 / torch.finfo(dtype).eps  # to which 1 cannot be added
    x = torch.tensor([[most, 1, 0], [-most, 0, 0]], dtype=dtype).reshape(2, 1, 3).repeat(1, 2, 1)
    delta = torch.ones(2, 2, 4 - width, dtype=dtype)
    D = kernel_gradient(x, delta, (width,), (1,), (0,), (1,), groups)
    assert_close(D, torch.ones_like(D))


# Modes


def bilinear(conv):
    """Of one tensor, which is x and K and b."""

    def function(t):
        x, K, b = t[:16].reshape(1, 2, 2, 4), t[16:28].reshape(3, 2, 1, 2), t[28:31]
        return conv(x, K, b).sin().sum((0, 2, 3))

    return function


def elementary(x, K, b):
    """conv2d with a stride of 1 and 2 and a padding of 0 and 1."""
    x = torch.cat([torch.zeros_like(x[..., :1]), x, torch.zeros_like(x[..., :1])], -1)
    y = sum((K[:, :, :, k, None] * x[:, None, :, :, k : k + 5 : 2]).sum(2) for k in range(2))
    return y + b[:, None, None]


LETTERS = {"f": jacfwd, "r": jacrev, "v": lambda f: lambda x: vmap(f)(torch.stack([x, 2 * x]))}
WORDS = ["".join(word) for n in (1, 2) for word in itertools.product("frv", repeat=n)]


@pytest.mark.parametrize("word", WORDS)
def test_each_nesting_has_the_derivatives_of_the_formula(word):
    found = inside(bilinear(lambda x, K, b: F.conv2d(x, K, b, (1, 2), (0, 1))))
    expected = bilinear(elementary)
    for letter in reversed(word):
        found = LETTERS[letter](found)
        expected = LETTERS["r" if letter == "f" else letter](expected)
    t = torch.randn(31, dtype=DOUBLE)
    assert_close(found(t), expected(t))


def test_gradients_of_each_example():
    x, K, b = (t.detach() for t in inputs_of("all, with a rest"))

    def loss(x, K, b):
        return F.conv2d(x, K, b, 3, 1, 2).square().sum()

    of_each = vmap(torch.func.grad(inside(loss), argnums=(0, 1, 2)), in_dims=(0, None, None))(x, K, b)
    expected = vmap(torch.func.grad(loss, argnums=(0, 1, 2)), in_dims=(0, None, None))(x, K, b)
    assert_close(of_each, expected)


def derivatives_of(function, inputs, g):
    return torch.autograd.grad(function(*inputs), inputs, g)


@pytest.mark.exhaustive
def test_compiled_with_changing_sizes_it_is_one_graph():
    compiled = torch.compile(inside(lambda x, K: F.conv2d(x, K, None, 2, 1)), backend="aot_eager", fullgraph=True, dynamic=True)
    for shape in ((2, 3, 8, 7), (3, 3, 9, 10)):
        inputs = random(*shape), random(4, 3, 3, 3)
        g = random_like(F.conv2d(*inputs, None, 2, 1).detach())
        assert_close(derivatives_of(compiled, inputs, g), derivatives_of(lambda x, K: F.conv2d(x, K, None, 2, 1), inputs, g))


def test_modules_are_by_hand():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 3, 3, padding="same"), torch.nn.ConvTranspose2d(3, 2, 2, 2)).double()
    x = random(2, 1, 4, 4)
    with by_hand():
        y = net(x)
    assert audit(y).manual == {"ConvolutionFunction": 1, "TransposedConvolutionFunction": 1}
    assert audit(y).coverage == 1
    assert_close(y, net(x))

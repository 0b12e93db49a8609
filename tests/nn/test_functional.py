"""nn.functional against torch's: values, gradients and errors."""

import inspect

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

import manualgrad.nn.functional as MF
from manualgrad.functions import LinearFunction

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
COMPLEX = [torch.complex128, torch.complex64]


def same(ours, theirs, *arguments, **kwargs):
    """The same value, and the same gradient of every argument, for a random gradient of the output."""
    ours_in, theirs_in = (
        [a.detach().clone().requires_grad_(a.requires_grad) if isinstance(a, torch.Tensor) else a for a in arguments]
        for _ in range(2)
    )
    output, expected = ours(*ours_in, **kwargs), theirs(*theirs_in, **kwargs)
    assert_close(output, expected, equal_nan=True)
    if not expected.requires_grad:
        return
    gradient = torch.randn(expected.shape, device=expected.device).to(expected.dtype)
    output.backward(gradient)
    expected.backward(gradient)
    for a, b in zip(ours_in, theirs_in, strict=True):
        if isinstance(a, torch.Tensor) and a.requires_grad:
            assert a.grad.dtype == b.grad.dtype
            assert_close(a.grad, b.grad, equal_nan=True)


def random(*shape, dtype=torch.float32, device="cpu"):
    return torch.randn(shape, dtype=dtype, device=device).requires_grad_()


@pytest.mark.parametrize("dtype", DTYPES + COMPLEX)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7,), (1, 7), (33, 7), (0, 7), (2, 5, 7), (2, 0, 7), (3, 2, 1, 7)])
def test_linear_agrees_with_torch(shape, bias, dtype, device):
    W, b = random(5, 7, dtype=dtype, device=device), random(5, dtype=dtype, device=device)
    same(MF.linear, F.linear, random(*shape, dtype=dtype, device=device), W, b if bias else None)


@pytest.mark.parametrize("weight_shape", [(7,), (0, 7), (1, 7)])
def test_linear_agrees_with_torch_for_odd_weights(weight_shape):
    same(MF.linear, F.linear, random(3, 7), random(*weight_shape))


@pytest.mark.parametrize("bias_shape", [(1,), (), (3, 5), (1, 5)])
def test_linear_agrees_with_torch_for_odd_biases(bias_shape):
    same(MF.linear, F.linear, random(3, 7), random(5, 7), random(*bias_shape))


@pytest.mark.parametrize("layout", ["transposed", "expanded", "strided"])
def test_linear_agrees_with_torch_for_inputs_that_are_not_contiguous(layout):
    x = {"transposed": random(7, 6).t(), "expanded": random(1, 7).expand(6, 7), "strided": random(12, 14)[::2, ::2]}[layout]
    same(MF.linear, F.linear, x.detach().requires_grad_(), random(5, 7), random(5))


@pytest.mark.parametrize("dtype", DTYPES + COMPLEX)
@pytest.mark.parametrize("shape", [(), (1000,), (33, 7), (0, 7), (2, 3, 5)])
def test_sigmoid_agrees_with_torch(shape, dtype, device):
    same(MF.sigmoid, torch.sigmoid, random(*shape, dtype=dtype, device=device))


def test_sigmoid_agrees_with_torch_at_the_extremes(device):
    z = torch.tensor([-torch.inf, -1e4, -100, -17, 0, 17, 100, 1e4, torch.inf, torch.nan], device=device)
    same(MF.sigmoid, torch.sigmoid, z.requires_grad_())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (1000,), (33, 7), (0, 7), (2, 3, 5)])
def test_relu_agrees_with_torch(shape, dtype, device):
    same(MF.relu, F.relu, random(*shape, dtype=dtype, device=device))


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_relu_and_sigmoid_agree_with_torch_for_integers(dtype):
    integers = torch.arange(5).to(dtype)
    same(MF.relu, F.relu, integers)
    same(MF.sigmoid, torch.sigmoid, integers)


def test_relu_inplace_agrees_with_torch():
    def inplace(relu):
        def function(x):
            y = x * 2
            z = relu(y, inplace=True)
            assert z is y
            return z * 3 + y

        return function

    same(inplace(MF.relu), inplace(F.relu), random(33, 7))


def test_relu_inplace_on_a_leaf_raises_as_torch_does():
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        MF.relu(random(3), inplace=True)


MSE_SHAPES = [((), ()), ((7,), (7,)), ((33, 7), (33, 7)), ((2, 3, 5), (2, 3, 5)), ((0, 3), (0, 3))]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(("input_shape", "target_shape"), MSE_SHAPES)
def test_mse_loss_agrees_with_torch(input_shape, target_shape, reduction, dtype, device):
    a, y = random(*input_shape, dtype=dtype, device=device), random(*target_shape, dtype=dtype, device=device)
    same(MF.mse_loss, F.mse_loss, a, y, reduction=reduction)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("shape", [(), (7,), (33, 7), (2, 3, 5)])
def test_mse_loss_with_weight_agrees_with_torch(shape, reduction, dtype, device):
    a, y, w = (random(*shape, dtype=dtype, device=device) for _ in range(3))
    w = w.detach().abs().add(0.1).requires_grad_()
    same(
        lambda a, y, w: MF.mse_loss(a, y, reduction=reduction, weight=w),
        lambda a, y, w: F.mse_loss(a, y, reduction=reduction, weight=w),
        a,
        y,
        w,
    )


@pytest.mark.filterwarnings("default:Using a target size")
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(("input_shape", "target_shape"), [((5, 3), (3,)), ((3,), (5, 3)), ((5, 1), (1, 3)), ((5, 3), ())])
def test_mse_loss_broadcasts_with_torchs_warning(input_shape, target_shape, reduction):
    with pytest.warns(UserWarning, match="Using a target size") as ours:
        same(MF.mse_loss, F.mse_loss, random(*input_shape), random(*target_shape), reduction=reduction)
    assert len(ours) == 2
    assert ours[0].filename == ours[1].filename == __file__  # both point at the caller


@pytest.mark.parametrize("target_dtype", [torch.float64, torch.int64])
def test_mse_loss_promotes_types_as_torch_does(target_dtype):
    a, y = random(5, 3), torch.ones(5, 3, dtype=target_dtype)
    C = MF.mse_loss(a, y)
    assert_close(C, F.mse_loss(a, y))
    C.backward()
    expected = a.detach().clone().requires_grad_()
    F.mse_loss(expected, y.float()).backward()  # its backward with other dtypes raises in PyTorch 2.9
    assert_close(a.grad, expected.grad)


@pytest.mark.parametrize("legacy", [{"size_average": False}, {"reduce": False}, {"size_average": True, "reduce": True}])
def test_mse_loss_takes_the_deprecated_arguments(legacy):
    with pytest.warns(UserWarning, match="deprecated"):
        same(MF.mse_loss, F.mse_loss, random(5, 3), random(5, 3), **legacy)


# Where torch's own function answers.


def batchmean(a, y):
    return MF.mse_loss(a, y, reduction="batchmean")


class Tensor(torch.Tensor):
    """A subclass that goes through __torch_function__."""


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 5), (4,)])
@pytest.mark.parametrize(
    "run",
    [
        lambda a, y: torch.jit.trace(batchmean, (torch.rand(2, *a.shape[1:]), torch.rand(2, *a.shape[1:])))(a, y),
        lambda a, y: torch.fx.symbolic_trace(batchmean)(a, y),
        lambda a, y: torch.compile(batchmean, fullgraph=True, backend="aot_eager", dynamic=True)(a, y),
        lambda a, y: batchmean(a.as_subclass(Tensor), y).as_subclass(torch.Tensor),
    ],
    ids=["jit.trace of another batch size", "fx", "compile", "subclass"],
)
def test_batchmean_works_where_torch_answers_which_has_it_not(run, shape):
    a, y = random(*shape), random(*shape)
    (gradient,) = torch.autograd.grad(batchmean(a, y), a)
    cost = run(a, y)
    assert_close(cost, batchmean(a, y))
    assert_close(torch.autograd.grad(cost, a), (gradient,))


def nested():
    return torch.nested.nested_tensor([torch.rand(2, 5), torch.rand(3, 5)])


def jagged():
    return torch.nested.nested_tensor([torch.rand(2, 5), torch.rand(3, 5)], layout=torch.jagged)


NO_PLAIN_ARRAYS = {
    "nested": (nested, lambda t: torch.nested.to_padded_tensor(t, 0)),
    "jagged": (jagged, lambda t: torch.nested.to_padded_tensor(t, 0)),
    "sparse": (lambda: torch.eye(5).to_sparse(), lambda t: t.to_dense()),
    "compressed": (lambda: torch.eye(5).to_sparse_csr(), lambda t: t.to_dense()),
    "mkldnn": (lambda: torch.rand(2, 5).to_mkldnn(), lambda t: t.to_dense()),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # nested and compressed tensors are young
@pytest.mark.parametrize(("make", "dense"), NO_PLAIN_ARRAYS.values(), ids=NO_PLAIN_ARRAYS)
@pytest.mark.parametrize("function", ["linear", "relu", "sigmoid"])
def test_a_tensor_that_is_no_plain_array_gets_what_torch_gives(function, make, dense):
    """A value and a gradient where torch has them, and its error where it has none."""
    input, W, b = make(), random(4, 5), random(4)

    def run(F):
        x = input.detach().requires_grad_()
        parameters = [p.detach().requires_grad_() for p in (W, b)] if function == "linear" else []
        value = dense(getattr(F, function)(x, *parameters))
        value.square().sum().backward()
        return value, dense(x.grad), *(p.grad for p in parameters)

    try:
        expected = run(F)
    except (RuntimeError, NotImplementedError) as error:
        with pytest.raises(type(error)):
            run(MF)
    else:
        assert_close(run(MF), expected)


# Errors: torch's type, and a sentence that names the argument.

ERRORS = {
    "last dimension": ("linear", ((2, 3), (4, 5), (4,)), r"linear: got input of shape \[2, 3\].*last dimension to be 5"),
    "0-d input": ("linear", ((), (4, 5), (4,)), r"linear: got input of shape \[\].*last dimension to be 5"),
    "bias": ("linear", ((2, 5), (4, 5), (3,)), r"linear: got bias of shape \[3\].*expected bias of shape \[4\]"),
    "3-d weight": ("linear", ((2, 5), (2, 4, 5)), r"linear: got weight of shape \[2, 4, 5\]"),
    "target": ("mse_loss", ((2, 5), (2, 4)), r"mse_loss: got target of shape \[2, 4\] for input of shape \[2, 5\]"),
}


@pytest.mark.filterwarnings("default:Using a target size")
@pytest.mark.parametrize(("function", "shapes", "message"), ERRORS.values(), ids=ERRORS)
def test_a_shape_that_does_not_fit_raises_torchs_error(function, shapes, message):
    arguments = [random(*shape) for shape in shapes]
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        getattr(F, function)(*arguments)
    with pytest.raises(theirs.type, match=message):
        getattr(MF, function)(*arguments)


WRONG_KINDS = {
    "linear dtype": (
        "linear",
        (random(2, 5), random(4, 5, dtype=torch.float64)),
        "got weight torch.float64 and input torch.float32",
    ),
    "linear device": (
        "linear",
        (random(2, 5), random(4, 5, device="meta"), random(4, device="meta")),
        "got weight on meta and input on cpu",
    ),
    "linear bias device": (
        "linear",
        (random(2, 5), random(4, 5), random(4, device="meta")),
        "got bias on meta and input on cpu",
    ),
    "linear list": ("linear", ([1.0], random(4, 1)), "linear: expected input to be a Tensor, got a list"),
    "mse_loss device": ("mse_loss", (random(2, 5), random(2, 5, device="meta")), "got target on meta and input on cpu"),
    "mse_loss complex": (
        "mse_loss",
        (random(2, dtype=torch.complex64), random(2)),
        "real floating-point tensor, got torch.complex64",
    ),
    "mse_loss integers": ("mse_loss", (torch.ones(2).int(), torch.ones(2).int()), "at least one floating-point tensor"),
    "mse_loss number": ("mse_loss", (random(2), 1.0), "mse_loss: expected target to be a Tensor, got a float"),
    "mse_loss reduction": ("mse_loss", (random(2), random(2), None, None, "average"), "reduction to be 'none', .*'average'"),
    "mse_loss weight": (
        "mse_loss",
        (random(2), random(2), None, None, "mean", random(3)),
        r"expected weight to have input's shape \[2\]",
    ),
    "relu complex": ("relu", (random(2, dtype=torch.complex64),), "relu: .* real numbers, got torch.complex64"),
    "relu bool": ("relu", (torch.ones(2) > 0,), "relu: .* real numbers, got torch.bool"),
    "relu None": ("relu", (None,), "relu: expected input to be a Tensor, got a NoneType"),
}


@pytest.mark.parametrize(("function", "arguments", "message"), WRONG_KINDS.values(), ids=WRONG_KINDS)
def test_an_argument_of_the_wrong_kind_raises_torchs_error(function, arguments, message):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        getattr(F, function)(*arguments)
    with pytest.raises(theirs.type, match=message) as ours:
        getattr(MF, function)(*arguments)
    assert ours.type is theirs.type


def test_an_error_that_is_not_about_the_arguments_comes_through_as_it_was(monkeypatch):
    def out_of_memory(*inputs):
        raise torch.OutOfMemoryError("no memory left")

    monkeypatch.setattr(LinearFunction, "apply", out_of_memory)
    with pytest.raises(torch.OutOfMemoryError, match="no memory left"):
        MF.linear(random(2, 5), random(4, 5), random(1))  # a bias that torch takes, though it is not [4]


def test_a_complex_weight_is_refused_as_complex_inputs_are():
    with pytest.raises(NotImplementedError, match=r"expected weight to be .*real.*, got torch\.complex64"):
        MF.mse_loss(random(2), random(2), weight=random(2, dtype=torch.complex64))


def test_backward_twice_raises_torchs_error():
    output = MF.sigmoid(random(3)).sum()
    output.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        output.backward()


# What is not supported.


def test_functionalize_has_no_rule_for_any_function_of_pytorchs():
    with pytest.raises(RuntimeError, match="Functionalize rule for custom_function_call"):
        torch.func.functionalize(MF.sigmoid)(random(3))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_jit_script_reads_no_function_of_these():
    with pytest.raises(RuntimeError, match="undefined value SigmoidFunction"):
        torch.jit.script(MF.sigmoid)


CALLS = {
    "linear": {"weight": (4, 3), "input": (2, 3), "bias": (4,)},
    "sigmoid": {"input": (2, 3)},
    "relu": {"input": (2, 3)},
    "mse_loss": {"target": (2, 3), "input": (2, 3)},
}


@pytest.mark.parametrize("name", CALLS)
def test_arguments_go_by_position_and_by_name_in_any_order(name):
    tensors = {argument: torch.rand(shape, requires_grad=True) for argument, shape in CALLS[name].items()}
    function = getattr(MF, name)
    positional = [tensors[argument] for argument in inspect.signature(function).parameters if argument in tensors]
    by_name, by_position = function(**tensors), function(*positional)
    assert by_name.grad_fn.name() == by_position.grad_fn.name()
    assert "Function" in by_name.grad_fn.name()
    assert_close(by_name, by_position, rtol=0, atol=0)


@pytest.mark.parametrize("name", CALLS)
def test_a_mode_is_handed_the_function_that_was_called_with_the_arguments_as_given(name):
    seen = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            seen.append((function, args, kwargs or {}))
            return function(*args, **(kwargs or {}))

    tensors = {argument: torch.rand(shape) for argument, shape in CALLS[name].items()}
    with Watch():
        getattr(MF, name)(**tensors)
    function, args, kwargs = seen[0]
    assert function is getattr(MF, name)
    assert args == ()
    assert all(kwargs[argument] is tensor for argument, tensor in tensors.items())


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_python_refuses_is_pythons_error(name):
    tensors = {argument: torch.rand(shape) for argument, shape in CALLS[name].items()}
    with pytest.raises(TypeError, match="unexpected keyword argument 'bais'"):
        getattr(MF, name)(**tensors, bais=None)

"""The layers against torch.nn's: values, gradients, errors, parameters, and what a model file sees of the module."""

import copy
import inspect
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

import manualgrad.nn.functional as MF
from manualgrad import nn

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


# Errors: torch's type, and a sentence that names the argument.

ERRORS = {
    "last dimension": ("linear", ((2, 3), (4, 5), (4,)), r"linear: input of shape \[2, 3\].*last dimension must be 5"),
    "0-d input": ("linear", ((), (4, 5), (4,)), r"linear: input of shape \[\].*last dimension must be 5"),
    "bias": ("linear", ((2, 5), (4, 5), (3,)), r"linear: bias of shape \[3\].*must have shape \[4\]"),
    "3-d weight": ("linear", ((2, 5), (2, 4, 5)), r"linear: weight has shape \[2, 4, 5\]"),
    "target": ("mse_loss", ((2, 5), (2, 4)), r"mse_loss: target of shape \[2, 4\] does not fit input of shape \[2, 5\]"),
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
        "weight is torch.float64 and input torch.float32",
    ),
    "linear device": (
        "linear",
        (random(2, 5), random(4, 5, device="meta"), random(4, device="meta")),
        "weight is on meta and input on cpu",
    ),
    "linear bias device": (
        "linear",
        (random(2, 5), random(4, 5), random(4, device="meta")),
        "bias is on meta and input on cpu",
    ),
    "linear list": ("linear", ([1.0], random(4, 1)), "linear: input must be a Tensor, and is a list"),
    "mse_loss device": ("mse_loss", (random(2, 5), random(2, 5, device="meta")), "target is on meta and input on cpu"),
    "mse_loss complex": ("mse_loss", (random(2, dtype=torch.complex64), random(2)), "input is torch.complex64"),
    "mse_loss integers": ("mse_loss", (torch.ones(2).int(), torch.ones(2).int()), "one must be a floating-point tensor"),
    "mse_loss number": ("mse_loss", (random(2), 1.0), "mse_loss: target must be a Tensor, and is a float"),
    "mse_loss reduction": ("mse_loss", (random(2), random(2), None, None, "average"), "reduction must be 'none', .*'average'"),
    "mse_loss weight": (
        "mse_loss",
        (random(2), random(2), None, None, "mean", random(3)),
        r"weight must have the shape of input, \[2\]",
    ),
    "relu complex": ("relu", (random(2, dtype=torch.complex64),), "relu: input is torch.complex64"),
    "relu bool": ("relu", (torch.ones(2) > 0,), "relu: input is torch.bool"),
    "relu None": ("relu", (None,), "relu: input must be a Tensor, and is a NoneType"),
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

    monkeypatch.setattr(MF.LinearFunction, "apply", out_of_memory)
    with pytest.raises(torch.OutOfMemoryError, match="no memory left"):
        MF.linear(random(2, 5), random(4, 5), random(1))  # a bias that torch takes, though it is not [4]


def test_a_complex_weight_is_refused_as_complex_inputs_are():
    with pytest.raises(NotImplementedError, match=r"weight is torch\.complex64"):
        MF.mse_loss(random(2), random(2), weight=random(2, dtype=torch.complex64))


def test_backward_twice_raises_torchs_error():
    output = MF.sigmoid(random(3)).sum()
    output.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        output.backward()


# Layers.


def build(module, dtype=torch.float32):
    torch.manual_seed(3)
    layers = [module.Linear(7, 5), module.Sigmoid(), module.Linear(5, 4, bias=False), module.ReLU(), module.Linear(4, 3)]
    return module.Sequential(*layers).to(dtype)


def test_the_same_seed_gives_bit_identical_parameters():
    for ours, theirs in zip(build(nn).parameters(), build(torch.nn).parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_state_dicts_go_both_ways():
    ours, theirs = build(nn), build(torch.nn)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())


def test_repr_is_torchs():
    assert repr(build(nn)) == repr(build(torch.nn))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_network_trains_as_torchs_does(dtype, device):
    x, y = torch.randn(33, 7, dtype=dtype, device=device), torch.rand(33, 3, dtype=dtype, device=device)
    models = []
    for module in (nn, torch.nn):
        model = build(module, dtype).to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(5):
            optimizer.zero_grad()
            module.MSELoss()(model(x), y).backward()
            optimizer.step()
        models.append(model)
    for ours, theirs in zip(*(model.parameters() for model in models), strict=True):
        assert_close(ours, theirs)


def test_every_arithmetic_node_of_a_network_is_hand_written():
    output = nn.MSELoss(reduction="batchmean")(build(nn)(torch.rand(2, 7)), torch.rand(2, 3))
    names, nodes = set(), [output.grad_fn]
    while nodes:
        node = nodes.pop()
        names.add(node.name())
        nodes += [following for following, _ in node.next_functions if following is not None]
    ours = {f"{name}FunctionBackward" for name in ("Linear", "Sigmoid", "ReLU", "MSELoss")}
    assert names == ours | {"torch::autograd::AccumulateGrad"}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_computes_the_same(copied):
    model, x = build(nn), torch.rand(2, 7)
    assert torch.equal(copied(model)(x), model(x))


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_compiled_network_agrees_with_the_eager_one(dynamic):
    torch._dynamo.reset()
    model, x, y = build(nn), torch.rand(6, 7), torch.rand(6, 3)
    cost = nn.MSELoss(reduction="batchmean")
    expected = torch.autograd.grad(cost(model(x), y), list(model.parameters()))
    compiled = torch.compile(lambda x, y: cost(model(x), y), fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for ours, theirs in zip(torch.autograd.grad(compiled(x, y), list(model.parameters())), expected, strict=True):
        assert_close(ours, theirs)
    with torch.no_grad():
        assert_close(compiled(x, y), cost(model(x), y))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_torchs_dtypes(dtype, device):
    x, y = torch.rand(6, 7, device=device), torch.rand(6, 3, device=device)
    seen = []
    for module in (nn, torch.nn):
        model = build(module).to(device)
        with torch.autocast(device.type, dtype):
            hidden = model[0](x)
            output = model(x)
            cost = module.MSELoss()(output, y)
        cost.backward()
        seen.append(
            [hidden.dtype, model[1](hidden).dtype, output.dtype, cost.dtype, *(p.grad.dtype for p in model.parameters())]
        )
    assert seen[0] == seen[1]


def test_the_meta_device_gives_shapes_and_no_numbers():
    model = build(nn).to("meta")
    cost = nn.MSELoss(reduction="batchmean")(model(torch.rand(6, 7, device="meta")), torch.rand(6, 3, device="meta"))
    cost.backward()
    assert all(p.grad.device.type == "meta" and p.grad.shape == p.shape for p in model.parameters())


def test_under_a_default_device_the_gradients_stay_hand_written():
    with torch.device("cpu"):
        assert build(nn)(torch.rand(2, 7)).grad_fn.name() == "LinearFunctionBackward"


def test_a_tensor_subclass_is_handed_torchs_own_functions():
    seen = []

    class Logged(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append(func)
            return super().__torch_function__(func, types, args, kwargs or {})

    x = torch.rand(2, 7).as_subclass(Logged)
    MF.linear(x, torch.rand(5, 7))
    MF.sigmoid(x)
    MF.relu(x)
    MF.mse_loss(x, torch.rand(2, 7))
    assert {F.linear, torch.sigmoid, F.relu, F.mse_loss} <= set(seen)


def test_fx_traces_torchs_own_functions():
    targets = {node.target for node in torch.fx.symbolic_trace(build(nn)).graph.nodes}
    assert {F.linear, torch.sigmoid, F.relu} <= targets


# The module.


def test_every_other_name_is_torch_nns_own():
    ours = {"Linear", "Sigmoid", "ReLU", "MSELoss", "functional"}
    for name in dir(torch.nn):
        if not name.startswith("_") and name not in ours:
            assert getattr(nn, name) is getattr(torch.nn, name)
    ours = {"linear", "sigmoid", "relu", "mse_loss"}
    for name in dir(F):
        if not name.startswith("_") and name not in ours and name not in vars(MF):
            assert getattr(MF, name) is getattr(F, name)


def test_dir_lists_torchs_names():
    assert set(dir(torch.nn)) <= set(dir(nn))
    assert set(dir(F)) <= set(dir(MF))


def test_an_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="Lineal"):
        nn.Lineal  # noqa: B018


def test_names_can_be_imported_from_the_module():
    from manualgrad.nn import Conv2d, Linear

    assert Conv2d is torch.nn.Conv2d
    assert issubclass(Linear, torch.nn.Linear)


@pytest.mark.parametrize("name", ["relu", "mse_loss"])
def test_signatures_are_torchs(name):
    ours, theirs = (inspect.signature(getattr(module, name)).parameters.values() for module in (MF, F))
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


@pytest.mark.parametrize("name", ["Linear", "Sigmoid", "ReLU", "MSELoss"])
def test_a_layer_overrides_forward_alone(name):
    layer = getattr(nn, name)
    assert layer.__base__ is getattr(torch.nn, name)
    assert {key for key in vars(layer) if not key.startswith("__")} == {"forward"}

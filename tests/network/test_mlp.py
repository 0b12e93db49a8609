"""MLP: a Sequential in everything but its graph, which is one node."""

import copy
import pickle
import warnings

import pytest
import torch
import torch.nn.utils.prune
from torch.autograd import forward_ad
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

import manualgrad
from manualgrad import MLP, nn
from manualgrad.network.mlp import StackFunction

ONE_NODE = {"StackFunction": 1, "MSELossFunction": 1}

KINDS = {
    "sigmoid": ([6, 5, 4, 3], "sigmoid", True),
    "relu": ([6, 5, 3], "relu", True),
    "tanh": ([6, 5, 3], "tanh", True),
    "each its own": ([6, 5, 4, 3], ["relu", "identity", "sigmoid"], True),
    "no biases": ([6, 5, 3], "sigmoid", False),
    "one layer": ([6, 3], "relu", True),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def pair(kind="each its own", device="cpu", dtype=torch.float64):
    """An MLP, and torch.nn's Sequential with the same parameters."""
    sizes, activation, bias = KINDS[kind]
    torch.manual_seed(2)
    model = MLP(sizes, activation, bias, device, dtype)
    torchs = {nn.Linear: torch.nn.Linear, nn.Sigmoid: torch.nn.Sigmoid, nn.ReLU: torch.nn.ReLU, nn.Tanh: torch.nn.Tanh}
    other = torch.nn.Sequential(*copy.deepcopy(list(model)))
    for layer in other:
        layer.__class__ = torchs.get(type(layer), type(layer))
    return model, other


def batch(device="cpu", dtype=torch.float64, n=7):
    torch.manual_seed(4)
    return torch.randn(n, 6, device=device, dtype=dtype, requires_grad=True), torch.rand(n, 3, device=device, dtype=dtype)


def cost_and_gradients(model, x, y):
    cost = (model(x) - y).square().sum()
    return cost, torch.autograd.grad(cost, [x, *model.parameters()])


# Plain eager mode: one node.


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_one_node_with_the_sequentials_values_and_gradients(kind, dtype, device):
    model, other = pair(kind, device, dtype)
    x, y = batch(device, dtype)
    assert manualgrad.audit(nn.MSELoss()(model(x), y)).manual == ONE_NODE
    assert_close(cost_and_gradients(model, x, y), cost_and_gradients(other, x, y))


def test_gradients_are_given_where_they_are_wanted_alone():
    model, other = pair()
    x, y = batch()
    for frozen in (["0.weight", "0.bias"], ["4.weight"], ["2.bias", "0.weight"], ["0.weight", "0.bias", "2.weight", "2.bias"]):
        for x_needs_grad in (True, False):
            found = []
            for m in (model, other):
                for name, p in m.named_parameters():
                    p.requires_grad_(name not in frozen)
                    p.grad = None
                inputs = x.detach().requires_grad_(x_needs_grad)
                (m(inputs) - y).square().sum().backward()
                found.append([inputs.grad, *(p.grad for p in m.parameters())])
            assert [g is None for g in found[0]] == [g is None for g in found[1]]
            assert_close([g for g in found[0] if g is not None], [g for g in found[1] if g is not None])


def test_the_backward_changes_neither_what_it_is_given_nor_what_it_kept(kind):
    model, x = pair(kind)[0], batch()[0]
    a = model(x)
    given = torch.rand_like(a)
    watched = [t for t in (a, given, *a.grad_fn.saved_tensors) if t is not None]
    before = copy.deepcopy([t.detach() for t in watched])
    first = torch.autograd.grad(a, [x, *model.parameters()], given, retain_graph=True)
    assert_close([t.detach() for t in watched], before, rtol=0, atol=0)
    assert_close(torch.autograd.grad(a, [x, *model.parameters()], given), first, rtol=0, atol=0)


def test_without_gradients_there_is_no_graph():
    model, _ = pair()
    with torch.no_grad():
        assert model(batch()[0]).grad_fn is None
    assert not model.requires_grad_(False)(batch()[0].detach()).requires_grad


def test_two_forwards_may_be_outstanding():
    model, other = pair()
    (x, y), (x2, y2) = batch(), batch(n=3)
    costs = [[(m(a) - b).square().sum() for a, b in ((x, y), (x2, y2))] for m in (model, other)]
    found = [
        [torch.autograd.grad(cost, list(m.parameters())) for cost in pair_]
        for m, pair_ in zip((model, other), costs, strict=True)
    ]
    assert_close(*found)


def test_first_and_second_derivatives_are_those_of_finite_differences(kind):
    model, _ = pair(kind)
    names = [name for name, _ in model.named_parameters()]

    def call(x, *parameters):
        W_and_b = list(parameters) if any("bias" in name for name in names) else [p for W in parameters for p in (W, None)]
        return StackFunction.apply(x, model._layers()[0], *W_and_b)

    inputs = (batch(n=2)[0], *model.parameters())
    assert torch.autograd.gradcheck(call, inputs, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(call, inputs, check_batched_grad=True)


@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
def test_a_backward_that_is_differentiated_again_calls_hooks_once():
    calls = []
    model, _ = pair()
    x, y = batch()
    x.register_hook(lambda g: calls.append("x"))
    model[0].weight.register_hook(lambda g: calls.append("W"))
    (model(x) - y).square().sum().backward(create_graph=True)
    assert sorted(calls) == ["W", "x"]
    assert x.grad.requires_grad
    for p in (x, *model.parameters()):
        p.grad = None  # a graph in a .grad is a cycle


def test_the_first_backward_is_the_kept_activations_and_the_second_is_not(kind):
    """Saving what is neither input nor output makes second derivatives silently wrong: here they agree with torch.nn's."""
    model, other = pair(kind)
    x, y = batch()
    found = []
    for m in (model, other):
        (first,) = torch.autograd.grad((m(x) - y).square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), [x, *m.parameters()]))
    assert_close(*found)


@pytest.mark.parametrize("change", [lambda model, output: model[2].weight.add_(1), lambda model, output: output.add_(1)])
def test_a_changed_parameter_or_output_is_an_error_in_the_backward(change):
    model, _ = pair("sigmoid")
    output = model(batch()[0])
    with torch.no_grad():
        change(model, output)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_a_second_backward_needs_retain_graph():
    model, _ = pair()
    output = model(batch()[0]).sum()
    output.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        output.backward()


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_gives_the_same_gradients(reentrant):
    model, other = pair()
    x, y = batch()
    found = []
    for m in (model, other):
        cost = (checkpoint(m, x, use_reentrant=reentrant) - y).square().sum()
        x.grad = None
        m.zero_grad()
        cost.backward()
        found.append([x.grad, *(p.grad for p in m.parameters())])
    assert_close(*found)


# Everywhere else: layer by layer.


def by_compile(model, x, y):
    torch._dynamo.reset()
    return cost_and_gradients_of(model, torch.compile(model, fullgraph=True, backend="aot_eager"), x, y)


def cost_and_gradients_of(model, call, x, y):
    cost = (call(x) - y).square().sum()
    return cost, torch.autograd.grad(cost, [x, *model.parameters()])


def by_func(model, x, y):
    parameters = dict(model.named_parameters())
    return torch.func.grad(lambda p: (torch.func.functional_call(model, p, x) - y).square().sum())(parameters)


def by_vmap_of_grad(model, x, y):
    def cost(p, x, y):
        return (torch.func.functional_call(model, p, (x[None],)) - y).square().sum()

    return torch.func.vmap(torch.func.grad(cost), (None, 0, 0))(dict(model.named_parameters()), x, y)


def by_hessian(model, x, y):
    return torch.func.hessian(lambda x: (model(x) - y).square().sum())(x)


def by_forward_mode(model, x, y):
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(model(forward_ad.make_dual(x, x * 2))).tangent


def by_autocast(model, x, y):
    model, x = model.float(), x.detach().float()
    with torch.autocast("cpu", torch.bfloat16):
        output = model(x)
    output.float().square().sum().backward()
    return output, [p.grad for p in model.parameters()]


def by_jit_trace(model, x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cost_and_gradients_of(model, torch.jit.trace(model, x), x, y)


def by_jit_script(model, x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(model)(x)


def by_fx(model, x, y):
    return cost_and_gradients_of(model, torch.fx.symbolic_trace(model), x, y)


def by_export(model, x, y):
    return torch.export.export(model, (x,)).module()(x)


def in_bfloat16(model, x, y):
    return cost_and_gradients(model.bfloat16(), x.detach().bfloat16().requires_grad_(), y.bfloat16())


def in_three_dimensions(model, x, y):
    return cost_and_gradients(model, x.detach().expand(2, 7, 6).clone().requires_grad_(), y)


def without_a_batch(model, x, y):
    return cost_and_gradients(model, x.detach()[0].clone().requires_grad_(), y[0])


def with_batched_gradients(model, x, y):
    output = model(x)
    return torch.autograd.grad(output, list(model.parameters()), torch.stack([output, y]), is_grads_batched=True)


def with_saved_tensor_hooks(model, x, y):
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.numpy(force=True), torch.from_numpy):
        cost = (model(x) - y).square().sum()
    return torch.autograd.grad(cost, [x, *model.parameters()])


def in_anomaly_mode(model, x, y):
    with torch.autograd.detect_anomaly(check_nan=True):
        return cost_and_gradients(model, x, y)


def with_a_default_device(model, x, y):
    with torch.device("cpu"):
        return cost_and_gradients(model, x, y)


def in_inference_mode(model, x, y):
    with torch.inference_mode():
        return model(x)


def with_pruning(model, x, y):
    torch.nn.utils.prune.l1_unstructured(model[0], "weight", amount=5)
    return cost_and_gradients(model, x, y)


def with_weight_norm(model, x, y):
    torch.nn.utils.parametrizations.weight_norm(model[0])
    return cost_and_gradients(model, x, y)


def with_a_layer_replaced(model, x, y):
    torch.manual_seed(9)
    model[2] = torch.nn.Linear(5, 4, dtype=torch.float64)
    return cost_and_gradients(model, x, y)


def with_an_activation_replaced(model, x, y):
    model[1] = torch.nn.Tanh()
    return cost_and_gradients(model, x, y)


def with_a_layer_appended(model, x, y):
    torch.manual_seed(9)
    return cost_and_gradients(model.append(torch.nn.Linear(3, 3, dtype=torch.float64)), x, y)


def deep_copied(model, x, y):
    return cost_and_gradients(copy.deepcopy(model), x, y)


def pickled(model, x, y):
    return cost_and_gradients(pickle.loads(pickle.dumps(model)), x, y)


MODES = [
    by_compile,
    by_func,
    by_vmap_of_grad,
    by_hessian,
    by_forward_mode,
    by_autocast,
    by_jit_trace,
    by_jit_script,
    by_fx,
    by_export,
    in_bfloat16,
    in_three_dimensions,
    without_a_batch,
    with_batched_gradients,
    with_saved_tensor_hooks,
    in_anomaly_mode,
    with_a_default_device,
    in_inference_mode,
    with_pruning,
    with_weight_norm,
    with_a_layer_replaced,
    with_an_activation_replaced,
    with_a_layer_appended,
    deep_copied,
    pickled,
]


@pytest.mark.filterwarnings("ignore:Anomaly Detection", "ignore:.torch.jit.script. is deprecated")
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.__name__)
def test_a_mode_agrees_with_torch_nns_sequential(mode):
    model, other = pair()
    x, y = batch()
    eps = torch.finfo(torch.bfloat16).eps
    tolerance = {"rtol": 2 * eps, "atol": eps} if mode in (by_autocast, in_bfloat16) else {}
    assert_close(mode(model, x, y), mode(other, x, y), **tolerance)


def test_autocast_around_the_backward_alone_does_not_change_it(device):
    model, _ = pair(device=device, dtype=torch.float32)
    x, y = batch(device, torch.float32)
    _, expected = cost_and_gradients(model, x, y)
    cost = (model(x) - y).square().sum()
    with torch.autocast(device.type, torch.bfloat16):
        found = torch.autograd.grad(cost, [x, *model.parameters()])
    assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook", "register_full_backward_hook"])
def test_the_hooks_of_a_layer_are_called(register):
    calls = []
    model, _ = pair()
    getattr(model[2], register)(lambda *arguments: calls.append(arguments[0]))
    model(batch()[0]).sum().backward()
    assert calls == [model[2]]


def test_global_hooks_see_every_layer():
    calls = []
    model, _ = pair()
    with torch.nn.modules.module.register_module_forward_hook(lambda module, inputs, output: calls.append(module)):
        model(batch()[0])
    assert calls == [*model, model]


def test_a_torch_function_mode_sees_every_layer():
    class Seen(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            names.append(function.__name__)
            return function(*args, **(kwargs or {}))

    names = []
    with Seen():
        pair("sigmoid")[0](batch()[0])
    assert [name for name in names if name in ("linear", "sigmoid")] == ["linear", "sigmoid"] * 3


def test_a_layer_of_torch_nns_keeps_torch_nns_gradient():
    model, _ = pair()
    model[2] = torch.nn.Linear(5, 4, dtype=torch.float64)
    audit = manualgrad.audit(model(batch()[0]))
    assert audit.manual == {"LinearFunction": 2, "ReLUFunction": 1, "SigmoidFunction": 1}
    assert audit.native == {"AddmmBackward0": 1}


def test_half_precision_is_the_layers_own():
    model, _ = pair(dtype=torch.bfloat16)
    assert manualgrad.audit(model(batch(dtype=torch.bfloat16)[0])).manual["LinearFunction"] == 3


def test_unswapped_it_is_torch_nns():
    model = manualgrad.unswap(pair()[0])
    assert manualgrad.audit(model(batch()[0])).coverage == 0
    assert manualgrad.audit(manualgrad.swap(model)(batch()[0])).manual == {"StackFunction": 1}


def test_the_meta_device_gives_shapes():
    model, _ = pair(device="meta")
    output = model(torch.empty(7, 6, device="meta", dtype=torch.float64))
    output.sum().backward()
    assert output.shape == (7, 3)
    assert model[0].weight.grad.shape == (5, 6)


WRONG = {
    "too wide": (torch.rand(7, 5).double(), RuntimeError, "linear: got input of shape [7, 5] for weight of shape [5, 6]"),
    "another dtype": (torch.rand(7, 6), RuntimeError, "linear: got weight torch.float64 and input torch.float32"),
    "integers": (torch.ones(7, 6, dtype=torch.int64), RuntimeError, "float64"),
    "no tensor": ([1.0], TypeError, "linear: expected input to be a Tensor, got a list"),
}


@pytest.mark.parametrize(("x", "error", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_input_raises_the_layers_error(x, error, message):
    model, other = pair()
    with pytest.raises(error) as caught:
        model(x)
    assert message in str(caught.value)
    with pytest.raises(error):
        other(x)


# What it is made of.


def test_an_mlp_is_the_same_sequential():
    torch.manual_seed(3)
    model = MLP([4, 3, 2], ["relu", "sigmoid"])
    torch.manual_seed(3)
    other = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2), torch.nn.Sigmoid())
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert_close(model.state_dict(), other.state_dict(), rtol=0, atol=0)
    other.load_state_dict(model.state_dict())
    x = torch.randn(5, 4)
    assert_close(model(x), other(x))
    assert manualgrad.audit(model(x)).coverage == 1.0


def test_a_slice_of_an_mlp_is_a_sequential_of_its_layers():
    model, x = MLP([4, 3, 2]), torch.randn(5, 4)
    first = model[:2]
    assert type(first) is torch.nn.Sequential
    assert first[0] is model[0]
    assert_close(model[2:](first(x)), model(x))
    assert list(model[2:].state_dict()) == ["2.weight", "2.bias"]


def test_an_mlp_takes_device_and_dtype_and_may_do_without_biases(device):
    model = MLP((4, 3), bias=False, device=device, dtype=torch.float64)
    assert [(name, p.device.type, p.dtype) for name, p in model.named_parameters()] == [
        ("0.weight", device.type, torch.float64)
    ]


BAD_MLP = {
    "one size": ([4], {}, "MLP: sizes must be two or more positive integers, such as [784, 16, 10], got [4]"),
    "no neuron": ([4, 0], {}, "MLP: sizes must be two or more positive integers, such as [784, 16, 10], got [4, 0]"),
    "activation": (
        [4, 3],
        {"activation": "gelu"},
        "MLP: activation must be one of sigmoid, relu, tanh, identity, or a sequence, got 'gelu'",
    ),
    "activations": (
        [4, 3, 2],
        {"activation": ["relu"]},
        "MLP: activation must have one name per layer after the inputs, 2, got 1",
    ),
}


@pytest.mark.parametrize(("sizes", "options", "message"), BAD_MLP.values(), ids=BAD_MLP)
def test_an_mlp_of_nothing_or_the_unknown_is_a_value_error(sizes, options, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        MLP(sizes, **options)
    assert message in str(caught.value)

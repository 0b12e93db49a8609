"""torch.func over swapped models: each transform gives what it gives for torch.nn's layers, in eager mode and compiled."""

import copy

import pytest
import torch
from models import SMALL, batch, build
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, stack_module_state, vjp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.testing import assert_close

from manualgrad import nn, swap
from manualgrad.torch_api import activations, linear, losses

# torch.func cannot transform torch's own LSTM (it changes its state in place), nor attention's fused kernels.
NAMES = [name for name in SMALL if name != "lstm"]


@pytest.fixture(autouse=True)
def _differentiable_attention():
    torch.backends.mha.set_fastpath_enabled(False)
    with sdpa_kernel(SDPBackend.MATH):
        yield
    torch.backends.mha.set_fastpath_enabled(True)


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def cost_of(model):
    return lambda parameters, x, y: functional_call(model, parameters, (x, y))[1]


def output_of(model):
    return lambda x: model.network(x)


def example(cost):
    """The cost of one example, without the batch dimension."""
    return lambda parameters, x, y: cost(parameters, x.unsqueeze(0), y.unsqueeze(0))


def ones_like(tree):
    return {name: torch.ones_like(p) for name, p in tree.items()}


def first_weight(model, parameters):
    """A function of one small parameter, for the transforms whose result is large."""
    key = next(key for key in parameters if key.endswith("bias"))

    def cost(b, x, y):
        return functional_call(model, {**parameters, key: b}, (x, y))[1]

    return cost, parameters[key]


TRANSFORMS = {
    "grad": lambda m, p, x, y: grad(cost_of(m))(p, x, y),
    "grad for the input": lambda m, p, x, y: grad(cost_of(m), argnums=1)(p, x, y),
    "vmap(grad)": lambda m, p, x, y: vmap(grad(example(cost_of(m))), in_dims=(None, 0, 0))(p, x, y),
    "vjp": lambda m, p, x, y: vjp(output_of(m), x)[1](y),
    "jvp": lambda m, p, x, y: jvp(output_of(m), (x,), (torch.ones_like(x),)),
    "jvp for the parameters": lambda m, p, x, y: jvp(lambda p: cost_of(m)(p, x, y), (p,), (ones_like(p),)),
    "jacrev": lambda m, p, x, y: jacrev(output_of(m))(x),
    "jacfwd": lambda m, p, x, y: jacfwd(output_of(m))(x),
    "hessian": lambda m, p, x, y: hessian(first_weight(m, p)[0])(first_weight(m, p)[1], x, y),
    "vmap over inputs": lambda m, p, x, y: vmap(output_of(m))(torch.stack([x, 2 * x])),
    "vmap(jacrev)": lambda m, p, x, y: vmap(jacrev(lambda x: output_of(m)(x.unsqueeze(0))))(x),
    "vmap(jvp)": lambda m, p, x, y: vmap(lambda t: jvp(output_of(m), (x,), (t,))[1])(torch.stack([x, 2 * x])),
}


def both(name):
    model = build(name, dtype=torch.float64).eval()
    x, y = batch(name, dtype=torch.float64)
    parameters = {key: p.detach() for key, p in model.named_parameters()}
    return swap(copy.deepcopy(model)), model, parameters, x, y


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_a_transform_of_a_swapped_model_agrees_with_the_originals(transform, name):
    swapped, original, parameters, x, y = both(name)
    assert_close(transform(swapped, parameters, x, y), transform(original, parameters, x, y))


@pytest.mark.few(3)
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_a_compiled_transform_agrees_with_the_eager_one(transform):
    swapped, original, parameters, x, y = both("mlp")
    torch._dynamo.reset()
    run = torch.compile(lambda p, x, y: transform(swapped, p, x, y), fullgraph=True, backend="aot_eager")
    assert_close(run(parameters, x, y), transform(original, parameters, x, y))


@pytest.mark.few(3)
@pytest.mark.parametrize("compiled", [False, True])
def test_an_ensemble_of_stacked_parameters_trains_as_its_members(compiled, name):
    models = [build(name, dtype=torch.float64).eval() for _ in range(3)]
    for i, model in enumerate(models):
        for p in model.parameters():
            p.data.mul_(1 + i / 10)
    x, y = batch(name, dtype=torch.float64)
    expected = torch.stack([model(x, y)[1] for model in models])
    expected_gradients = [torch.autograd.grad(cost, list(m.parameters())) for cost, m in zip(expected, models, strict=True)]
    parameters, buffers = stack_module_state([swap(model) for model in models])

    def cost(parameters, buffers, x, y):
        return functional_call(models[0], (parameters, buffers), (x, y))[1]

    run = vmap(cost, in_dims=(0, 0, None, None))
    if compiled:
        torch._dynamo.reset()
        run = torch.compile(run, fullgraph=True, backend="aot_eager")
    costs = run(parameters, buffers, x, y)
    gradients = torch.autograd.grad(costs.sum(), [parameters[key] for key, _ in models[0].named_parameters()])
    assert_close(costs, expected)
    assert_close(list(gradients), [torch.stack(g) for g in zip(*expected_gradients, strict=True)])


# vmap, dimension by dimension.

FUNCTIONS = {
    "linear": (lambda F, a, W, b: F.linear(a, W, b), [(5, 4), (3, 4), (3,)]),
    "linear without bias": (lambda F, a, W: F.linear(a, W), [(5, 4), (3, 4)]),
    "linear of one example": (lambda F, a, W, b: F.linear(a, W, b), [(4,), (3, 4), (3,)]),
    "sigmoid": (lambda F, z: F.sigmoid(z), [(5, 4)]),
    "relu": (lambda F, z: F.relu(z), [(5, 4)]),
    "relu in place": (lambda F, z: F.relu(z * 1, inplace=True), [(5, 4)]),
    "mse_loss": (lambda F, a, y: F.mse_loss(a, y), [(5, 4), (5, 4)]),
    "mse_loss sum": (lambda F, a, y: F.mse_loss(a, y, reduction="sum"), [(5, 4), (5, 4)]),
    "mse_loss none": (lambda F, a, y: F.mse_loss(a, y, reduction="none"), [(5, 4), (5, 4)]),
    "mse_loss weighted": (lambda F, a, y, w: F.mse_loss(a, y, weight=w.abs()), [(5, 4), (5, 4), (5, 4)]),
}


def every_in_dims(shapes):
    """Each argument in turn, and all of them, with the batch at each of its dimensions or at none."""
    dims = [[None, *range(-1, len(shape) + 1)] for shape in shapes]
    for argument, choices in enumerate(dims):
        for dim in choices[1:]:
            yield tuple(dim if i == argument else None for i in range(len(shapes)))
    for k in range(-1, 2):
        yield tuple(min(k, len(shape)) for shape in shapes)


def vmapped(function, in_dims):
    return vmap(function, in_dims=in_dims)


def vmapped_gradient(function, in_dims):
    return vmap(grad(lambda *a: function(*a).sum(), argnums=tuple(range(len(in_dims)))), in_dims=in_dims)


def gradient_of_vmapped(function, in_dims):
    """By autograd outside the vmap, for the first argument, for the last, and for all."""

    def gradients(*arguments):
        results = []
        for wanted in (arguments[:1], arguments[-1:], arguments):
            leaves = [t.detach().requires_grad_(any(t is w for w in wanted)) for t in arguments]
            output = vmap(function, in_dims=in_dims)(*leaves)
            weights = torch.arange(output.numel(), dtype=output.dtype).view(output.shape)
            results += torch.autograd.grad((weights * output).sum(), [t for t in leaves if t.requires_grad])
        return results

    return gradients


@pytest.mark.parametrize("transformed", [vmapped, vmapped_gradient, gradient_of_vmapped])
@pytest.mark.parametrize(("function", "shapes"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_vmap_agrees_for_every_in_dims(function, shapes, transformed):
    for in_dims in every_in_dims(shapes):
        arguments = []
        for shape, dim in zip(shapes, in_dims, strict=True):
            t = torch.rand(6, *shape, dtype=torch.float64) - 0.5
            arguments.append(t[0] if dim is None else t.movedim(0, dim))
        ours, theirs = (
            transformed(lambda *a, F=F: function(F, *a), in_dims)(*arguments) for F in (nn.functional, torch.nn.functional)
        )
        assert_close(ours, theirs)


@pytest.mark.parametrize("randomness", ["same", "different"])
def test_vmap_draws_the_same_random_numbers(randomness):
    model = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Dropout(), torch.nn.Sigmoid(), torch.nn.Linear(6, 2))
    x = torch.rand(5, 3, 4)
    results = []
    for net in (model, swap(copy.deepcopy(model))):
        torch.manual_seed(7)
        results.append(vmap(net, randomness=randomness)(x))
    assert_close(*results)
    with pytest.raises(RuntimeError, match="random operation"):
        vmap(swap(model), randomness="error")(x)


def test_per_example_gradients_average_to_the_batchs():
    model, x, y = build("mlp", dtype=torch.float64), *batch("mlp", dtype=torch.float64)
    swap(model)
    parameters = dict(model.named_parameters())
    per_example = vmap(grad(example(cost_of(model))), in_dims=(None, 0, 0))(parameters, x, y)
    model(x, y)[1].backward()
    for key, p in model.named_parameters():
        assert_close(per_example[key].mean(0), p.grad)


# The rules that run are the hand-written ones. test_function.py proves it of a Function; here it is proved of the layers.

CALLS = {
    "LinearFunction": lambda x: nn.functional.linear(x, torch.ones(3, 4, dtype=torch.float64)),
    "SigmoidFunction": nn.functional.sigmoid,
    "ReLUFunction": nn.functional.relu,
    "MSELossFunction": lambda x: nn.functional.mse_loss(x, torch.ones_like(x)),
}

WHERE = {"LinearFunction": linear, "SigmoidFunction": activations, "ReLUFunction": activations, "MSELossFunction": losses}

RULES = {
    "grad": (lambda f, x: grad(f)(x), 7),
    "vmap(grad)": (lambda f, x: vmap(grad(f))(x), 7),
    "vjp": (lambda f, x: vjp(f, x)[1](f(x))[0], 7),
    "jacrev": (lambda f, x: jacrev(f)(x), 7),
    "jvp": (lambda f, x: jvp(f, (x,), (x + 1,))[1], 11),
    "jacfwd": (lambda f, x: jacfwd(f)(x), 11),
}


@pytest.mark.few(12)
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("transform", "factor"), RULES.values(), ids=RULES)
@pytest.mark.parametrize("function", CALLS)
def test_a_deliberately_wrong_rule_shows(function, transform, factor, compiled, monkeypatch):
    """With a backward 7 times and a jvp 11 times too large in the Function's place, the results are as wrong."""
    right = getattr(WHERE[function], function)

    class Wrong(right):
        @staticmethod
        def backward(ctx, g):
            gradients = right.backward(ctx, g)
            return 7 * gradients if isinstance(gradients, torch.Tensor) else (7 * gradients[0], *gradients[1:])

        @staticmethod
        def jvp(ctx, *tangents):
            return 11 * right.jvp(ctx, *tangents)

    def run(x):
        return transform(lambda x: CALLS[function](x).sum(), x)

    x = torch.rand(3, 4, dtype=torch.float64)
    expected = factor * run(x)
    monkeypatch.setattr(WHERE[function], function, Wrong)
    if compiled:
        torch._dynamo.reset()
        run = torch.compile(run, fullgraph=True, backend="aot_eager")
    assert_close(run(x), expected)

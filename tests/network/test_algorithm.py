"""Backpropagation without autograd: the algorithm's numbers, and what it says of models that it does not know."""

import concurrent.futures
import copy
import gc
import weakref

import pytest
import torch
import torch.nn.utils.prune
from networks import COSTS, MODELS, examples
from torch.testing import assert_close

from manualgrad import MLP, backprop, nn, per_example_grad_norms, per_example_grads, sgd_step, trace


@pytest.fixture(params=MODELS)
def model(request, device):
    return MODELS[request.param]().to(device, torch.float64)


def gradients(model):
    return [p.grad for p in model.parameters()]


def by_autograd(model, x, y, cost=COSTS["quadratic, batchmean"]):
    model = copy.deepcopy(model)
    model.zero_grad()
    cost = cost(model(x), y)
    if cost.requires_grad:
        cost.backward()
    return cost.detach(), gradients(model)


@pytest.fixture(params=COSTS)
def cost(request):
    return COSTS[request.param]


@pytest.mark.parametrize("n", [1, 7])
def test_backprop_gives_autograds_cost_and_gradients(model, cost, n):
    x, y = examples(model, n)
    found = backprop(model, x, y, cost)
    assert_close((found, gradients(model)), by_autograd(model, x, y, cost))
    assert not found.requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_backprop_runs_in_the_parameters_dtype(dtype, device):
    model = MLP([6, 5, 3], ["relu", "sigmoid"], device=device, dtype=dtype)
    x, y = examples(model)
    cost = backprop(model, x, y)
    eps = torch.finfo(dtype).eps
    assert_close((cost, gradients(model)), by_autograd(model, x, y), rtol=4 * eps, atol=4 * eps)


def test_a_step_in_float16_survives_more_examples_than_float16_has_numbers():
    model = MLP([1, 1], "identity", dtype=torch.float16)
    x, y = torch.ones(70_000, 1, dtype=torch.float16), torch.full((70_000, 1), 3, dtype=torch.float16)
    exact = copy.deepcopy(model).double()
    backprop(exact, x.double(), y.double())
    sgd_step(model, x, y, lr=0.125)
    eps = torch.finfo(torch.float16).eps
    for p, before in zip(model.parameters(), exact.parameters(), strict=True):
        step = 0.125 * before.grad
        assert (p - (before - step)).abs() <= 2 * eps * (before.abs() + step.abs())  # each is rounded, and the sum
    assert all(p.isfinite() for p in model.parameters())


def test_no_examples_cost_nothing_that_is_a_number_and_have_the_gradient_zero(device):
    model = MLP([4, 3, 2], device=device)
    x, y = examples(model, 0)
    assert backprop(model, x, y).isnan()
    assert all((g == 0).all() for g in gradients(model))
    assert per_example_grad_norms(model, x, y).shape == (0,)
    assert per_example_grads(model, x, y)["0.weight"].shape == (0, 3, 4)
    before = copy.deepcopy(model.state_dict())
    assert sgd_step(model, x, y, lr=1.0).isnan()
    assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert trace(model, x, y).cost.shape == (0,)


def test_autocast_does_not_change_the_numbers(device):
    model = MLP([6, 5, 3], device=device)
    x, y = examples(model)
    expected = backprop(model, x, y), gradients(model)
    with torch.autocast(device.type, torch.bfloat16):
        found = backprop(model, x, y), gradients(model)
    assert_close(found, expected, rtol=0, atol=0)


def test_it_runs_on_the_meta_device():
    model = MLP([6, 5, 3], device="meta")
    x, y = torch.empty(7, 6, device="meta"), torch.empty(7, 3, device="meta")
    assert backprop(model, x, y).shape == sgd_step(model, x, y, 0.1).shape == ()
    assert per_example_grad_norms(model, x, y).shape == (7,)


def test_tanh_and_cross_entropy_run_on_the_meta_device():
    model, cost = MLP([6, 5, 3], ["tanh", "identity"], device="meta"), nn.CrossEntropyLoss()
    x = torch.empty(7, 6, device="meta")
    for y in (torch.empty(7, 3, device="meta"), torch.empty(7, dtype=torch.int64, device="meta")):
        assert backprop(model, x, y, cost).shape == sgd_step(model, x, y, 0.1, cost).shape == ()
        assert per_example_grad_norms(model, x, y, cost).shape == (7,)


def test_images_are_flattened_by_a_flatten_in_front():
    images, y = torch.rand(4, 1, 2, 3), torch.rand(4, 2)
    layer = torch.nn.Linear(6, 2)
    cost = backprop(torch.nn.Sequential(torch.nn.Flatten(), layer), images, y)
    assert_close(cost, backprop(layer, images.reshape(4, 6), y))


# Cross entropy.


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_cross_entropy_runs_in_the_parameters_dtype(dtype, device):
    model = MLP([6, 5, 3], ["tanh", "identity"], device=device, dtype=dtype)
    x, y = examples(model)
    cost, eps = nn.CrossEntropyLoss(), torch.finfo(dtype).eps
    found = backprop(model, x, y, cost), gradients(model)
    assert found[0].dtype == dtype
    assert_close(found, by_autograd(model, x, y, cost), rtol=4 * eps, atol=4 * eps)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_a_class_stands_for_the_distribution_that_has_it_alone(cost, dtype):
    if isinstance(cost, nn.MSELoss):
        pytest.skip("classes are for cross entropy")
    model = MLP([6, 5, 3], ["relu", "identity"], dtype=torch.float64)
    x, _ = examples(model)
    classes = torch.arange(len(x)) % 3
    one_hot = torch.nn.functional.one_hot(classes).double()
    expected = by_autograd(model, x, classes, cost)
    assert_close((backprop(model, x, classes.to(dtype), cost), gradients(model)), expected)
    assert_close((backprop(model, x, one_hot, cost), gradients(model)), expected)
    by_class, by_distribution = (per_example_grads(model, x, y, cost) for y in (classes, one_hot))
    assert_close(by_class, by_distribution, rtol=0, atol=0)


def test_delta_of_softmax_is_a_minus_y():
    model = MLP([6, 5, 4, 3], ["tanh", "sigmoid", "identity"], dtype=torch.float64)
    x, _ = examples(model)
    y = torch.nn.functional.one_hot(torch.arange(7) % 3).double()
    t = trace(model, x, y, nn.CrossEntropyLoss())
    last, z = t.layers[-1], model(x).detach()
    assert [layer.activation for layer in t.layers] == ["tanh", "sigmoid", "softmax"]
    assert_close((last.z, last.a, last.delta), (z, z.softmax(1), z.softmax(1) - y))
    assert_close(t.cost, -(y * z.log_softmax(1)).sum(1))


def test_delta_of_softmax_is_the_product_of_the_chain_rules_factors():
    model = MLP([6, 3], "identity", dtype=torch.float64)
    x, y = examples(model)
    last = trace(model, x, y, nn.CrossEntropyLoss()).layers[-1]
    for k in range(len(x)):
        a = last.a[k].clone().requires_grad_()
        assert_close(last.dC_da[k], torch.autograd.grad(-(y[k] * a.log()).sum(), a)[0])
        assert_close(last.da_dz[k], torch.autograd.functional.jacobian(lambda z: z.softmax(0), last.z[k]))
    assert_close(torch.einsum("nj,nji->ni", last.dC_da, last.da_dz), last.delta)


def test_softmax_is_a_layer_of_its_own_behind_another_activation():
    model = MLP([6, 4, 3], ["relu", "tanh"], dtype=torch.float64)
    x, y = examples(model)
    *_, tanh, softmax = trace(model, x, y, nn.CrossEntropyLoss()).layers
    assert (tanh.activation, softmax.activation, softmax.name, softmax.W) == ("tanh", "softmax", "softmax", None)
    assert_close((softmax.z, softmax.a), (tanh.a, tanh.a.softmax(1)))
    assert_close((softmax.dC_da_prev, tanh.delta), (tanh.dC_da, tanh.dC_da * (1 - tanh.a**2)))


def test_outputs_far_apart_cost_their_distance_and_not_infinity():
    model = torch.nn.Sequential(nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1000.0], [0.0]]))
    t = trace(model, torch.ones(2, 1), torch.tensor([0, 1]), nn.CrossEntropyLoss())
    assert t.cost.tolist() == [0, 1000]
    assert t.layers[0].delta.tolist() == [[0, 0], [1, -1]]


BAD_CROSS_ENTROPY = {
    "weight": (
        {"weight": torch.ones(2)},
        {},
        ValueError,
        "the cost's weight must be None, the default; only reduction and label_smoothing",
    ),
    "ignore_index": ({"ignore_index": 1}, {}, ValueError, "the cost's ignore_index must be -100, the default"),
    "no scalar": ({"reduction": "none"}, {}, ValueError, "reduction must be 'mean' or 'sum', got 'none'"),
    "batchmean": ({"reduction": "batchmean"}, {}, ValueError, "reduction must be 'mean' or 'sum', got 'batchmean'"),
    "no such class": ({}, {"y": torch.tensor([0, 1, 2])}, IndexError, "y must have classes from 0 to 1, got 0 to 2"),
    "ignored": ({}, {"y": torch.tensor([0, 1, -100])}, IndexError, "y must have classes from 0 to 1, got -100 to 1"),
    "too few": ({}, {"y": torch.tensor([0, 1])}, RuntimeError, "y must have a class for each of the 3 examples, got shape [2]"),
    "classes in int32": (
        {},
        {"y": torch.ones(3, dtype=torch.int32)},
        RuntimeError,
        "y of classes must be torch.int64 on cpu, got torch.int32 on cpu",
    ),
    "other shares": (
        {},
        {"y": torch.rand(3, 3)},
        RuntimeError,
        "y must be [3, 2], like the model's output, or [3] classes, got [3, 3]",
    ),
    "shares in float64": (
        {},
        {"y": torch.rand(3, 2).double()},
        RuntimeError,
        "y must be torch.float32 on cpu, like the model's output, got torch.float64 on cpu",
    ),
}


@pytest.mark.parametrize(("options", "change", "error", "message"), BAD_CROSS_ENTROPY.values(), ids=BAD_CROSS_ENTROPY)
def test_what_cross_entropy_does_not_take_is_named(options, change, error, message):
    arguments = {"x": torch.rand(3, 4), "y": torch.tensor([0, 1, 0])} | change
    with pytest.raises(error) as caught:
        backprop(MLP([4, 2], "identity"), **arguments, cost=nn.CrossEntropyLoss(**options))
    assert message in str(caught.value)


# What is written where.


def test_backprop_replaces_the_gradients_and_keeps_no_graph():
    model = MLP([4, 3])
    x, y = examples(model)
    for _ in range(2):
        cost = backprop(model, x, y)
    assert_close(gradients(model), by_autograd(model, x, y)[1])
    assert cost.grad_fn is None
    assert all(g.grad_fn is None and not g.requires_grad for g in gradients(model))


def test_a_gradient_taken_before_stays_as_it_was():
    model = MLP([4, 3])
    x, y = examples(model)
    backprop(model, x, y)
    before = gradients(model)
    kept = [g.clone() for g in before]
    backprop(model, 2 * x, y)
    assert_close(before, kept, rtol=0, atol=0)


def test_frozen_parameters_are_skipped():
    model = MLP([6, 5, 4, 3])
    frozen = {"0.weight", "2.bias"}
    for name in frozen:
        model.get_parameter(name).requires_grad_(False)
    x, y = examples(model)
    before = copy.deepcopy(model.state_dict())
    backprop(model, x, y)
    assert {name for name, p in model.named_parameters() if p.grad is None} == frozen
    assert_close(gradients(model), by_autograd(model, x, y)[1])
    sgd_step(model, x, y, 0.5)
    assert {name for name, p in model.named_parameters() if torch.equal(p, before[name])} == frozen
    grads = per_example_grads(model, x, y)
    assert set(grads) == set(before) - frozen
    lengths = torch.cat([g.flatten(1) for g in grads.values()], 1).norm(dim=1)
    assert_close(per_example_grad_norms(model, x, y), lengths)


def tied():
    model = torch.nn.Sequential(*(layer for _ in range(3) for layer in (nn.Linear(4, 4), nn.Sigmoid()))).double()
    model[4].weight = model[2].weight = model[0].weight
    model[2].bias = model[0].bias
    return model


def twice():
    layer = nn.Linear(4, 4).double()
    return torch.nn.Sequential(layer, nn.Sigmoid(), layer)


@pytest.mark.parametrize("build", [tied, twice])
def test_the_gradients_of_a_parameter_that_occurs_twice_add_up(build):
    model = build()
    x, y = examples(model)
    expected = by_autograd(model, x, y)[1]
    backprop(model, x, y)
    assert_close(gradients(model), expected)
    assert_close([g.mean(0) for g in per_example_grads(model, x, y).values()], expected)
    before = [p.detach().clone() for p in model.parameters()]
    sgd_step(model, x, y, 0.5)
    assert_close([p.detach() for p in model.parameters()], [p - 0.5 * g for p, g in zip(before, expected, strict=True)])
    with pytest.raises(ValueError, match="per_example_grad_norms: a parameter of the model occurs in two layers"):
        per_example_grad_norms(model, x, y)


def test_a_step_of_descent_is_that_of_torch_optim(model, cost):
    if not list(model.parameters()):
        pytest.skip("torch.optim takes no empty list")
    x, y = examples(model)
    other = copy.deepcopy(model)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.3)
    for _ in range(3):
        optimizer.zero_grad()
        expected = cost(other(x), y)
        expected.backward()
        optimizer.step()
        assert_close(sgd_step(model, x, y, 0.3, cost), expected.detach())
    assert_close(model.state_dict(), other.state_dict())
    assert all(g is None for g in gradients(model))


def test_a_graph_from_before_a_step_cannot_be_used_after_it():
    model = MLP([4, 3, 2])
    x, y = examples(model)
    output = model(x).sum()
    sgd_step(model, x, y, 0.1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.backward()


# The arrays kept from one call to the next.


def wider(model):
    device, dtype = model[0].weight.device, model[0].weight.dtype
    model[0], model[2] = nn.Linear(6, 9, device=device, dtype=dtype), nn.Linear(9, 3, device=device, dtype=dtype)


@pytest.mark.filterwarnings("error:An output with one or more elements was resized")
def test_calls_of_other_shapes_dtypes_and_parameters_go_between(device):
    model = MLP([6, 5, 3], ["relu", "sigmoid"], device=device)
    for change in (lambda model: None, torch.nn.Module.double, wider):
        change(model)
        for n in (7, 3, 0, 7):
            x, y = examples(model, n)
            cost, grads = by_autograd(model, x, y)
            assert_close(backprop(model, x, y), cost, equal_nan=True)
            assert_close(gradients(model), grads)
            model.zero_grad()


def test_what_a_call_returned_or_was_given_is_not_written_over():
    model = MLP([6, 5, 3])
    x, y = examples(model)
    norms, cost, step_cost = per_example_grad_norms(model, x, y), backprop(model, x, y), sgd_step(model, x, y, 0.0)
    grads, t = per_example_grads(model, x, y), trace(model, x, y)
    everything = [x, y, norms, cost, step_cost, *grads.values(), *gradients(model), t.cost, t.layers[0].delta, t.layers[1].a]
    before = [value.clone() for value in everything]
    for call in (backprop, per_example_grad_norms, per_example_grads, trace, lambda *a: sgd_step(*a, lr=0.0)):
        call(copy.deepcopy(model), x + 1, y + 1)
    a_copy = {name: p.clone() for name, p in model.named_parameters()}
    sgd_step(model, x + 1, y + 1, 0.0)
    per_example_grad_norms(model, x + 1, y + 1)
    assert_close(everything, before, rtol=0, atol=0)
    assert_close(dict(model.named_parameters()), a_copy, rtol=0, atol=0)


def test_threads_do_not_write_into_each_others_arrays():
    model = MLP([50, 40, 10])
    batches = [examples(model, 60) for _ in range(4)]
    expected = [per_example_grad_norms(copy.deepcopy(model), x, y) for x, y in batches]

    def many(batch):
        return [per_example_grad_norms(model, *batch) for _ in range(200)]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for found, wanted in zip(pool.map(many, batches), expected, strict=True):
            assert_close(found, [wanted] * 200)


def test_the_arrays_go_with_the_model():
    model = MLP([6, 5, 3])
    backprop(model, *examples(model))
    there, weight = weakref.ref(model), weakref.ref(model[0].weight)
    del model
    gc.collect()
    assert there() is None
    assert weight() is None


# Single examples.


def test_per_example_quantities_are_those_of_the_examples_own_cost(model, cost):
    x, y = examples(model)
    grads, norms, t = per_example_grads(model, x, y, cost), per_example_grad_norms(model, x, y, cost), trace(model, x, y, cost)
    assert list(grads) == [name for name, _ in model.named_parameters()]
    for k in range(len(x)):
        own, expected = by_autograd(model, x[k : k + 1], y[k : k + 1], cost)
        assert_close([g[k] for g in grads.values()], expected)
        assert_close(t.cost[k], own)
        squares = torch.stack([g.square().sum() for g in expected] or [own * 0])
        assert_close(norms[k], squares.sum().sqrt())


def test_single_examples_gradients_average_or_add_up_to_the_batchs(model, cost):
    x, y = examples(model)
    backprop(model, x, y, cost)
    grads = per_example_grads(model, x, y, cost).values()
    assert_close([g.sum(0) if cost.reduction == "sum" else g.mean(0) for g in grads], gradients(model))


# The trace.


def by_hooks(model, x, y):
    """a_prev, z, a and their derivatives for every layer, from autograd."""
    z, a = [], []
    value = x
    for module in model:
        value = module(value)
        value.retain_grad()
        (z if isinstance(module, torch.nn.Linear) else a).append(value)
    nn.MSELoss(reduction="sum")(value, y).backward()
    return z, a


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh"])
def test_the_trace_has_every_quantity_of_the_notes(activation, device):
    model = MLP([6, 5, 4, 3], activation, device=device, dtype=torch.float64)
    x, y = examples(model)
    t = trace(model, x, y)
    z, a = by_hooks(model, x, y)
    grads = per_example_grads(model, x, y)
    assert [layer.name for layer in t.layers] == ["0", "2", "4"]
    for l, layer in enumerate(t.layers):
        a_prev = a[l - 1].detach() if l else x
        assert_close(layer.a_prev, a_prev)
        assert_close((layer.z, layer.a), (z[l].detach(), a[l].detach()))
        assert_close((layer.dC_da, layer.delta), (a[l].grad, z[l].grad))
        assert_close(layer.dC_da * layer.da_dz, layer.delta)
        assert layer.dC_dz is layer.delta
        assert_close((layer.dC_dW, layer.dC_db), (grads[f"{layer.name}.weight"], grads[f"{layer.name}.bias"]))
        assert_close(layer.dC_da_prev, layer.delta @ layer.W.detach())
        assert layer.W is model[2 * l].weight
        assert layer.b is model[2 * l].bias
        assert layer.activation == activation
        if l:
            assert_close(layer.dC_da_prev, t.layers[l - 1].dC_da)


def test_the_average_of_a_trace_is_the_gradient_that_descent_follows():
    model = MLP([6, 5, 3])
    x, y = examples(model)
    average = trace(model, x, y).average()
    cost = backprop(model, x, y)
    assert_close(average.cost, cost)
    for layer, linear in zip(average.layers, (model[0], model[2]), strict=True):
        assert_close((layer.dC_dW, layer.dC_db), (linear.weight.grad, linear.bias.grad))
        assert layer.delta.shape == (linear.out_features,)
        assert layer.W is linear.weight


def test_a_trace_leaves_the_model_as_it_is_and_shows_frozen_layers_too():
    model = MLP([4, 3, 2]).requires_grad_(False)
    t = trace(model, *examples(model))
    assert t.layers[0].dC_dW.shape == (7, 3, 4)
    assert gradients(model) == [None] * 4


def test_saturated_and_dead_neurons_pass_nothing_on():
    model = torch.nn.Sequential(nn.Linear(1, 2), nn.Sigmoid())
    torch.nn.init.constant_(model[0].weight, 1e4)
    t = trace(model, torch.ones(1, 1), torch.zeros(1, 2))
    assert (t.layers[0].delta == 0).all()
    dead = trace(torch.nn.ReLU(), torch.tensor([[-1.0, 0.0, 2.0]]), torch.ones(1, 3)).layers[0]
    assert dead.da_dz.tolist() == [[0, 0, 1]]
    assert (dead.W, dead.b, dead.dC_dW, dead.dC_db) == (None, None, None, None)


# What it does not know.


class Own(torch.nn.Linear):
    pass


class OwnForward(torch.nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


def with_hook():
    model = MLP([4, 2])
    model[0].register_forward_hook(lambda module, inputs, output: 2 * output)
    return model


def pruned():
    model = MLP([4, 2])
    torch.nn.utils.prune.random_unstructured(model[0], "weight", amount=1)
    return model


UNKNOWN = {
    "dropout": (lambda: torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Dropout()), "module '1' of the model is a Dropout"),
    "inside": (
        lambda: torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.GELU())),
        "module '0.1' of the model is a GELU",
    ),
    "a model of one's own": (lambda: OwnForward(torch.nn.Linear(4, 2)), "the model is a OwnForward"),
    "a layer of one's own": (lambda: torch.nn.Sequential(Own(4, 2)), "module '0' of the model is a Own"),
    "flatten behind": (
        lambda: torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Flatten()),
        "module '1' of the model is a Fl",
    ),
    "a hook": (with_hook, "module '0' of the model has hooks or its own forward, which would not be run; remove them"),
    "pruned": (pruned, "module '0' of the model has hooks"),
    "no model": (lambda: "model", "model must be a Module, got str"),
}


@pytest.mark.parametrize(("build", "message"), UNKNOWN.values(), ids=UNKNOWN)
def test_another_module_is_a_type_error_that_names_it(build, message):
    for call in (backprop, trace, per_example_grads, per_example_grad_norms, lambda *a: sgd_step(*a, lr=0.1)):
        with pytest.raises(TypeError) as caught:
            call(build(), torch.rand(3, 4), torch.rand(3, 2))
        assert message in str(caught.value)


BAD = {
    "x too wide": ({"x": torch.rand(3, 5)}, RuntimeError, "backprop: x must be [n, 4], got [3, 5]"),
    "x no batch": ({"x": torch.rand(4)}, RuntimeError, "backprop: x must be [n, 4], got [4]"),
    "x of pixels": (
        {"x": torch.ones(3, 4, dtype=torch.uint8)},
        RuntimeError,
        "backprop: x must be torch.float32 on cpu, like the model's parameters, got torch.uint8 on cpu",
    ),
    "x elsewhere": ({"x": torch.rand(3, 4, device="meta")}, RuntimeError, "got torch.float32 on meta"),
    "x sparse": ({"x": torch.eye(3, 4).to_sparse()}, RuntimeError, "backprop: x must be a dense tensor, got torch.sparse_coo"),
    "y sparse": ({"y": torch.eye(3, 2).to_sparse()}, RuntimeError, "backprop: y must be a dense tensor, got torch.sparse_coo"),
    "y of labels": ({"y": torch.tensor([0, 1, 1])}, RuntimeError, "y must be [3, 2], like the model's output, got [3]"),
    "y to broadcast": ({"y": torch.rand(1, 2)}, RuntimeError, "y must be [3, 2], like the model's output, got [1, 2]"),
    "y of integers": (
        {"y": torch.ones(3, 2, dtype=torch.int64)},
        RuntimeError,
        "y must be torch.float32 on cpu, like the model's output, got torch.int64 on cpu",
    ),
    "y no tensor": ({"y": [[0, 1]] * 3}, TypeError, "y must be a Tensor, got list"),
    "cost of another kind": (
        {"cost": torch.nn.L1Loss()},
        TypeError,
        "cost must be an MSELoss, a CrossEntropyLoss or None, got L1Loss()",
    ),
    "no scalar": (
        {"cost": torch.nn.MSELoss(reduction="none")},
        ValueError,
        "the cost's reduction must be 'batchmean', 'mean' or 'sum', got 'none'",
    ),
}


@pytest.mark.parametrize(("change", "error", "message"), BAD.values(), ids=BAD)
def test_a_wrong_argument_raises_torchs_error_in_a_sentence(change, error, message):
    model = MLP([4, 2])
    with pytest.raises(error) as caught:
        backprop(model, **{"x": torch.rand(3, 4), "y": torch.rand(3, 2)} | change)
    assert message in str(caught.value)
    assert gradients(model) == [None, None]


@pytest.mark.parametrize("lr", [-1.0, float("nan")])
def test_a_learning_rate_below_0_is_a_value_error(lr):
    with pytest.raises(ValueError, match="sgd_step: lr must be at least 0, got"):
        sgd_step(MLP([4, 2]), torch.rand(3, 4), torch.rand(3, 2), lr)

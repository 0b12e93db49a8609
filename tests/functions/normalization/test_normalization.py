"""Normalization under by_hand: the values against torch's own, the derivatives against the elementary composition's too.

torch's own second derivatives in forward mode, and its third ones, are silently wrong (pytorch issues 196700, 175754).
"""

import pytest
import torch
import torch.nn.functional as F
from samples import HALF, assert_as_close, copy_of, doubled, inside
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.testing import assert_close

from manualgrad import audit, by_hand
from manualgrad.functions import _chunked
from manualgrad.functions.normalization.batch_norm import BatchNormFunction
from manualgrad.functions.normalization.group_norm import GroupNormFunction
from manualgrad.functions.normalization.instance_norm import InstanceNormFunction

DOUBLE = torch.float64


def rand(*shape, dtype=DOUBLE):
    return torch.randn(shape, dtype=DOUBLE).to(dtype).requires_grad_()


def composition(x, mean=None, var=None, w=None, b=None, training=False, momentum=0.1, eps=1e-5):
    """The same of sums and products."""
    channels = [-1] + [1] * (x.dim() - 2)
    if training:
        sets = [0, *range(2, x.dim())]
        m = x.mean(sets, keepdim=True)
        r = ((x - m).square().mean(sets, keepdim=True) + eps).rsqrt()
    else:
        m, r = mean.reshape(channels), (var.reshape(channels) + eps).rsqrt()
    y = (x - m) * r
    y = y if w is None else y * w.reshape(channels)
    return y if b is None else y + b.reshape(channels)


SHAPES = [(5, 3), (4, 3, 5), (2, 3, 4, 5), (2, 3, 2, 3, 2), (0, 3, 4), (2, 0, 4), (2, 3, 0)]


@pytest.mark.parametrize("affine", ["wb", "w", "b", ""])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm_agrees_for_each_shape_and_moves_the_running_statistics(shape, training, affine):
    if affine and not shape[1]:
        pytest.skip("torch's own raises")
    x, w, b = rand(*shape), *(rand(shape[1]) if name in affine else None for name in "wb")
    running = [[torch.full(shape[1:2], v, dtype=DOUBLE) for v in (0.5, 2.0)] for _ in range(2)]
    values = [f(x, *r, w, b, training, 0.3, 1e-3) for f, r in zip((inside(F.batch_norm), F.batch_norm), running, strict=True)]
    assert_close(*values, rtol=1e-12, atol=1e-12)
    assert_close(*running, rtol=1e-12, atol=1e-12)
    assert [r._version for r in running[0]] == [r._version for r in running[1]]
    assert not audit(values[0]).native
    g = torch.randn_like(values[0])
    inputs = [t for t in (x, w, b) if t is not None]
    assert_close(*(torch.autograd.grad(y, inputs, g) for y in values), rtol=1e-12, atol=1e-12)


def laid_out(layout, dtype=torch.float32):
    x = torch.randn(4, 5, 6, 7, dtype=DOUBLE).to(dtype)
    if layout == "channels last":
        x = x.contiguous(memory_format=torch.channels_last)
    if layout == "every other":
        x = torch.stack([x, x], -1)[..., 0]
    if layout == "expanded":
        x = x[:, :1].expand(4, 5, 6, 7)
    return x.requires_grad_()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layout", ["contiguous", "channels last", "every other", "expanded"])
def test_batch_norm_keeps_the_layout(layout, training):
    x, w, b = laid_out(layout, DOUBLE), rand(5), rand(5)
    running = torch.zeros(5, dtype=DOUBLE), torch.ones(5, dtype=DOUBLE)
    y, expected = (f(x, *running, w, b, training) for f in (inside(F.batch_norm), F.batch_norm))
    assert_close(y, composition(x, torch.zeros_like(w), torch.ones_like(w), w, b, training) if training else expected)
    assert y.stride() == expected.stride()
    g = torch.randn_like(expected)
    found, wanted = (torch.autograd.grad(value, (x, w, b), g) for value in (y, expected))
    assert_close(found, wanted, rtol=1e-12, atol=1e-12)
    if layout == "channels last":
        assert found[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [DOUBLE, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layout", ["contiguous", "channels last", "2-D"])
def test_a_large_batch_is_worked_on_in_parts(layout, training, dtype, monkeypatch):
    steps = []
    monkeypatch.setattr(_chunked, "_part", lambda: 1 << 12)  # whatever the number of threads
    monkeypatch.setattr(_chunked, "_step", lambda a, step=_chunked._step: steps.append(step(a)) or steps[-1])
    x = torch.randn((3000, 8) if layout == "2-D" else (7, 8, 30, 15), dtype=DOUBLE).to(dtype)
    x = x.contiguous(memory_format=torch.channels_last) if layout == "channels last" else x
    g = torch.randn_like(x)
    w, b = (rand(8, dtype=torch.float32 if dtype in HALF else dtype) for _ in range(2))
    running = torch.zeros(8, dtype=w.dtype), torch.ones(8, dtype=w.dtype)
    found, exact = [], []
    for f, results, kind in ((inside(F.batch_norm), found, torch.clone), (composition, exact, torch.Tensor.double)):
        inputs = [kind(t.detach()).requires_grad_() for t in (x, w, b)]
        y = f(inputs[0], *map(kind, running), *inputs[1:], training)
        results += [y, *torch.autograd.grad(y, inputs, kind(g))]
    assert set(steps) == {(1 << 12) // 450 if layout == "contiguous" else (1 << 12) // 8}  # rows of a channel, or of a place
    for result, expected in zip(found, exact, strict=True):
        eps = torch.finfo(result.dtype if dtype in HALF else dtype).eps
        roundings = 4 if result.dtype in HALF else (x.numel() / 8) ** 0.5  # as the sums of 3,000 numbers have, also in r
        assert_close(result.double(), expected, rtol=roundings * eps, atol=1000 * eps)
    if layout == "channels last":
        assert found[1].is_contiguous(memory_format=torch.channels_last)


def test_a_weight_that_is_not_contiguous_and_a_mean_far_from_0():
    x, w = (rand(8, 3, 4) + 1e6).detach().requires_grad_(), torch.randn(3, 2, dtype=DOUBLE)[:, 0].requires_grad_()
    results = []
    for f in (inside(F.batch_norm), composition):
        y = f(x, None, None, w, None, True)
        results.append((y, *torch.autograd.grad(y.sin().sum(), (x, w))))
    assert_close(*results, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("parameters", ["half", "float32", "none"])
@pytest.mark.parametrize("training", [True, False])
def test_half_precision_has_float32_statistics(dtype, parameters, training):
    """Off by what float32 rounds, and its last rounding; far closer than the batch's mean in half precision."""
    if parameters == "none" and not training:
        pytest.skip("evaluation has statistics")
    x = (rand(64, 3, 8) + 20).detach().to(dtype).requires_grad_()
    kind = dtype if parameters == "half" else torch.float32
    given = (None,) * 4 if parameters == "none" else (torch.full((3,), 20), torch.ones(3), rand(3), rand(3))
    mean, var, w, b = (None if t is None else t.detach().to(kind).requires_grad_(t.requires_grad) for t in given)

    def moved(tree):
        """The running statistics after the call, of a copy."""
        statistics = copy_of(tree[1:3])
        F.batch_norm(tree[0], *statistics, *tree[3:], training)
        return statistics

    def call(function):
        return lambda tree: function(tree[0], *copy_of(tree[1:3]), *tree[3:], training)

    tree = (x, mean, var, w, b)
    assert_as_close(call(inside(F.batch_norm)), call(F.batch_norm), tree, computed_in=torch.float32)
    if mean is not None:
        results = [mean.clone(), var.clone()]
        inside(F.batch_norm)(x, *results, w, b, training)
        assert_close([t.double() for t in results], list(moved(doubled(tree))), rtol=0, atol=20 * torch.finfo(kind).eps)


@pytest.mark.parametrize("training", [True, False])
def test_second_and_third_derivatives_by_autograd(training):
    inputs = rand(4, 2, 3), rand(2), rand(2)
    running = torch.zeros(2, dtype=DOUBLE), torch.ones(2, dtype=DOUBLE)

    def of(f):
        return lambda *inputs: f(inputs[0], *(r.clone() for r in running), *inputs[1:], training)

    torch.autograd.gradcheck(of(inside(F.batch_norm)), inputs, check_forward_ad=True, check_batched_grad=True)
    torch.autograd.gradgradcheck(of(inside(F.batch_norm)), inputs, check_fwd_over_rev=True)
    directions = [rand(*t.shape).detach() for t in inputs]
    results = []
    for f in (inside(F.batch_norm), composition):
        value = (of(f)(*inputs) ** 3).sum()
        for _ in range(3):
            gradients = torch.autograd.grad(value, inputs, create_graph=True, allow_unused=True, materialize_grads=True)
            value = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
        results.append(value)
    assert_close(*results)


def test_what_comes_back_to_the_statistics_is_used():
    x, w, b = rand(4, 2, 3), rand(2), rand(2)
    y, m, r = BatchNormFunction.apply(x, w, b, None, None, 0.0, 1e-5)
    mean, rstd = x.mean((0, 2)), (x.var((0, 2), correction=0) + 1e-5).rsqrt()
    expected = composition(x, w=w, b=b, training=True)
    for value, other in ((m, mean), (r, rstd), (y * (m * r)[:, None], expected * (mean * rstd)[:, None])):
        assert_close(value, other)
        g = torch.randn_like(other)
        assert_close(*(torch.autograd.grad(t, x, g, retain_graph=True) for t in (value, other)))


@pytest.mark.parametrize("training", [True, False])
def test_an_ensemble_is_its_models_one_by_one(training):
    models = [torch.nn.BatchNorm1d(3).double().train(training) for _ in range(3)]
    for model in models:
        torch.nn.init.normal_(model.weight)
    parameters, buffers = stack_module_state(models)
    x = torch.randn(5, 3, dtype=DOUBLE)

    def cost(parameters, buffers, x):
        with by_hand():
            return functional_call(models[0], (parameters, buffers), (x,)).pow(3).sum()

    found = vmap(grad(cost), (0, 0, None))(parameters, buffers, x)
    for i, model in enumerate(models):
        expected = torch.autograd.grad(model(x).pow(3).sum(), list(model.parameters()))
        assert_close([found[name][i] for name in ("weight", "bias")], [*expected])
        assert_close(buffers["running_mean"][i], model.running_mean)
        assert_close(buffers["running_var"][i], model.running_var)


def test_under_a_transform_the_running_statistics_are_moved_once_and_errors_are_torchs():
    x = torch.randn(5, 3, dtype=DOUBLE)
    running = [[torch.zeros(3, dtype=DOUBLE), torch.ones(3, dtype=DOUBLE)] for _ in range(2)]
    for f, r in zip((inside(F.batch_norm), F.batch_norm), running, strict=True):
        grad(lambda x: f(x, *r, training=True).pow(3).sum())(x)  # noqa: B023
        vmap(lambda t: f(x, *r, training=True) * t)(torch.rand(2, dtype=DOUBLE))  # noqa: B023
    assert_close(*running)
    with pytest.raises(RuntimeError, match="running_mean"):
        vmap(lambda x: inside(F.batch_norm)(x, *running[0], training=True))(x.expand(2, 5, 3))


@pytest.mark.parametrize("training", [True, False])
def test_compiled_it_is_one_graph_and_moves_the_running_statistics(training):
    torch._dynamo.reset()
    x = rand(4, 3, 5)
    models = [torch.nn.BatchNorm1d(3).double().train(training) for _ in range(2)]
    compiled = torch.compile(inside(models[0]), backend="aot_eager", fullgraph=True)
    for _ in range(2):
        g = torch.randn_like(x)
        pairs = zip((compiled, models[1]), models, strict=True)
        assert_close(*(torch.autograd.grad(f(x), (x, *m.parameters()), g) for f, m in pairs))
    assert_close(*(m.state_dict() for m in models))
    torch._dynamo.reset()


ERRORS = {
    "one value": lambda: F.batch_norm(rand(1, 3), None, None, training=True),
    "no statistics": lambda: F.batch_norm(rand(2, 3), None, None),
    "one of them": lambda: F.batch_norm(rand(2, 3), torch.zeros(3, dtype=DOUBLE), None, training=True),
    "statistics that require grad": lambda: F.batch_norm(rand(2, 3), rand(3), torch.ones(3, dtype=DOUBLE)),
    "a weight of another size": lambda: F.batch_norm(rand(2, 3), None, None, rand(4), training=True),
    "a weight of another dtype": lambda: F.batch_norm(rand(2, 3), None, None, rand(3, dtype=torch.float32), training=True),
    "a line": lambda: torch.batch_norm(rand(3), None, None, None, None, True, 0.1, 1e-5, True),
    "eps": lambda: F.batch_norm(rand(2, 3), None, None, training=True, eps=0.0),
    "negative eps": lambda: F.batch_norm(rand(2, 3), torch.zeros(3), torch.ones(3), eps=-1.0),
    "no momentum": lambda: F.batch_norm(rand(2, 3), *torch.ones(2, 3, dtype=DOUBLE), training=True, momentum=None),
}


@pytest.mark.parametrize("wrong", ERRORS.values(), ids=ERRORS)
def test_what_is_wrong_is_said_by_torch(wrong):
    found = []
    for call in (inside(wrong), wrong):
        with pytest.raises(Exception) as error:  # noqa: PT011
            call()
        found.append((error.type, str(error.value)))
    assert found[0] == found[1]


# Groups of channels of an example; instance normalization has a group for each channel.


def group(x, w=None, b=None, G=2, eps=1e-5):
    return F.group_norm(x, G, w, b, eps)


def instance(x, w=None, b=None, G=None, eps=1e-5):
    return F.instance_norm(x, None, None, w, b, eps=eps)


def group_composition(x, w=None, b=None, G=2, eps=1e-5):
    """The same of sums and products; without G, a group for each channel."""
    N, C = x.shape[:2]
    X = x.reshape(N, G or C, -1)
    from_m = X - X.mean(2, keepdim=True)
    y = (from_m / (from_m.square().mean(2, keepdim=True) + eps).sqrt()).reshape(x.shape)
    channels = [-1] + [1] * (x.dim() - 2)
    y = y if w is None else y * w.reshape(channels)
    return y if b is None else y + b.reshape(channels)


PAIRS = {"group": (group, 2), "instance": (instance, None)}
each_norm = pytest.mark.parametrize(("norm", "G"), PAIRS.values(), ids=PAIRS)


def same(value):
    return value.clone() if isinstance(value, torch.Tensor) else value


@each_norm
@pytest.mark.parametrize("affine", ["wb", "w", "b", ""])
@pytest.mark.parametrize("shape", [(5, 4), (3, 4, 5), (2, 4, 3, 5), (2, 4, 2, 3, 2), (1, 2, 5), (0, 4, 3), (2, 4, 0)], ids=str)
def test_norms_of_examples_agree_for_each_shape(norm, G, shape, affine):
    x, w, b = rand(*shape), *(rand(shape[1]) if name in affine else None for name in "wb")
    if (norm is group and shape[-1] == 0) or (norm is instance and (len(shape) == 2 or (affine and not shape[0]))):
        pytest.skip("torch's own raises")
    values = [f(x, w, b, G, 1e-3) for f in (inside(norm), norm)]
    assert not audit(values[0]).native
    assert_close(*values, rtol=1e-12, atol=1e-12)
    g = torch.randn_like(values[0])
    inputs = [t for t in (x, w, b) if t is not None]
    assert_close(*(torch.autograd.grad(y, inputs, g) for y in values), rtol=1e-12, atol=1e-12)


@each_norm
@pytest.mark.parametrize("layout", ["contiguous", "channels last", "every other", "expanded"])
@pytest.mark.parametrize("layout_of_g", ["contiguous", "channels last", "expanded"])
def test_norms_of_examples_have_torchs_layout(norm, G, layout, layout_of_g):
    x, w, b, g = laid_out(layout, DOUBLE), rand(5), rand(5), laid_out(layout_of_g, DOUBLE).detach()
    G = G and 5
    y, expected = (f(x, w, b, G) for f in (inside(norm), norm))
    assert y.stride() == expected.stride()
    found, wanted = (torch.autograd.grad(value, (x, w, b), g) for value in (y, expected))
    assert_close((y, *found), (expected, *wanted), rtol=1e-12, atol=1e-12)
    if layout == "channels last" and norm is group:
        assert found[0].is_contiguous(memory_format=torch.channels_last)


@each_norm
@pytest.mark.parametrize("dtype", [DOUBLE, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "channels last", "2-D"])
def test_large_examples_are_worked_on_in_parts(norm, G, layout, dtype, monkeypatch):
    if layout == "2-D" and norm is instance:
        pytest.skip("torch's own raises")
    steps = []
    monkeypatch.setattr(_chunked, "_part", lambda: 1 << 12)
    monkeypatch.setattr(_chunked, "_step", lambda a, step=_chunked._step: steps.append(step(a)) or steps[-1])
    x = torch.randn((300, 40) if layout == "2-D" else (7, 8, 30, 15), dtype=DOUBLE).to(dtype)
    x = x.contiguous(memory_format=torch.channels_last) if layout == "channels last" else x
    g, parameters = (
        torch.randn_like(x),
        [torch.randn(x.shape[1], dtype=torch.float32 if dtype in HALF else dtype) for _ in "wb"],
    )
    found, exact = [], []
    for f, results, kind in ((inside(norm), found, torch.clone), (group_composition, exact, torch.Tensor.double)):
        inputs = [kind(t).requires_grad_() for t in (x, *parameters)]
        y = f(*inputs, G)
        results += [y, *torch.autograd.grad(y, inputs, kind(g))]
    assert steps  # the sums, and where no batch norm maps them, the rest
    in_channels_last = layout == "channels last" and norm is group  # instance_norm copies them, as torch's does
    assert set(steps) == {(1 << 12) // 40 if layout == "2-D" else 1 if in_channels_last else (1 << 12) // 450}
    for result, expected in zip(found, exact, strict=True):
        eps = torch.finfo(result.dtype if dtype in HALF else dtype).eps
        roundings = 4 if result.dtype in HALF else (x.numel() / len(parameters[0])) ** 0.5
        assert_close(result.double(), expected, rtol=roundings * eps, atol=1000 * eps)


@each_norm
@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("parameters", ["half", "float32", "none"])
def test_norms_of_examples_in_half_precision_have_float32_statistics(norm, G, dtype, parameters):
    x, g = (torch.randn(8, 4, 30, dtype=DOUBLE) + 20).to(dtype), torch.randn(8, 4, 30, dtype=DOUBLE).to(dtype)
    kind = dtype if parameters == "half" else torch.float32
    given = [None, None] if parameters == "none" else [torch.randn(4).to(kind) for _ in range(2)]
    results = []
    for f, number in ((inside(norm), None), (norm, None), (group_composition, DOUBLE)):
        inputs = [None if t is None else t.to(number or t.dtype).clone().requires_grad_() for t in (x, *given)]
        y = f(*inputs, G)
        results.append([y, *torch.autograd.grad(y, [t for t in inputs if t is not None], g.to(y.dtype))])
    for found, theirs, exact in zip(*results, strict=True):
        assert found.dtype == theirs.dtype
        assert (found.double() - exact).abs().max() <= torch.finfo(dtype).eps * exact.abs().max()


@each_norm
def test_norms_of_examples_have_second_derivatives(norm, G):
    inputs = rand(2, 4, 3), rand(4), rand(4)
    f = lambda x, w, b: inside(norm)(x, w, b, G)  # noqa: E731
    torch.autograd.gradcheck(f, inputs, check_forward_ad=True, check_batched_grad=True)
    torch.autograd.gradgradcheck(f, inputs, check_fwd_over_rev=True)


@each_norm
def test_what_comes_back_to_the_statistics_of_examples_is_used(norm, G):
    x, w, b = rand(2, 4, 3), rand(4), rand(4)
    X = x.reshape(2, G or 4, -1)
    mean, rstd = X.mean(2), (X.var(2, correction=0) + 1e-5).rsqrt()
    function = GroupNormFunction.apply(x, w, b, G, 1e-5) if G else InstanceNormFunction.apply(x, w, b, None, None, 0.0, 1e-5)
    y, m, r = function
    expected = group_composition(x, w, b, G)
    for value, other in ((m, mean), (r, rstd), (y.sum() * (m * r), expected.sum() * (mean * rstd))):
        assert_close(value, other)
        g = torch.randn_like(other)
        assert_close(*(torch.autograd.grad(t, x, g, retain_graph=True) for t in (value, other)))


@pytest.mark.parametrize("use_input_stats", [True, False])
@pytest.mark.parametrize("dtypes", [(DOUBLE, DOUBLE), (torch.bfloat16, torch.float32)], ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "channels last"])
def test_instance_norm_has_running_statistics(use_input_stats, dtypes, layout):
    x, w, b = laid_out(layout, dtypes[0]), rand(5, dtype=dtypes[1]), rand(5, dtype=dtypes[1])
    running = [[torch.full((5,), v, dtype=dtypes[1]) for v in (0.5, 2.0)] for _ in range(2)]
    results = []
    g = torch.randn(4, 5, 6, 7).to(dtypes[0])
    for f, r in zip((inside(F.instance_norm), F.instance_norm), running, strict=True):
        y = f(x, *r, w, b, use_input_stats, 0.3, 1e-3)
        results.append((y, *torch.autograd.grad(y, (x, w, b), g, retain_graph=True)))
    assert not audit(results[0][0]).native
    assert results[0][0].stride() == results[1][0].stride()
    tolerance = 1e-12 if dtypes[0] == DOUBLE else 0.05
    assert_close(results[0], results[1], rtol=tolerance, atol=tolerance)
    assert_close(*running)
    assert (running[0][0] != 0.5).all() == use_input_stats


def test_under_a_transform_instance_norms_statistics_are_moved_once():
    x = torch.randn(5, 3, 4, dtype=DOUBLE)
    running = [[torch.zeros(3, dtype=DOUBLE), torch.ones(3, dtype=DOUBLE)] for _ in range(2)]
    for f, r in zip((inside(F.instance_norm), F.instance_norm), running, strict=True):
        grad(lambda x: f(x, *r).pow(3).sum())(x)  # noqa: B023
        vmap(lambda t: f(x, *r) * t)(torch.rand(2, dtype=DOUBLE))  # noqa: B023
    assert_close(*running)
    with pytest.raises((RuntimeError, ValueError)):
        vmap(lambda x: inside(F.instance_norm)(x, *running[0]))(x.expand(2, 5, 3, 4))


X3 = rand(2, 4, 3)
ERRORS_OF_EXAMPLES = {
    "a line in groups": lambda: F.group_norm(rand(4), 2),
    "groups that do not divide": lambda: F.group_norm(X3, 3),
    "no groups": lambda: torch.group_norm(X3, 0),
    "one value a group": lambda: F.group_norm(rand(1, 4), 4),
    "a weight of another size": lambda: F.group_norm(X3, 2, rand(2)),
    "a weight of another dtype": lambda: F.group_norm(X3, 2, rand(4, dtype=torch.float32)),
    "complex": lambda: F.group_norm(X3 + 1j, 2),
    "one place": lambda: F.instance_norm(rand(2, 4, 1)),
    "a line of instances": lambda: torch.instance_norm(rand(3), None, None, None, None, True, 0.1, 1e-5, True),
    "no statistics": lambda: F.instance_norm(X3, use_input_stats=False),
    "one of the statistics": lambda: F.instance_norm(X3, torch.zeros(4, dtype=DOUBLE), None),
    "statistics of another size": lambda: F.instance_norm(X3, torch.zeros(3, dtype=DOUBLE), torch.ones(3, dtype=DOUBLE)),
    "an instance's weight of another size": lambda: F.instance_norm(X3, None, None, rand(3)),
    "instances of no examples": lambda: F.instance_norm(rand(0, 4, 3), None, None, rand(4)),
    "a plane's local response": lambda: F.local_response_norm(rand(2, 4), 2),
}


@pytest.mark.parametrize("wrong", ERRORS_OF_EXAMPLES.values(), ids=ERRORS_OF_EXAMPLES)
def test_what_is_wrong_with_norms_of_examples_is_said_by_torch(wrong):
    test_what_is_wrong_is_said_by_torch(wrong)

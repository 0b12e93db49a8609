"""torch.func's transforms in every nesting of up to three, through every Function: the derivatives of elementary operations.

A word is the transforms from the outermost to the innermost: "fr" is jacfwd(jacrev(...)). What is right is computed by reverse
mode alone, through torch's elementary operations, where PyTorch has no such faults as in forward over forward (issue 197867).
"""

import itertools
import math
import subprocess
import sys

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import functional_call, jacfwd, jacrev, jvp, vjp, vmap
from torch.testing import assert_close

from manualgrad import MLP, Function, swap
from manualgrad.nn import functional as MF

DOUBLE = torch.float64
BATCH = 2


def direction(x):
    return torch.linspace(0.5, 1.5, x.numel(), dtype=x.dtype).view(x.shape)


LETTERS = {
    "f": jacfwd,
    "r": jacrev,
    "v": vmap,
    "j": lambda f: lambda x: jvp(f, (x,), (direction(x),))[1],
    "b": lambda f: lambda x: (lambda value, pullback: pullback(direction(value))[0])(*vjp(f, x)),
}


def words(letters, longest):
    return ["".join(word) for n in range(1, longest + 1) for word in itertools.product(letters, repeat=n)]


WORDS = [*words("frv", 3), *(word for word in words("jbv", 3) if set(word) != {"v"})]
SHORT = [word for word in WORDS if len(word) < 3]
LONG = [word for word in WORDS if len(word) == 3]


def short_and_one_long(number):
    """Every word of up to two transforms, and the long word that is this case's turn."""
    return [*SHORT, LONG[number % len(LONG)]]


def transformed(function, word):
    for letter in reversed(word):
        function = LETTERS[letter](function)
    return function


def in_reverse(word):
    """The word that means the same, without forward mode. A jvp is a row of jacrev's times the direction."""
    return word.replace("f", "r")


LETTERS["J"] = lambda f: lambda x: torch.tensordot(jacrev(f)(x), direction(x), x.dim())


def inputs_for(word, shape):
    batches = (BATCH,) * word.count("v")
    generator = torch.Generator().manual_seed(5)
    return torch.rand((*batches, *shape), generator=generator, dtype=DOUBLE) + 0.5


def assert_right(ours, theirs, shape, word):
    x = inputs_for(word, shape)
    expected = transformed(theirs, in_reverse(word).replace("j", "J"))(x)
    assert_close(transformed(ours, word)(x), expected, rtol=1e-9, atol=1e-9)


# Every function of one vector p, of which it takes each argument in turn, and all of them: those that it does not take are
# the same for all examples of a vmap.


def constant(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE) - 0.3


def elementary_mse(a, y, w, reduction):
    C = (a - y) ** 2 if w is None else w * (a - y) ** 2
    if reduction == "none":
        return C
    n = {"sum": 1, "batchmean": len(a), "mean": C.numel() if w is None else 0}[reduction]
    return C.sum() / (n or w.sum())


class SumAndProduct(Function):
    """Two outputs, of which the second depends on the first input alone, and is saved."""

    @staticmethod
    def forward(x, w):
        return x * w + x, x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, output[1])
        ctx.save_for_forward(*inputs, output[1])

    @staticmethod
    def backward(ctx, g, h):
        x, w, cube = ctx.saved_tensors
        return g * (w + 1) + 3 * cube / x * h, g * x

    @staticmethod
    def jvp(ctx, dx, dw):
        x, w, cube = ctx.saved_tensors
        return dx * (w + 1) + x * dw, 3 * cube / x * dx


def both_outputs(product, cube):
    return product * cube + cube.sum() * product.sum()


X, W, B = constant(2, seed=1) + 0.6, constant(2, 2, seed=2), constant(2, seed=3)
Y, V = constant(2, seed=4), constant(2, seed=5) + 0.8


def mse(reduction, weighted):
    w = V if weighted else None
    yield "a", lambda F, p: F(p, Y, w, reduction)
    yield "y", lambda F, p: F(X, p, w, reduction)
    if weighted:
        yield "w", lambda F, p: F(X, Y, p, reduction)
        yield "all", lambda F, p: F(p, p.flip(0), p * p, reduction)


LINEAR = (MF.linear, lambda a, W, b: (W * a.unsqueeze(-2)).sum(-1) + (0 if b is None else b))
SIGMOID = (MF.sigmoid, lambda z: 1 / (1 + (-z).exp()))
RELU = (MF.relu, lambda z: z * (z > 0))
RELU_IN_PLACE = (lambda z: MF.relu(z.clone(), inplace=True), RELU[1])
TWO = (SumAndProduct.apply, lambda x, w: (x * w + x, x**3))
MSE = (lambda a, y, w, reduction: MF.mse_loss(a, y, reduction=reduction, weight=w), elementary_mse)

CASES = {
    "linear of a": (LINEAR, (2,), lambda F, p: F(p, W, B)),
    "linear of W": (LINEAR, (2, 2), lambda F, p: F(X, p, B)),
    "linear of b": (LINEAR, (2,), lambda F, p: F(X, W, p)),
    "linear of all": (LINEAR, (2,), lambda F, p: F(p, torch.outer(p, p), p)),
    "linear without b": (LINEAR, (2,), lambda F, p: F(p.expand(3, 2), torch.outer(p, p), None)),
    "sigmoid": (SIGMOID, (2,), lambda F, p: F(p)),
    "relu": (RELU, (2,), lambda F, p: F(p - 1)),
    "relu in place": (RELU_IN_PLACE, (2,), lambda F, p: F(p - 1)),
    "two outputs of x": (TWO, (2,), lambda F, p: both_outputs(*F(p, W[0]))),
    "two outputs of w": (TWO, (2,), lambda F, p: both_outputs(*F(X, p))),
    "two outputs of both": (TWO, (2,), lambda F, p: both_outputs(*F(p, p.flip(0)))),
    **{
        f"mse_loss {reduction} of {name}" + " weighted" * weighted: (MSE, (2,), call)
        for reduction in ("none", "mean", "sum", "batchmean")
        for weighted in (False, True)
        for name, call in mse(reduction, weighted)
        if reduction in ("none", "mean") or name == "all" or not weighted
    },
}


def of_p(function, call):
    """With other functions before and behind it, so that no derivative is 0."""
    return lambda p: call(function, p * p + p.sin()) ** 3


@pytest.mark.parametrize("case", CASES)
def test_a_nesting_of_up_to_two_and_one_of_three_are_right(case):
    (ours, theirs), shape, call = CASES[case]
    for word in short_and_one_long(list(CASES).index(case)):
        assert_right(of_p(ours, call), of_p(theirs, call), shape, word)


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("word", LONG)
def test_a_nesting_of_three_is_right(word, case):
    (ours, theirs), shape, call = CASES[case]
    assert_right(of_p(ours, call), of_p(theirs, call), shape, word)


COMPILED = words("frv", 2)


COMPILED_BY_DEFAULT = ("linear of all", "mse_loss mean of all weighted", "two outputs of both")
ONCE_COMPILED = [
    case if case in COMPILED_BY_DEFAULT else pytest.param(case, marks=pytest.mark.exhaustive)
    for case in CASES
    if "mse_loss" not in case or "mean of a weighted" in case or case in COMPILED_BY_DEFAULT
]


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", ONCE_COMPILED)
def test_a_nesting_of_two_inside_torch_compile_is_right(case):
    (ours, theirs), shape, call = CASES[case]
    inputs = [inputs_for(word, shape) for word in COMPILED]
    torch._dynamo.reset()

    @torch.compile(fullgraph=True, backend="aot_eager")
    def run(inputs):
        return [transformed(of_p(ours, call), word)(x) for word, x in zip(COMPILED, inputs, strict=True)]

    expected = [transformed(of_p(theirs, call), in_reverse(word))(x) for word, x in zip(COMPILED, inputs, strict=True)]
    assert_close(run(inputs), expected, rtol=1e-9, atol=1e-9)


# Whole networks.


def sequential():
    torch.manual_seed(1)
    layers = [torch.nn.Linear(2, 3), torch.nn.Sigmoid(), torch.nn.Linear(3, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)]
    return torch.nn.Sequential(*layers).to(DOUBLE)


def mlp():
    made = MLP([2, 3, 3, 2], ["sigmoid", "relu", "identity"], dtype=DOUBLE)
    made.load_state_dict(sequential().state_dict())
    return made


NETWORKS = {"swapped": lambda: swap(sequential()), "MLP": mlp}
TARGET = constant(2, seed=7)


def elementary_network(parameters, x):
    for l, activation in ((0, SIGMOID[1]), (2, RELU[1]), (4, lambda z: z)):
        x = activation(LINEAR[1](x, parameters[f"{l}.weight"], parameters[f"{l}.bias"]))
    return x


BY = ("input", "2.weight", "0.bias")


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("network", NETWORKS)
def test_nestings_of_two_and_one_of_three_through_a_network_are_right(network, by):
    for word in (*words("frv", 2), ("ffr", "rvf", "frv")[BY.index(by)]):
        assert_right_through_a_network(word, network, by)


@pytest.mark.exhaustive
@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("word", [word for word in words("frv", 3) if len(word) == 3])
def test_a_nesting_of_three_through_a_network_is_right(word, network, by):
    assert_right_through_a_network(word, network, by)


def assert_right_through_a_network(word, network, by):
    """By the input, or by one of the parameters, which vmap then has stacked."""
    model = NETWORKS[network]()
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def cost(of):
        def function(p):
            output = of(parameters, p * p) if by == "input" else of({**parameters, by: p * p - 1}, X)
            return (MF.mse_loss(output, TARGET) if of is not elementary_network else ((output - TARGET) ** 2).mean()) ** 2

        return function

    shape = (2,) if by == "input" else tuple(parameters[by].shape)
    assert_right(cost(lambda parameters, x: functional_call(model, parameters, (x,))), cost(elementary_network), shape, word)


# Whose rule ran.


class Exp(Function):
    """y = eˣ is its own derivative, so that each derivative of it goes through the rules again."""

    @staticmethod
    def forward(x):
        return x.exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return 7 * y * g

    @staticmethod
    def jvp(ctx, dx):
        (y,) = ctx.saved_tensors
        return 11 * y * dx


FACTORS = {"r": 7, "b": 7, "f": 11, "j": 11, "v": 1}


def wrong_and_expected(word):
    """The word on eˣ, and the right derivative times the factor of each rule that it goes through."""
    x = inputs_for(word, ())
    right = transformed(torch.exp, in_reverse(word).replace("j", "J"))(x)
    return transformed(Exp.apply, word), x, math.prod(FACTORS[letter] for letter in word) * right


@pytest.mark.parametrize("word", WORDS)
def test_a_deliberately_wrong_rule_shows_at_every_level(word):
    run, x, expected = wrong_and_expected(word)
    assert_close(run(x), expected, rtol=1e-12, atol=0)


@pytest.mark.few(3)
@pytest.mark.parametrize("word", words("frv", 2))
def test_a_deliberately_wrong_rule_shows_at_every_level_inside_torch_compile(word):
    run, x, expected = wrong_and_expected(word)
    torch._dynamo.reset()
    assert_close(torch.compile(run, fullgraph=True, backend="aot_eager")(x), expected, rtol=1e-12, atol=0)


def test_a_dual_level_within_another_raises():
    x = torch.ones(2, dtype=DOUBLE)

    def tangent(x):
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(Exp.apply(forward_ad.make_dual(x, torch.ones_like(x)))).tangent

    with forward_ad.dual_level(), pytest.raises(RuntimeError, match="Nested forward mode AD"):
        tangent(forward_ad.make_dual(x, x))
    for outer in (jacfwd, lambda f: lambda x: jvp(f, (x,), (x,))):
        with pytest.raises(RuntimeError, match="Nested forward mode AD"):
            outer(tangent)(x)


def test_where_pytorch_lacks_a_name_that_a_nesting_needs_it_raises(tmp_path):
    code = """
import torch, torch._functorch.vmap
del torch._functorch.vmap.restore_vmap
from manualgrad.nn import functional as F
from torch.func import grad, jacfwd, vmap
x = torch.ones(2, requires_grad=True)
F.sigmoid(x).sum().backward()
print(x.grad.tolist())
for transform in (jacfwd(F.sigmoid), jacfwd(jacfwd(F.sigmoid)), vmap(F.sigmoid)):
    try:
        print(transform(x.detach()))
    except NotImplementedError as error:
        print(error)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    gradient, *raised = ran.stdout.splitlines()
    assert gradient.startswith("[0.19")
    assert len(raised) == 3
    for line in raised:
        assert line.startswith(f"PyTorch {torch.__version__} lacks a name that manualgrad.Function needs under torch.func: ")
        assert "restore_vmap" in line

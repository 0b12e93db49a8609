"""Every Function of the catalogue, by computer algebra: its backward and jvp are the derivatives of its forward.

Each is run on the smallest arrays of symbols in which every term of its formulas occurs. What has cases is run in each of them.

Not run are the ways to the same formula that are chosen by size, by memory layout or for half precision (windows of a
convolution, blocks of rows, `between`), which take plain arrays alone, and the formulas of complex numbers, as the symbols are
real: tests/functions compares numbers. The inputs are those of the table of samples, tests/helpers/function_samples.
"""

import collections
import math

import mpmath
import numpy
import pytest
import sympy
import torch
import torch.nn.functional as F
from function_samples import FUNCTIONS, PROOFS, SAMPLES
from function_samples.table import as_symbols
from torch.testing import assert_close

from manualgrad.symbolic.arrays import Symbols, number
from manualgrad.symbolic.arrays import symbols as s
from manualgrad.symbolic.comparisons import OpenComparison, places
from manualgrad.symbolic.proof import prove
from manualgrad.symbolic.zero import left_of

INT = torch.tensor


# As outputs, beside the one that is wanted.
HAVE_STATISTICS = (
    *("BatchNorm", "LayerNorm", "RMSNorm", "GroupNorm", "InstanceNorm"),
    *("ClassCrossEntropy", "CrossEntropy"),
)


def named(catalogue):
    counts = collections.Counter()
    parameters = []
    for name, *inputs in catalogue:
        counts[name] += 1
        parameters.append(pytest.param(name, inputs, id=f"{name} {counts[name]}"))
    return parameters


FIRST = {name: (name, inputs) for name, *inputs in reversed(PROOFS)}  # the first entry of each


def first_by_default(catalogue):
    """The first entry of each Function by default; the others are exhaustive."""
    for parameter in named(catalogue):
        is_first = parameter.id.endswith(" 1")
        yield parameter if is_first else pytest.param(*parameter.values, id=parameter.id, marks=pytest.mark.exhaustive)


@pytest.mark.parametrize(("name", "inputs"), list(first_by_default(PROOFS)))
def test_the_shipped_derivatives_are_those_of_the_shipped_forward(name, inputs):
    proof = prove(FUNCTIONS[name], *inputs)
    assert set(proof.backward) == {i for i, x in enumerate(inputs) if isinstance(x, Symbols) and not x.given}
    assert proof.jvp
    assert proof.holds


@pytest.mark.few(12)
@pytest.mark.parametrize(("name", "inputs"), FIRST.values(), ids=FIRST)
def test_each_input_by_itself(name, inputs):
    """As where the others are constants, which saves work and memory."""
    variables = [i for i, x in enumerate(inputs) if isinstance(x, Symbols) and not x.given]
    for i in variables if len(variables) > 1 else []:
        given = [Symbols(x.entries, x.at, given=True) if j in variables and j != i else x for j, x in enumerate(inputs)]
        proof = prove(FUNCTIONS[name], *given)
        assert proof.backward.keys() == {i}
        assert proof.holds


@pytest.mark.few(6)
@pytest.mark.parametrize(("name", "inputs"), named(entry for entry in PROOFS if entry[0] in HAVE_STATISTICS))
@pytest.mark.parametrize("output", [0, 1])
def test_each_output_by_itself(name, inputs, output):
    """As in a network, whose cost depends on the first one alone."""
    assert prove(FUNCTIONS[name], *inputs, outputs=[output]).holds


def test_without_a_proof_of_its_own_a_function_is_proven_on_its_sample():
    function, inputs, _ = SAMPLES["LayerNorm"]
    assert prove(function, *(as_symbols(f"x{k}", value) for k, value in enumerate(inputs))).holds


def test_every_function_is_proven():
    assert FUNCTIONS.keys() == {name for name, *_ in PROOFS}


# The proofs would be worth nothing if they held of whatever they are given, or if the symbols were multiplied differently than
# the numbers.


@pytest.mark.few(12)
@pytest.mark.parametrize(("name", "inputs"), FIRST.values(), ids=FIRST)
def test_twice_the_derivative_and_1_is_not_proven(name, inputs, monkeypatch):
    for method in ("backward", "jvp"):
        monkeypatch.setattr(FUNCTIONS[name], method, staticmethod(twice_and_1(getattr(FUNCTIONS[name], method))))
    proof = prove(FUNCTIONS[name], *inputs)
    assert all(map(any, proof.backward.values()))
    assert any(proof.jvp)


def twice_and_1(method):
    """Of rounding, the derivative is 0."""
    return lambda *args: tuple(None if d is None else 2 * d + 1 for d in several(method(*args)))


@pytest.mark.few(25)
@pytest.mark.parametrize(("name", "inputs"), named(PROOFS))
def test_in_numbers_the_shipped_code_is_what_it_is_in_symbols(name, inputs):
    """The forward and the gradients, by PyTorch's kernels in float64, against what SymPy says at one place."""
    function = FUNCTIONS[name]
    where = {symbol: value for x in inputs if isinstance(x, Symbols) for symbol, value in numbers_for(x).items()}
    with places(where):
        outputs = [y for y in several(function.forward(*inputs)) if isinstance(y, Symbols)]
    entries = [entry for output in outputs for entry in output.entries.flat]
    cost = sympy.Add(*((k + 2) * y for k, y in enumerate(map(sympy.sympify, entries)) if y.is_finite is not False))

    tensors = [evaluated(x, where).requires_grad_(not x.given) if isinstance(x, Symbols) else x for x in inputs]
    found = [y for y in several(function.apply(*tensors)) if y.is_floating_point()]
    for y, output in zip(found, outputs, strict=True):
        assert_close(y, evaluated(output, where))
    sum((k + 2) * y for k, y in enumerate(torch.cat([y.flatten() for y in found]))).backward()
    for x, tensor in zip(inputs, tensors, strict=True):
        if isinstance(x, Symbols) and not x.given:
            assert_close(tensor.grad, evaluated(Symbols(numpy.vectorize(cost.diff, otypes=[object])(x.entries)), where))


def numbers_for(x):
    """A number for each symbol: its place, or one that its assumptions allow."""
    free = [symbol for symbol in x.entries.flat if symbol not in x.at]
    sizes = torch.rand(len(free)).tolist()
    signs = [-1 if symbol.is_negative or not (symbol.is_positive or k % 2) else 1 for k, symbol in enumerate(free)]
    numbers = [sympy.Rational(sign * (size + 0.1)) for size, sign in zip(sizes, signs, strict=True)]
    return {**x.at, **dict(zip(free, numbers, strict=True))}


def evaluated(x, where):
    """In numbers, by mpmath at 50 digits."""
    names = list(where)
    values = sympy.lambdify(names, x.entries.ravel().tolist(), "mpmath", cse=True)
    with mpmath.workdps(50):
        entries = [float(value) for value in values(*(mpmath.mpf(v.p) / v.q for v in where.values()))]
    return torch.tensor(entries, dtype=torch.float64).reshape(x.shape)


def several(output):
    return output if isinstance(output, tuple) else (output,)


def test_a_wrong_sign_in_the_kernels_gradient_is_not_proven():
    class Slipped(FUNCTIONS["Convolution"]):
        @staticmethod
        def backward(ctx, delta):
            dC_dx, dC_dK, *rest = FUNCTIONS["Convolution"].backward(ctx, delta)
            return dC_dx, -dC_dK, *rest

    proof = prove(Slipped, s("x", 1, 1, 3, 3), s("K", 1, 1, 2, 2), s("b", 1), (1, 1), (0, 0), (1, 1), 1)
    assert not proof.holds
    assert [any(entries) for entries in proof.backward.values()] == [False, True, False]
    assert not any(proof.jvp)


def test_batch_norm_without_the_way_over_the_variance_is_not_proven():
    class Slipped(FUNCTIONS["BatchNorm"]):
        @staticmethod
        def backward(ctx, g, g_m, g_r):
            x, w, _, r = ctx.saved_tensors
            _, *rest = FUNCTIONS["BatchNorm"].backward(ctx, g, g_m, g_r)
            return w * r * (g - g.mean(0)) + g_m / len(x), *rest

    proof = prove(Slipped, s("x", 3, 1), s("w", 1), s("b", 1), None, None, 0.1, 1e-5)
    assert not proof.holds
    assert [any(entries) for entries in proof.backward.values()] == [True, False, False]


# What a proof stands on.


def test_a_comparison_that_is_open_is_an_error():
    with pytest.raises(OpenComparison, match=r"cannot compare z_0 with 0: give the symbols assumptions .* or values"):
        prove(FUNCTIONS["ReLU"], s("z", 1))
    with pytest.raises(OpenComparison):  # at the kink
        prove(FUNCTIONS["ReLU"], s("z", 1, at=(0,)))


def test_floats_are_read_as_the_numbers_that_they_stand_for():
    read = [number(x) for x in (0.1, 1e-5, 2 / 3, math.sqrt(0.5), 1 / math.sqrt(2 * math.pi), math.log(2), math.inf, 3, True)]
    root = sympy.sqrt(2)
    assert read[:3] == [sympy.Rational(1, 10), sympy.Rational(1, 100_000), sympy.Rational(2, 3)]
    assert read[3:6] == [root / 2, root / (2 * sympy.sqrt(sympy.pi)), sympy.log(2)]
    assert read[6:] == [sympy.oo, 3, True]
    assert number(math.e) == sympy.Rational(math.e)  # no constant that occurs here: the binary fraction that it is


X, Y = sympy.symbols("x y", positive=True)
IDENTITIES = [
    sympy.sqrt(X + Y) ** 3 - (X + Y) * sympy.sqrt(X + Y),
    sympy.sqrt(2) * sympy.sqrt(6) - 2 * sympy.sqrt(3),
    1 / (sympy.sqrt(X) - 1) - (sympy.sqrt(X) + 1) / (X - 1),
    sympy.exp(X + 2 * Y) - sympy.exp(X) * sympy.exp(Y) ** 2,
    1 / (1 + sympy.exp(-X)) - sympy.exp(X) / (1 + sympy.exp(X)),
    sympy.exp(X / 2) ** 3 - sympy.exp(X) * sympy.exp(X / 2),
    sympy.sin(X) ** 2 * Y + sympy.cos(X) ** 2 * Y - Y,
    sympy.log(X * Y) - sympy.log(X) - sympy.log(Y),
    sympy.log(1 + sympy.exp(X)) - sympy.log(1 + sympy.exp(-X)) - X,
    X**Y * X - X ** (Y + 1),
    sympy.sqrt(1 + sympy.sqrt(X)) ** 4 - 1 - 2 * sympy.sqrt(X) - X,
]


@pytest.mark.parametrize("expression", IDENTITIES)
def test_of_what_is_0_nothing_is_left(expression):
    assert left_of(expression) == 0
    assert left_of(expression + X / 1000) != 0


# Operators that no Function above is written in, as layers to come may be: x is [2, 3].
CALLS = {
    "layer_norm": lambda x: F.layer_norm(x, (3,), x[0], x[1]),
    "rms_norm": lambda x: F.rms_norm(x, (3,), x[0], 1e-5),
    "group_norm": lambda x: F.group_norm(x.reshape(1, 2, 3), 2, x[0, :2], x[1, :2]),
    "attention": lambda x: F.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None]),
    "causal attention": lambda x: F.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None], is_causal=True),
    "normalize": lambda x: F.normalize(x),
    "huber_loss": lambda x: F.huber_loss(x[0], x[1], reduction="none", delta=0.5),
    "smooth_l1_loss": lambda x: F.smooth_l1_loss(x[0], x[1], beta=0.5),
    "l1_loss": lambda x: F.l1_loss(x[0], x[1]),
    "binary_cross_entropy": lambda x: F.binary_cross_entropy(torch.sigmoid(x[0]), torch.sigmoid(x[1]), x[1].abs()),
    "with logits": lambda x: F.binary_cross_entropy_with_logits(x[0], torch.sigmoid(x[1]), x[0].abs(), pos_weight=x[1].abs()),
    "kl_div": lambda x: F.kl_div(x[0], torch.sigmoid(x[1]), reduction="sum"),
    "hinge_embedding_loss": lambda x: F.hinge_embedding_loss(x[0], INT([1, -1, 1])),
    "glu": lambda x: F.glu(x.reshape(3, 2)),
    "prelu": lambda x: F.prelu(x.reshape(1, 2, 3), x[0, :2]),
    "celu": lambda x: F.celu(x, 0.5),
    "softshrink": lambda x: F.softshrink(x, 0.5),
    "hardshrink": lambda x: F.hardshrink(x, 0.5),
    "relu6": lambda x: F.relu6(x),
    "embedding": lambda x: F.embedding(INT([1, 0, 1]), x),
    "elementary": lambda x: x.tan() + x.atan() + x.sinh() + x.cosh() + x.exp2() + x.erfc(),
    "logarithms": lambda x: x.abs().log2() + x.abs().log10() + torch.xlogy(x, x.abs()),
    "products": lambda x: x.prod(1) * x.cumprod(0)[:, 0] * x.cumsum(1)[:, 1],
    "of vectors": lambda x: torch.stack([torch.dot(x[0], x[1]), torch.mv(x, x[0])[0]]),
    "extremes": lambda x: x.max(1)[0] + x.min(1, keepdim=True)[0] + x.amin((0, 1)),
    "their places": lambda x: x.argmax(1) + 10 * x.argmin(1),
    "a half": lambda x: x.tril() + x.triu(1) * 2 + x.diagonal().sum(),
    "parts": lambda x: x.split([1, 2], 1)[1] + x.chunk(3, 1)[1] + x.unbind(1)[2][:, None],
    "repeated": lambda x: x.repeat(2, 1),
    "circular padding": lambda x: F.pad(x.reshape(1, 2, 3), (1, 1), mode="circular"),
    "filled": lambda x: torch.full_like(x, 2.0) + torch.ones_like(x) + x.new_full((2, 1), 3.0) + x.new_ones(3),
    "bounds": lambda x: x.clamp_min(0.1) + x.clamp_max(0.2) + x.square(),
    "in three dimensions": lambda x: (
        F.max_pool3d(x.reshape(1, 1, 1, 2, 3), (1, 2, 2), 1) + F.adaptive_avg_pool3d(x.reshape(1, 1, 1, 2, 3), (1, 1, 2))
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_operator_is_torchs(call):
    x = sympy.Matrix([["3/2", "-1/4", "3/4"], ["-5/2", 3, "1/2"]])
    found = call(Symbols(x.tolist()))
    found = evaluated(found, {}) if isinstance(found, Symbols) else found
    assert_close(found, call(torch.tensor(x.tolist(), dtype=torch.float64)))

"""Rounding, signs and remainders: where the derivative is 0, where it is 1, and where it is −⌊a/b⌋."""

import itertools

import pytest
import torch
from samples import HALF, assert_as_close, assert_same, inside
from torch.func import jacfwd, jacrev, vmap
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db

from manualgrad import audit
from manualgrad.functions.arithmetic import rounding as functions
from manualgrad.testing import check_function

DOUBLE = torch.float64
T = torch.Tensor
NAMES = ["floor", "ceil", "trunc", "round", "frac", "sign", "sgn", "div", "fmod", "remainder"]
OPS = [op for op in op_db if op.name in NAMES]


def test_each_name_is_among_torchs_samples():
    assert {op.name for op in OPS} == set(NAMES)


@pytest.mark.parametrize("dtype", [DOUBLE, torch.float32, *HALF], ids=str)
@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name + op.variant_test_name)
def test_an_operator_agrees_on_every_sample_and_is_by_hand(op, dtype, device):
    if dtype not in op.supported_backward_dtypes(device.type):
        pytest.skip(f"torch's own has no gradient of {dtype}")
    for sample in op.sample_inputs(device, dtype, requires_grad=True):
        tree = ((sample.input, *sample.args), sample.kwargs)
        value = inside(op)(*tree[0], **tree[1])
        assert not value.requires_grad or not audit(value).native
        ours, theirs = (lambda t: inside(op)(*t[0], **t[1])), (lambda t: op(*t[0], **t[1]))
        (assert_as_close if dtype in HALF else assert_same)(ours, theirs, tree)


def s(*shape):
    """Numbers that are far from whole ones."""
    return (torch.randint(-4, 4, shape) + 0.2 + 0.6 * torch.rand(shape)).to(DOUBLE)


def far(*shape):
    """Such numbers, none between -1 and 1: divided by 1, none has the quotient 0, with which inf makes nan, in torch too."""
    x = s(*shape)
    return x + x.sign()


IN_PLACE = {
    "floor_": lambda x, y: x.floor_(),
    "round_": lambda x, y: torch.round_(x, decimals=1),
    "frac_": lambda x, y: x.frac_(),
    "sign_": lambda x, y: x.sign_(),
    "%=": lambda x, y: x.__imod__(y),
    "fmod_": lambda x, y: x.fmod_(y),
    "div_": lambda x, y: x.div_(y, rounding_mode="trunc"),
}


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize("change", IN_PLACE.values(), ids=IN_PLACE)
def test_a_change_in_place_is_torchs(change, view):
    x, y = s(3, 4).requires_grad_(), s(3, 4).requires_grad_()
    results = []
    for call in (inside, lambda f: f):

        def loss(x, y):
            whole = x * 1
            change(whole[1:] if view else whole, y[1:] if view else y)
            return (whole * whole * x).sum()

        value = call(loss)(x, y)
        results.append([value, *torch.autograd.grad(value, (x, y), allow_unused=True, materialize_grads=True)])
        if call is inside:
            assert not audit(value).native
    assert_close(*results)


@pytest.mark.parametrize("call", [lambda x: x // 2.5, lambda x: 7.0 // x, lambda x: torch.floor_divide(x, x.flip(0) + 3)])
def test_floor_divide_has_a_derivative_of_0_where_torch_raises(call):
    x = s(3, 4).requires_grad_()
    y = inside(call)(x)
    assert torch.equal(y, call(x))
    assert not audit(y).native
    assert not torch.autograd.grad(y.sum(), x)[0].any()
    with pytest.raises(RuntimeError):
        torch.autograd.grad(call(x).sum(), x)


def test_the_remainder_of_a_number_has_a_derivative_where_torch_raises():
    x = s(3, 4).requires_grad_()
    torch.autograd.gradcheck(inside(lambda x: 7.3 % x), x, check_forward_ad=True)


NESTED = {
    "rounding": lambda p: (3 * p).floor() * p + p.ceil() * p * p + torch.round(p * p, decimals=1) * p + p.trunc() * p,
    "frac and sign": lambda p: (p * p).frac() * p + p.sign() * p,
    "remainder": lambda p: (p * p) % p[0] * p + torch.fmod(p * p, p[1]) * p,
    "div": lambda p: torch.div(p, p[0] * p, rounding_mode="floor") * p + torch.div(p, 0.3, rounding_mode="trunc") * p * p,
}
P = torch.linspace(0.31, 1.23, 6, dtype=DOUBLE)
LETTERS = {"f": jacfwd, "r": jacrev, "v": lambda f: lambda x: vmap(f)(x.expand(2, *x.shape))}
WORDS = ["".join(word) for n in (1, 2) for word in itertools.product("frv", repeat=n) if set(word) != {"v"}]


@pytest.mark.parametrize("name", NESTED)
def test_a_nesting_is_that_of_torchs_reverse_mode(name):
    for word in WORDS:
        ours, theirs = inside(NESTED[name]), NESTED[name]
        for letter in reversed(word):
            ours, theirs = LETTERS[letter](ours), LETTERS[letter.replace("f", "r")](theirs)
        assert_close(ours(P), theirs(P), rtol=1e-9, atol=1e-9)
    torch._dynamo.reset()
    compiled = torch.compile(jacrev(inside(NESTED[name])), fullgraph=True, backend="aot_eager")
    assert_close(compiled(P), jacrev(NESTED[name])(P), rtol=1e-9, atol=1e-9)


FUNCTIONS = {
    "Floor": (functions.FloorFunction, (s(3, 4),)),
    "Ceil": (functions.CeilFunction, (s(3, 4),)),
    "Trunc": (functions.TruncFunction, (s(3, 4),)),
    "Round": (functions.RoundFunction, (s(3, 4) + 0.5, 0)),
    "Sign": (functions.SignFunction, (s(3, 4),)),
    "Frac": (functions.FracFunction, (s(3, 4),)),
    "RoundedDiv": (functions.RoundedDivFunction, (s(3, 4), torch.ones(4, dtype=DOUBLE), "floor")),
    "Remainder": (functions.RemainderFunction, (far(3, 4), torch.ones(4, dtype=DOUBLE))),
    "Fmod": (functions.FmodFunction, (far(3, 4), torch.ones(3, 1, dtype=DOUBLE))),
}


@pytest.mark.long
@pytest.mark.parametrize(("Function", "inputs"), FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_check_of_a_function_passes(Function, inputs):
    tensors = tuple(t.clone().requires_grad_() if isinstance(t, T) else t for t in inputs)
    report = check_function(Function.apply, tensors)
    assert all(verdict.startswith(("SUCCESS", "SKIPPED")) for verdict in report.values())

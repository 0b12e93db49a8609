"""The activations that shrink, and torch's errors of these, GLU and PReLU."""

import pytest
import torch
import torch.nn.functional as F
from samples import inside, outcome
from torch.testing import assert_close

from manualgrad import audit
from manualgrad.functions import _chunked

DOUBLE = torch.float64


KINKS = torch.tensor([-torch.inf, -0.4, -0.1, -0.0, 0.0, 0.1, 0.3, 0.4, torch.inf, torch.nan])


SHRINKS = {
    "hardshrink": lambda z: F.hardshrink(z, 0.4),
    "hardshrink, 0": lambda z: F.hardshrink(z, 0),
    "hardshrink, below 0": lambda z: F.hardshrink(z, -0.4),
    "softshrink": lambda z: F.softshrink(z, 0.4),
    "softshrink, 0": lambda z: F.softshrink(z, 0),
    "threshold": lambda z: F.threshold(z, 0.3, 2.0),
    "threshold, torch's": lambda z: torch.threshold(z, -0.1, 0.0),
    "threshold, at 0": lambda z: F.threshold(z, 0, -1),
    "threshold, in place": lambda z: F.threshold(z * 1, 0.3, 2.0, inplace=True),
    "threshold, torch's in place": lambda z: torch.threshold_(z * 1, 0.3, 2.0),
    "rrelu": lambda z: F.rrelu(z),
    "rrelu, torch's": lambda z: torch.rrelu(z, 0.1, 0.2),
    "rrelu, in place": lambda z: F.rrelu(z * 1, inplace=True),
}


HAVE_TWO = [call for name, call in SHRINKS.items() if "shrink" in name]  # derivatives at nan, in torch, by the length of z


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("call", SHRINKS.values(), ids=SHRINKS)
def test_at_the_kinks_and_where_something_is_infinite_shrinking_is_torchs(call, dtype, in_parts, monkeypatch):
    monkeypatch.setattr(_chunked, "_PART", 1 if in_parts else 1 << 20)
    for g in (1.0, torch.inf, torch.nan):
        z = KINKS.to(dtype).repeat(4).requires_grad_()
        y = inside(call)(z)
        assert not audit(y).native
        expected = call(z)
        free = expected.isnan() & (call in HAVE_TWO)
        results = [torch.autograd.grad(value, z, torch.full_like(z, g))[0].masked_fill(free, 0) for value in (y, expected)]
        assert_close(y, expected, equal_nan=True)
        assert_close(*results, equal_nan=True)


@pytest.mark.parametrize(
    "shrink", [lambda z: F.hardshrink(z, 0.5), lambda z: F.softshrink(z, 0.5), lambda z: F.threshold(z, 0, -1)]
)
def test_an_infinite_gradient_where_nothing_passes_gives_0(shrink):
    z = torch.tensor([0.1, -0.2, 3.0], requires_grad=True)
    a = inside(shrink)(z)
    (gradient,) = torch.autograd.grad(a, z, torch.tensor([torch.inf, torch.nan, 2.0]))
    z2 = z.detach().requires_grad_()
    (expected,) = torch.autograd.grad(shrink(z2), z2, torch.tensor([torch.inf, torch.nan, 2.0]))
    assert torch.equal(gradient.nan_to_num(7), expected.nan_to_num(7))


def test_hardshrink_with_a_bound_below_0_leaves_nothing_out():
    z = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
    assert_close(inside(F.hardshrink)(z, -0.5), F.hardshrink(z, -0.5))
    assert torch.autograd.grad(inside(F.hardshrink)(z, -0.5).sum(), z)[0].tolist() == [1, 1, 1]


WRONG = {
    "glu of an odd size": lambda x: F.glu(x[..., :3]),
    "glu's dimension": lambda x: F.glu(x, 5),
    "glu of a number": lambda x: F.glu(x[0, 0, 0]),
    "prelu's slopes": lambda x: F.prelu(x, torch.rand(2)),
    "prelu's slopes in float64": lambda x: F.prelu(x, torch.rand(3, dtype=DOUBLE)),
    "prelu's slopes as a matrix": lambda x: F.prelu(x, torch.rand(1, 3)),
    "rrelu upside down": lambda x: F.rrelu(x, 0.5, 0.2),
    "softshrink below 0": lambda x: F.softshrink(x, -0.1),
    "a bound": lambda x: F.hardshrink(x, "far"),
    "a threshold": lambda x: F.threshold(x, "far", 0),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_by_torch(wrong):
    x = torch.randn(2, 3, 4, requires_grad=True)
    found, expected = (outcome(lambda f=f: f(x)) for f in (inside(wrong), wrong))
    assert len(expected) == 2
    assert found == expected

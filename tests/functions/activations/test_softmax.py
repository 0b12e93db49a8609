"""softmax and log_softmax."""

import pytest
import torch
import torch.nn.functional as F
from samples import inside
from torch.testing import assert_close

from manualgrad import audit
from manualgrad.functions import _chunked

T = torch.Tensor
DOUBLE = torch.float64
FUNCTIONS = (F.softmax, torch.softmax, T.softmax, torch.special.softmax)
FUNCTIONS += (F.log_softmax, torch.log_softmax, T.log_softmax, torch.special.log_softmax)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f"{type(f).__name__} {f.__name__}")
@pytest.mark.parametrize("arguments", [{"dim": 1}, {"dim": -1, "dtype": DOUBLE}], ids=str)
def test_each_of_torchs_names_is_by_hand(function, arguments):
    x = torch.rand(2, 3, requires_grad=True)
    y = inside(function)(x, **arguments)
    assert audit(y).manual
    assert_close(y, function(x, **arguments), rtol=0, atol=0)


@pytest.mark.parametrize("wrong", [{"dim": 2}, {"dim": "x"}, {}, {"dim": 0.5}], ids=str)
@pytest.mark.parametrize("function", [torch.softmax, torch.log_softmax])
def test_what_is_wrong_is_said_by_torch(function, wrong):
    x = torch.rand(2, 3, requires_grad=True)
    errors = []
    for f in (inside(function), function):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            f(x, **wrong)
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]


LAYOUTS = {
    "contiguous": lambda x: x,
    "channels_last": lambda x: x.to(memory_format=torch.channels_last),
    "transposed": lambda x: x.transpose(0, 3).contiguous().transpose(0, 3),
    "strided": lambda x: x.repeat_interleave(2, 1)[:, ::2],
    "expanded": lambda x: x[:1].expand(x.shape),
}


@pytest.mark.parametrize("dtype", [DOUBLE, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dim", range(4))
@pytest.mark.parametrize("function", [torch.softmax, torch.log_softmax])
def test_large_arrays_in_parts_have_the_same_gradient(function, dim, layout, dtype, monkeypatch):
    written = []
    write = _chunked._write
    monkeypatch.setattr(_chunked, "_PART", 100)
    monkeypatch.setattr(_chunked, "_write", lambda *args: written.append(1) or write(*args))
    x = layout(torch.randn(20, 8, 9, 10, dtype=dtype)).detach().requires_grad_()
    y = inside(function)(x, dim)
    g = torch.randn_like(y)
    (gradient,) = torch.autograd.grad(y, x, g)
    (expected,) = torch.autograd.grad(function(x, dim), x, g)
    assert_close(gradient, expected)
    assert written or layout is not LAYOUTS["contiguous"]


@pytest.mark.parametrize("function", [torch.softmax, torch.log_softmax])
def test_masked_rows_are_as_torch_has_them(function):
    x = torch.randn(3, 4, dtype=DOUBLE)
    x[0, 1:3] = -torch.inf
    x[1] = -torch.inf
    x.requires_grad_()
    g = torch.randn(3, 4, dtype=DOUBLE)
    results = [(f(x, 1), *torch.autograd.grad(f(x, 1), x, g)) for f in (inside(function), function)]
    assert_close(results[0], results[1], equal_nan=True)

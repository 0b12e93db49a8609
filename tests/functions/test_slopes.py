"""The slopes of elementwise functions, as Functions of their own: the recorded backward of an activation."""

import pytest
import torch
from function_samples import FUNCTIONS
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.testing import assert_close

from manualgrad.function import Function
from manualgrad.functions._elementwise import Elementwise
from manualgrad.functions.activations.gelu import GELUFunction
from manualgrad.testing import CHECKS, check_function

SLOPES = {
    f"{cls.__name__}{numbers}": (cls, numbers)
    for cls in FUNCTIONS.values()
    if issubclass(cls, Elementwise) and cls.slope is not None
    for numbers in ([("none",), ("tanh",)] if cls is GELUFunction else [()])
}
IN_COMPLEX_NUMBERS = ["Cos", "Exp", "Expm1", "Reciprocal", "Rsqrt", "Sin", "Square", "Tanh"]
each = pytest.mark.parametrize("name", SLOPES)


def inputs_of(dtype):
    torch.manual_seed(0)
    t, u = torch.randn(7, dtype=dtype), torch.rand(7, dtype=dtype) + 0.3
    return t.requires_grad_(), u.requires_grad_()


def test_the_functions_with_a_slope_are_those_with_a_short_second_derivative():
    names = {cls.__name__.removesuffix("Function") for cls, _ in SLOPES.values()}
    assert names == {*IN_COMPLEX_NUMBERS, "Erf", "GELU", "LogSigmoid", "Mish", "SiLU"}


@each
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128], ids=str)
def test_the_derivatives_of_a_slope_are_right_in_every_mode(name, dtype):
    cls, numbers = SLOPES[name]
    if dtype.is_complex and cls.__name__.removesuffix("Function") not in IN_COMPLEX_NUMBERS:
        pytest.skip("a function of real numbers")

    def slope(t, u):
        return cls.slope.apply(t, u, *numbers)

    assert gradcheck(slope, inputs_of(dtype), check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True)
    assert gradgradcheck(slope, inputs_of(dtype), check_fwd_over_rev=True)


@pytest.mark.few(3)
@each
def test_a_slope_passes_the_quick_checks(name):
    cls, numbers = SLOPES[name]
    check_function(cls.slope, (*inputs_of(torch.float64), *numbers), checks=[c for c in CHECKS if c != "compile"])


@each
def test_a_recorded_backward_is_one_node_and_the_same_numbers(name):
    cls, numbers = SLOPES[name]
    assert issubclass(cls.slope, Function)
    x = (torch.rand(5, dtype=torch.float64) + 0.3).requires_grad_()
    y = cls.apply(x, *numbers)
    (recorded,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert recorded.grad_fn.name() == f"{cls.__name__.replace('Function', 'SlopeFunction')}Backward"
    assert_close(recorded, torch.autograd.grad(y.sum(), x)[0], rtol=0, atol=0)


@each
def test_forward_mode_over_a_recorded_backward_is_right(name):
    """With dual numbers, outside torch.func, the rule of the slope runs; torch.func takes the operators."""
    cls, numbers = SLOPES[name]
    x = torch.rand(5, dtype=torch.float64) + 0.3
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x.clone().requires_grad_(), torch.ones_like(x))
        (g,) = torch.autograd.grad(cls.apply(dual, *numbers).sum(), dual, create_graph=True)
        found = forward_ad.unpack_dual(g).tangent
    expected = torch.func.jvp(torch.func.grad(lambda x: cls.apply(x, *numbers).sum()), (x,), (torch.ones_like(x),))[1]
    assert_close(found, expected)


@pytest.mark.few(6)
@each
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_rounded_once(name, dtype):
    cls, numbers = SLOPES[name]
    t, u = (v.detach().to(dtype) for v in inputs_of(torch.float64))
    found, exact = [], []
    for into, values in ((found, (t, u)), (exact, (t.double(), u.double()))):
        t_, u_ = (v.clone().requires_grad_() for v in values)
        s = cls.slope.apply(t_, u_, *numbers)
        into += [s, *torch.autograd.grad(s, (t_, u_), torch.ones_like(s))]
    eps = torch.finfo(dtype).eps
    for a, b in zip(found, exact, strict=True):
        assert a.dtype == dtype
        assert_close(a.double(), b, rtol=eps, atol=torch.finfo(dtype).tiny)

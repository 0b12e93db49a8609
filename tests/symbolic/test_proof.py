"""Every Function's shipped formulas, by computer algebra."""

import pytest
import torch

from manualgrad import functions
from manualgrad.functions import LinearFunction, MSELossFunction, ReLUFunction, SigmoidFunction
from manualgrad.symbolic.proof import Symbols, prove, symbols


def losses():
    shapes = {"alike": ((2, 2), (2, 2)), "broadcast": ((2, 1), (1, 2)), "one example": ((2,), (2,)), "0-d": ((), ())}
    for name, (a, y) in shapes.items():
        for reduction in ("none", "sum", "mean", "batchmean"):
            inputs = symbols("a", *a), symbols("y", *y), reduction
            yield pytest.param(MSELossFunction, (*inputs, None), id=f"MSELoss {reduction} {name}")
            yield pytest.param(MSELossFunction, (*inputs, symbols("w", *y)), id=f"MSELoss {reduction} {name} weighted")


FORMULAS = [
    pytest.param(LinearFunction, (symbols("a", 2, 3), symbols("W", 2, 3), symbols("b", 2)), id="Linear"),
    pytest.param(LinearFunction, (symbols("a", 2, 3), symbols("W", 2, 3), None), id="Linear without b"),
    pytest.param(LinearFunction, (symbols("a", 3), symbols("W", 2, 3), symbols("b", 2)), id="Linear of one example"),
    pytest.param(LinearFunction, (symbols("a", 2, 2, 1), symbols("W", 2, 1), symbols("b", 2)), id="Linear in 3 dimensions"),
    pytest.param(SigmoidFunction, (symbols("z", 2, 2),), id="Sigmoid"),
    pytest.param(ReLUFunction, (symbols("z", 2, 2, positive=True),), id="ReLU above 0"),
    pytest.param(ReLUFunction, (symbols("z", 2, 2, negative=True),), id="ReLU below 0"),
    *losses(),
]


@pytest.mark.parametrize(("function", "inputs"), FORMULAS)
def test_the_shipped_backward_and_jvp_are_the_derivatives_of_the_shipped_forward(function, inputs):
    proof = prove(function, *inputs)
    assert set(proof.backward) == {i for i, x in enumerate(inputs) if isinstance(x, Symbols)}
    assert all(len(entries) == x.numel() for (i, entries) in proof.backward.items() for x in [inputs[i]])
    assert proof.jvp
    assert proof.holds


def test_every_function_is_proven():
    assert {getattr(functions, name) for name in functions.__all__} == {parameters.values[0] for parameters in FORMULAS}


class Slipped(SigmoidFunction):
    @staticmethod
    def backward(ctx, dC_da):
        (a,) = ctx.saved_tensors
        return dC_da * (1 + a) * a


class SlippedForwardMode(SigmoidFunction):
    @staticmethod
    def jvp(ctx, dz):
        (a,) = ctx.saved_tensors
        return 2 * dz * (1 - a) * a


@pytest.mark.parametrize("function", [Slipped, SlippedForwardMode])
def test_a_slipped_formula_is_not_proven(function):
    assert not prove(function, symbols("z", 2)).holds


def test_a_derivative_of_another_shape_is_an_assertion_error():
    class Summed(SigmoidFunction):
        @staticmethod
        def backward(ctx, dC_da):
            return dC_da.sum()

    with pytest.raises(AssertionError, match=r"the derivative has shape \(\), expected \(2,\)"):
        prove(Summed, symbols("z", 2))


def test_an_operator_that_symbols_have_not_is_named():
    class Gamma(SigmoidFunction):
        @staticmethod
        def forward(z):
            return torch.lgamma(z)

    with pytest.raises(NotImplementedError, match=r"Symbols do not support torch\.lgamma"):
        prove(Gamma, symbols("z", 2))

"""The proof that a Function's backward and jvp are the derivatives of its forward, by running all three on symbols.

The formulas are not typed again: the shipped methods themselves are called, with arrays of SymPy symbols in the place of
tensors. PyTorch hands an operator that meets such an array over to it (`__torch_function__`,
docs.pytorch.org/docs/stable/notes/extending.html), and it answers in exact arithmetic, entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy
import sympy
import torch
from sympy import Expr

from manualgrad.function import Function
from manualgrad.symbolic.expression import vanishing

__all__ = ["Proof", "Symbols", "prove", "symbols"]


@dataclass(frozen=True)
class Proof:
    """What is left of each derivative's difference from SymPy's, entry by entry: 0 everywhere, if the formulas are right.

    Attributes:
        backward: position of the input -> Σ_i g_i ∂output_i/∂input minus what `backward` returned, simplified.
        jvp: Σ over all inputs of ∂output/∂input · tangent minus what `jvp` returned, simplified.
    """

    backward: Mapping[int, list[Expr]]
    jvp: list[Expr]

    @property
    def holds(self) -> bool:
        return all(entry == 0 for entries in (*self.backward.values(), self.jvp) for entry in entries)


def symbols(letter: str, *shape: int, **assumptions: bool) -> Symbols:
    """An array of real symbols letter_00, letter_01, ...; `positive=True` and the like hold for each."""
    names = ["".join([letter, *(f"_{i}" for i in index)]) for index in numpy.ndindex(*shape)]
    return Symbols(numpy.array([sympy.Symbol(name, real=True, **assumptions) for name in names], object).reshape(shape))


def prove(function: type[Function], *inputs: Any) -> Proof:
    """Hold `backward` and `jvp` against the forward's Jacobian J, by SymPy: Jᵀ g and J t, g and t symbols.

    Args:
        function: a Function whose methods are written in the operators that `Symbols` has.
        inputs: what `function.apply` takes, with `symbols(...)` in the place of tensors.
    """
    context = _Context(inputs)
    output = function.forward(*inputs)
    function.setup_context(context, inputs, output)
    g = symbols("g", *output.shape)
    tangents = [symbols(f"t{i}", *x.shape) if isinstance(x, Symbols) else None for i, x in enumerate(inputs)]

    context.saved_tensors = context.for_backward
    gradients = function.backward(context, g)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    backward = {
        i: _differences(_contracted(output, x, g), gradients[i]) for i, x in enumerate(inputs) if isinstance(x, Symbols)
    }

    context.saved_tensors = context.for_forward
    expected = Symbols(numpy.zeros(output.shape, object))
    for x, tangent in zip(inputs, tangents, strict=True):
        if tangent is not None:
            expected = expected + _pushed(output, x, tangent)
    return Proof(backward, _differences(expected, function.jvp(context, *tangents)))


def _contracted(output: Symbols, x: Symbols, g: Symbols) -> Symbols:
    """Jᵀ g."""
    value = (g * output).sum()
    return Symbols(numpy.vectorize(value.item().diff, otypes=[object])(x.values))


def _pushed(output: Symbols, x: Symbols, tangent: Symbols) -> Symbols:
    """J t."""
    pairs = list(zip(x.values.flat, tangent.values.flat, strict=True))
    return Symbols(numpy.vectorize(lambda o: sum(o.diff(x_i) * t_i for x_i, t_i in pairs), otypes=[object])(output.values))


def _differences(expected: Symbols, found: Symbols) -> list[Expr]:
    if found.shape != expected.shape:
        raise AssertionError(f"the derivative has shape {found.shape}, and must have {expected.shape}")
    return [vanishing(sympy.sympify(entry)) for entry in (expected - found).values.flat]


class _Context:
    """What autograd's ctx is to a Function that needs every gradient."""

    def __init__(self, inputs: tuple[Any, ...]) -> None:
        self.needs_input_grad = tuple(isinstance(x, Symbols) for x in inputs)
        self.for_backward: tuple[Any, ...] = ()
        self.for_forward: tuple[Any, ...] = ()
        self.saved_tensors: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        self.for_backward = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        self.for_forward = tensors


class Symbols:
    """An array of SymPy expressions, with as much of a tensor's interface as the Functions are written in."""

    dtype = torch.float64

    def __init__(self, values: Any) -> None:
        self.values = numpy.asarray(values, object)

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function not in _OPERATORS:
            raise NotImplementedError(f"Symbols have no {torch.overrides.resolve_name(function) or function}")
        return _OPERATORS[function](*args, **(kwargs or {}))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def dim(self) -> int:
        return self.values.ndim

    def numel(self) -> int:
        return self.values.size

    def item(self) -> Expr:
        return self.values.item()

    def t(self) -> Symbols:
        return Symbols(self.values.T)

    def conj(self) -> Symbols:
        return _entrywise(sympy.conjugate, self)

    def reshape(self, *shape: int) -> Symbols:
        return Symbols(self.values.reshape(shape))

    def sum(self, dim: int | None = None) -> Symbols:
        return Symbols(self.values.sum(dim))

    def sum_to_size(self, shape: tuple[int, ...]) -> Symbols:
        values = self.values.sum(tuple(range(self.dim() - len(shape))))
        repeated = tuple(i for i, size in enumerate(shape) if size == 1)
        return Symbols(values.sum(repeated, keepdims=True))

    def __neg__(self) -> Symbols:
        return Symbols(-self.values)

    def __add__(self, other: Any) -> Symbols:
        return Symbols(self.values + _values(other))

    def __sub__(self, other: Any) -> Symbols:
        return Symbols(self.values - _values(other))

    def __rsub__(self, other: Any) -> Symbols:
        return Symbols(_values(other) - self.values)

    def __mul__(self, other: Any) -> Symbols:
        return Symbols(self.values * _values(other))

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Symbols:
        return Symbols(self.values / _values(other))

    def __matmul__(self, other: Symbols) -> Symbols:
        return Symbols(self.values @ other.values)

    def __le__(self, other: Any) -> Symbols:
        return _entrywise(lambda value: value <= other, self)


def _values(operand: Any) -> Any:
    """Exact numbers: 1/2 for 0.5."""
    return operand.values if isinstance(operand, Symbols) else sympy.nsimplify(operand)


def _entrywise(function: Callable[..., Any], *operands: Any) -> Symbols:
    arrays: Iterable[Any] = (operand.values if isinstance(operand, Symbols) else operand for operand in operands)
    return Symbols(numpy.frompyfunc(function, len(operands), 1)(*arrays))


def _linear(a_prev: Symbols, W: Symbols, b: Symbols | None = None) -> Symbols:
    z = Symbols(a_prev.values @ W.values.T)
    return z if b is None else z + b


def _mse_loss(a: Symbols, y: Symbols, reduction: int) -> Symbols:
    squares = (a - y) * (a - y)
    return squares if reduction == 0 else squares.sum() / squares.numel()


# What the operators mean, from PyTorch's documentation of each.
_OPERATORS: dict[Any, Callable[..., Any]] = {
    torch.nn.functional.linear: _linear,
    torch.mm: lambda A, B, out: A @ B,
    torch.sigmoid: lambda z: _entrywise(lambda z: 1 / (1 + sympy.exp(-z)), z),
    torch.relu: lambda z: _entrywise(lambda z: sympy.Max(z, 0), z),
    torch.where: lambda condition, x, y: _entrywise(lambda c, x, y: sympy.Piecewise((x, c), (y, True)), condition, x, y),
    torch.addcmul: lambda t, x, y, *, value=1: t + value * (x * y),
    torch._C._nn.mse_loss: _mse_loss,
}

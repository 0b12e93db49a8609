"""Proof that a Function's backward and jvp are the derivatives of its forward, by running all three on symbols.

The formulas are not typed again: the shipped methods are called with arrays of SymPy expressions instead of tensors
(arrays.py), and compute with them exactly (operators/). Their results are compared with SymPy's derivatives of the forward's
output (zero.py).
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy
import sympy
import torch
from sympy import Expr
from torch import Tensor

from manualgrad.function import Function
from manualgrad.symbolic.arrays import Symbols, symbols
from manualgrad.symbolic.comparisons import places
from manualgrad.symbolic.zero import left_of

__all__ = ["Proof", "Symbols", "prove", "symbols"]


@dataclass(frozen=True)
class Proof:
    """The simplified difference of each derivative from SymPy's, entry by entry: 0 everywhere if the formulas are correct.

    Attributes:
        backward: position of the input -> Σ_i g_i ∂output_i/∂input over all outputs, minus the result of `backward`.
        jvp: Σ over all inputs of ∂output/∂input · tangent, minus the result of `jvp`, output by output.
    """

    backward: Mapping[int, list[Expr]]
    jvp: list[Expr]

    @property
    def holds(self) -> bool:
        return all(entry == 0 for entries in (*self.backward.values(), self.jvp) for entry in entries)


def prove(function: type[Function], *inputs: Any, outputs: Collection[int] | None = None) -> Proof:
    """Compare `backward` and `jvp` with Jᵀ g and J t, for SymPy's Jacobian J of the forward and symbols g and t.

    Args:
        function: a Function.
        inputs: the arguments of `function.apply`, with `symbols(...)` instead of tensors, and plain tensors of integers.
        outputs: the positions of the outputs that receive a gradient g; by default all differentiable ones.

    Raises:
        NotImplementedError: when a method uses an operator that Symbols do not support.
        OpenComparison: when a method compares symbols whose order is not determined.
    """
    with places({symbol: value for x in inputs if isinstance(x, Symbols) for symbol, value in x.at.items()}):
        return _proof(function, inputs, outputs)


def _proof(function: type[Function], inputs: tuple[Any, ...], wanted: Collection[int] | None) -> Proof:
    xs = {i: x for i, x in enumerate(inputs) if isinstance(x, Symbols) and not x.given}
    context = _Context(tuple(i in xs for i in range(len(inputs))))
    output = function.forward(*inputs)
    function.setup_context(context, inputs, output)
    ys = {o: y for o, y in enumerate(_several(output)) if isinstance(y, Symbols) and not context.is_constant(y)}
    J = {(o, i): _jacobian(y, x) for o, y in ys.items() for i, x in xs.items()}

    of = "g{}" if len(ys) > 1 else "g"
    g = {o: symbols(of.format(o), *y.shape) for o, y in ys.items() if wanted is None or o in wanted}
    context.saved_tensors = context.for_backward
    gradients = _several(function.backward(context, *context.materialized(g, _several(output))))
    Jt_g = {i: _total(numpy.tensordot(g[o].entries, J[o, i], ys[o].dim()) for o in g) for i in xs}

    t = {i: symbols(f"t{i}", *x.shape) for i, x in xs.items()}
    context.saved_tensors = context.for_forward
    tangents = _several(function.jvp(context, *context.materialized(t, inputs)))
    J_t = {o: _total(numpy.tensordot(J[o, i], t[i].entries, xs[i].dim()) for i in xs) for o in ys}

    backward = {i: _differences(Jt_g[i], gradients[i], x) for i, x in xs.items()}
    return Proof(backward, [entry for o, y in ys.items() for entry in _differences(J_t[o], tangents[o], y)])


def _total(terms: Iterable[Any]) -> Any:
    return functools.reduce(operator.add, terms)


def _several(output: Any) -> tuple[Any, ...]:
    return output if isinstance(output, tuple) else (output,)


def _jacobian(y: Symbols, x: Symbols) -> Any:
    """Return ∂y_i/∂x_k, with the dimensions of y before those of x."""
    ys, xs = y.entries.reshape([*y.shape] + [1] * x.dim()), x.entries
    return numpy.asarray(numpy.frompyfunc(lambda y, x: sympy.sympify(y).diff(x), 2, 1)(ys, xs), object)


def _differences(expected: Any, found: Tensor | None, of: Symbols) -> list[Expr]:
    found = torch.zeros_like(of) if found is None else found
    if found.shape != of.shape:
        raise AssertionError(f"the derivative has shape {(*found.shape,)}, expected {(*of.shape,)}")
    entries = found.entries if isinstance(found, Symbols) else numpy.array(found.tolist(), object)
    return [left_of(sympy.sympify(difference)) for difference in numpy.ravel(expected - entries)]


class _Context:
    """A replacement for autograd's ctx."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.for_backward: tuple[Any, ...] = ()
        self.for_forward: tuple[Any, ...] = ()
        self.saved_tensors: tuple[Any, ...] = ()
        self.constants: tuple[Any, ...] = ()
        self.materializes_grads = True

    def save_for_backward(self, *tensors: Any) -> None:
        self.for_backward = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        self.for_forward = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        self.constants = tensors

    def is_constant(self, y: Any) -> bool:
        return any(y is constant for constant in self.constants)

    def set_materialize_grads(self, value: bool) -> None:
        self.materializes_grads = value

    def materialized(self, found: Mapping[int, Symbols], tensors: tuple[Any, ...]) -> list[Tensor | None]:
        """Return the entries found for these tensors, and zeros or None for the others."""
        has_zeros = [self.materializes_grads and isinstance(t, Symbols) for t in tensors]
        return [found.get(i, torch.zeros_like(t) if has_zeros[i] else None) for i, t in enumerate(tensors)]

"""Symbols: a tensor whose entries are SymPy expressions, so that a Function's shipped methods compute formulas.

PyTorch decomposes every operator into a few hundred, and dispatches those with a Symbols argument to `__torch_dispatch__`
(docs.pytorch.org/docs/stable/notes/extending.html); operators/ implements them. Numbers are exact. A comparison is true or
false, never undecided: see comparisons.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy
import sympy
import torch
from sympy import Expr
from torch import Tensor
from torch.utils._pytree import tree_map

from manualgrad.symbolic.operators import OPERATORS

__all__ = ["Symbols", "number", "symbols"]


class Symbols(Tensor):
    """An array of SymPy expressions.

    Attributes:
        entries: the array.
        at: the values of the symbols, for comparisons.
        given: whether the symbols are constants, with respect to which no derivative is taken.
    """

    entries: numpy.ndarray[Any, Any]
    at: Mapping[Expr, Expr]
    given: bool

    @staticmethod
    def __new__(cls, entries: Any, at: Mapping[Expr, Expr] | None = None, given: bool = False) -> Symbols:
        return Tensor._make_wrapper_subclass(cls, numpy.shape(entries), dtype=torch.float64)

    def __init__(self, entries: Any, at: Mapping[Expr, Expr] | None = None, given: bool = False) -> None:
        self.entries = numpy.asarray(entries, object)
        self.at = at or {}
        self.given = given

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Symbols({self.entries.tolist()})"

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in _WHOLE:
            return Symbols(OPERATORS[_WHOLE[function]](*map(_exact, args)))
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, operator: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = operator.overloadpacket.__name__
        in_place = name.endswith("_")
        meaning = OPERATORS.get(name.rstrip("_"))
        if meaning is None:
            raise NotImplementedError(f"Symbols do not support torch.{name}: implement it in manualgrad/symbolic/operators/")
        kwargs = {key: value for key, value in (kwargs or {}).items() if key not in _FORM}
        out = args[0] if in_place else kwargs.pop("out", None)
        positional = [a for a in operator._schema.arguments if not a.kwarg_only and not a.is_out]
        args = [*args, *(kwargs.pop(a.name, a.default_value) for a in positional[len(args) :])]  # torch omits defaults
        found = meaning(*tree_map(_exact, args), **tree_map(_exact, kwargs))
        if out is None:
            return tree_map(_tensor, found)
        out.entries[...] = found
        return out


# Not decomposed: PyTorch's decompositions change a shape in place, which a Symbols does not support.
_WHOLE: dict[Any, str] = {
    torch.matmul: "matmul",
    Tensor.matmul: "matmul",
    Tensor.__matmul__: "matmul",
    torch.nn.functional.linear: "linear",
}


# Ignored: Symbols have only one dtype and device.
_FORM = ("dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking")


def symbols(letter: str, *shape: int, at: Sequence[Any] | None = None, given: bool = False, **assumptions: bool) -> Symbols:
    """Create an array of real symbols letter_0_0, letter_0_1, ...

    Args:
        letter: the prefix of the names.
        shape: the shape of the array.
        at: the value of each symbol, row by row, for comparisons.
        given: whether the symbols are constants.
        assumptions: SymPy's assumptions about each symbol, such as `positive=True`.
    """
    names = ["".join([letter, *(f"_{i}" for i in index)]) for index in numpy.ndindex(*shape)]
    entries = [sympy.Symbol(name, real=True, **assumptions) for name in names]
    place = {} if at is None else {symbol: sympy.sympify(number(value)) for symbol, value in zip(entries, at, strict=True)}
    return Symbols(numpy.array(entries, object).reshape(shape), place, given)


_CONSTANTS = [
    sympy.Integer(1),
    *(sympy.sqrt(root) for root in (2, sympy.pi, 1 / sympy.pi, 2 / sympy.pi)),
    *(sympy.log(base) for base in (2, 10)),
]


def number(value: Any) -> Any:
    """Return the exact number that a float stands for: a fraction (1/10 for 0.1), or one times a constant from above."""
    if isinstance(value, bool) or not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return sympy.nan if math.isnan(value) else sympy.oo if value > 0 else -sympy.oo
    for constant in _CONSTANTS:
        ratio = Fraction(value / float(constant)).limit_denominator(1_000_000)
        if math.isclose(float(ratio) * float(constant), value, rel_tol=4e-16, abs_tol=0):
            return sympy.Rational(ratio) * constant
    return sympy.Rational(value)


def _exact(argument: Any) -> Any:
    """Convert an operator's argument to an array of expressions, integers or booleans, or to an exact number."""
    if isinstance(argument, Symbols):
        return argument.entries
    if isinstance(argument, Tensor):
        array = argument.numpy()
        return numpy.frompyfunc(lambda x: number(float(x)), 1, 1)(array) if argument.is_floating_point() else array
    return number(argument)


def _tensor(found: Any) -> Any:
    """Wrap an operator's result: expressions in Symbols, integers and booleans in plain tensors."""
    if isinstance(found, numpy.ndarray) and found.dtype != object:
        return torch.from_numpy(found.copy())
    return Symbols(found) if isinstance(found, (numpy.ndarray, Expr, int)) else found

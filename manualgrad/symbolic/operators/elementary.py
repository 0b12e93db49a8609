"""Element by element, of one formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy
import sympy

from manualgrad.symbolic.operators._arrays import Array, entrywise

__all__ = ["TABLE", "log_of"]


def add(a: Any, b: Any, alpha: Any = 1) -> Array:
    return a + alpha * b


def mul(a: Any, b: Any) -> Array:
    return counting(a) * counting(b)


def counting(a: Any) -> Any:
    """A truth value as the number that it is in a product, 1 or 0."""
    return a.astype(int) if isinstance(a, numpy.ndarray) and a.dtype == bool else a


def log_of(x: Any) -> Any:
    return -sympy.oo if x == 0 else sympy.log(x)


def xlogy(x: Any, y: Any) -> Any:
    return 0 if x == 0 else x * log_of(y)


def sigma(z: Any) -> Any:
    return 1 / (1 + sympy.exp(-z))


def tanh(z: Any) -> Any:
    return (1 - sympy.exp(-2 * z)) / (1 + sympy.exp(-2 * z))


def gelu(z: Array, approximate: str = "none") -> Array:
    if approximate == "tanh":
        c = sympy.sqrt(2 / sympy.pi)
        return entrywise(lambda z: z * (1 + tanh(c * (z + sympy.Rational("0.044715") * z**3))) / 2)(z)
    return entrywise(lambda z: z * (1 + sympy.erf(z / sympy.sqrt(2))) / 2)(z)


def glu(z: Array, dim: int) -> Array:
    a, b = numpy.split(z, 2, dim)
    return a * entrywise(sigma)(b)


TABLE: dict[str, Callable[..., Any]] = {
    # arithmetic
    "add": add,
    "sub": lambda a, b, alpha=1: a - alpha * b,
    "rsub": lambda a, b, alpha=1: b - alpha * a,
    "mul": mul,
    "neg": lambda x: -x,
    "pow": entrywise(sympy.Pow),
    "reciprocal": lambda x: 1 / x,
    "addcmul": lambda x, a, b, value=1: x + value * a * b,
    "addcdiv": lambda x, a, b, value=1: x + value * a / b,
    "lerp": lambda a, b, w: a + w * (b - a),
    # elementary functions
    "exp": entrywise(sympy.exp),
    "expm1": entrywise(lambda x: sympy.exp(x) - 1),
    "exp2": entrywise(lambda x: 2**x),
    "log": entrywise(log_of),
    "log1p": entrywise(lambda x: sympy.log(1 + x)),
    "log2": entrywise(lambda x: sympy.log(x) / sympy.log(2)),
    "log10": entrywise(lambda x: sympy.log(x) / sympy.log(10)),
    "sqrt": entrywise(sympy.sqrt),
    "rsqrt": entrywise(lambda x: 1 / sympy.sqrt(x)),
    "sin": entrywise(sympy.sin),
    "cos": entrywise(sympy.cos),
    "tan": entrywise(sympy.tan),
    "atan": entrywise(sympy.atan),
    "sinh": entrywise(lambda x: (sympy.exp(x) - sympy.exp(-x)) / 2),
    "cosh": entrywise(lambda x: (sympy.exp(x) + sympy.exp(-x)) / 2),
    "tanh": entrywise(tanh),
    "erf": entrywise(sympy.erf),
    "erfc": entrywise(lambda x: 1 - sympy.erf(x)),
    "xlogy": entrywise(xlogy),
    # activations
    "sigmoid": entrywise(sigma),
    "log_sigmoid_forward": lambda z: (entrywise(lambda z: -sympy.log(1 + sympy.exp(-z)))(z), z),
    "silu": entrywise(lambda z: z * sigma(z)),
    "mish": entrywise(lambda z: z * tanh(sympy.log(1 + sympy.exp(z)))),
    "gelu": gelu,
    "glu": glu,
}

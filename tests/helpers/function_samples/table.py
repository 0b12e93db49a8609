"""The table: what each Function is tested, proven and measured on.

A Function that is added needs a sample here, in the file of its family, and a line for its benchmark; without a `proof` it is
proven on symbols in the place of the sample's numbers.
"""

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

import manualgrad.functions
from manualgrad import Function
from manualgrad.symbolic.arrays import symbols as s

DOUBLE = torch.float64
COMPILED_ELSEWHERE = frozenset({"compile"})  # compiling takes the most time: test_compiled_calls.py compiles every operator
NOT_BY_0 = frozenset({"gradient_scale"})  # in a product of matrices an infinite gradient meets a weight of 0, in torch's too


def functions():
    """Every Function in manualgrad.functions, by its name without the word Function."""
    found = {}
    for module in pkgutil.walk_packages(manualgrad.functions.__path__, "manualgrad.functions."):
        for name, value in vars(importlib.import_module(module.name)).items():
            is_its_own = inspect.isclass(value) and issubclass(value, Function) and value.__module__ == module.name
            if is_its_own and value.forward is not torch.autograd.Function.forward:
                found[name.removesuffix("Function")] = value
    return found


FUNCTIONS = functions()


class Sample(NamedTuple):
    function: type[Function]
    inputs: tuple[Any, ...]
    but: frozenset[str]  # checks of check_function that it does not go through


class Benchmark(NamedTuple):
    """A call that the Function answers, and makers of its inputs for n rows, of which the last may be a constant."""

    call: Callable[..., Tensor]
    makers: tuple[Callable[[int], Tensor], ...]
    constant: Callable[[int], Tensor] | None


SAMPLES: dict[str, Sample] = {}
PROOFS: list[tuple[Any, ...]] = []  # of a name, and inputs that are symbols where they are differentiated by
BENCHMARKS: dict[str, Benchmark] = {}


def sample(name, *inputs, as_="", but=frozenset()):
    """Enter a sample of the Function `name`; `as_` tells it from its others."""
    SAMPLES[f"{name} {as_}".strip()] = Sample(FUNCTIONS[name], inputs, but)


def proof(name, *inputs):
    """Enter the inputs of a proof by computer algebra: the smallest in which every term of the formulas occurs."""
    PROOFS.append((name, *inputs))


def benchmark(name, call, *makers, constant=None):
    """Enter the call of benchmarks/functions.py."""
    BENCHMARKS[name] = Benchmark(call, makers, constant)


def prove_the_others():
    """Enter proofs of the Functions that have samples alone."""
    proven = {name for name, *_ in PROOFS}
    for title, (_, inputs, _) in SAMPLES.items():
        name = title.split()[0]
        if name not in proven:
            proof(name, *(as_symbols(f"x{k}", value) for k, value in enumerate(inputs)))


def as_symbols(name, value):
    if not isinstance(value, Tensor) or not value.is_floating_point():
        return value
    return s(name, *value.shape, at=tuple(round(v, 3) for v in value.flatten().tolist()))


# Numbers.


def normal(*shape):
    return torch.randn(shape, dtype=DOUBLE)


def unit(*shape):
    """Between 0 and 1, away from both."""
    return 0.2 + 0.6 * torch.rand(shape, dtype=DOUBLE)


def index(*numbers):
    return torch.tensor(numbers)


def uneven(*shape):
    """Far from whole numbers and, so that no quotient by 1 is 0, not between −1 and 1: with 0, inf makes nan, in torch too."""
    x = (torch.randint(-4, 4, shape) + 0.2 + 0.6 * torch.rand(shape)).to(DOUBLE)
    return x + x.sign()


def spaced(*shape):
    """Far enough apart for finite differences of a maximum."""
    size = math.prod(shape)
    return (torch.randperm(size).to(DOUBLE) / size).reshape(shape)


X, ROW, COLUMN = (unit(*shape) + 0.1 for shape in ((2, 3), (3,), (2, 1)))
INDEX, MASK = index([2, 0, 1], [1, 1, 0]), index([True, False, True], [False, True, False])
APART = torch.tensor([[1.0, -4.0, 2.5, 3.0], [0.5, 7.0, -2.0, 6.0]], dtype=DOUBLE)
Z = torch.tensor([-4.3, -1.3, 0.4, 5.2])  # away from kinks


# Inputs of a benchmark: n rows of M numbers, or n images of 8 channels and 8 × 8 places.

M = 512


def rows(n, *shape):
    return torch.randn(n, *(shape or (M,)))


def positive_rows(n):
    return torch.rand(n, M) + 0.5


def images(n):
    return rows(n, 8, 8, 8)


def heads(n):
    return rows(max(1, n // 8), 4, 32, 32)


def probabilities(n):
    return torch.rand(n, M).softmax(1)


def masks(n):
    return torch.rand(n, M) < 0.5


def row_numbers(n):
    return torch.randint(n, (n,))


def column_numbers(n):
    return torch.rand(n, M).argsort(1)


def weights(*shape):
    return lambda n: torch.rand(shape)

"""Every Function of the catalogue, by computer algebra: its backward and jvp are the derivatives of its forward.

Each is run on the smallest arrays of symbols in which every term of its formulas occurs. What has cases is run in each of them.

Not run are the ways to the same formula that are chosen by size, by memory layout or for half precision (windows of a
convolution, blocks of rows, `between`), which take plain arrays alone, and the formulas of complex numbers, as the symbols are
real: tests/functions compares numbers. A Function that is added needs one line in CATALOGUE.
"""

import collections
import importlib
import inspect
import math
import pkgutil

import mpmath
import numpy
import pytest
import sympy
import torch
import torch.nn.functional as F
from torch.testing import assert_close

import manualgrad.functions
from manualgrad.function import Function
from manualgrad.symbolic.arrays import Symbols, number
from manualgrad.symbolic.arrays import symbols as s
from manualgrad.symbolic.comparisons import OpenComparison, places
from manualgrad.symbolic.proof import prove
from manualgrad.symbolic.zero import left_of


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

INT = torch.tensor

# What each takes, in the order of its `apply`.
CATALOGUE = [
    # arithmetic
    ("Add", s("a", 2, 1), s("b", 1, 2), 3),
    ("Add", s("a", 2), 5, -1),
    ("Add", 5, s("b", 2), 2),
    ("Neg", s("a", 2)),
    ("Mul", s("a", 2, 1), s("b", 1, 2)),
    ("Mul", s("a", 2), 3),
    ("Mul", 3, s("b", 2)),
    ("Div", s("a", 2, 1), s("b", 1, 2)),
    ("Div", s("a", 2), 3),
    ("Div", 3, s("b", 2)),
    ("Pow", s("a", 2, 1, positive=True), s("b", 1, 2, positive=True)),
    ("Pow", s("a", 2), 3),
    ("Pow", s("a", 2), 0),
    ("Pow", s("a", 2, positive=True), -0.5),
    ("Pow", 2, s("b", 2, negative=True)),
    ("Sum", s("x", 2, 2, 2), (0, 2), False),
    ("Sum", s("x", 2, 2), (1,), True),
    ("Sum", s("x", 2), (), False),
    ("Mean", s("x", 2, 2, 2), (0, 2), False),
    ("Mean", s("x", 2, 2), (1,), True),
    ("Mean", s("x", 2), (), False),
    ("Cat", 1, s("x", 2, 1), s("y", 2, 2)),
    ("Var", s("x", 2, 3), (1,), 1, False),
    ("Var", s("x", 1, 3), (0, 1), 0, True),
    ("Std", s("x", 2, 3, at=(1, 2, 4, 1, 5, 2)), (1,), 1, False),
    ("Std", s("x", 1, 3, at=(1, 2, 4)), (0, 1), 0, True),
    ("Logsumexp", s("x", 2, 2, at=(1, 2, 3, 4)), (0, 1), False),
    ("Logsumexp", s("x", 2, 2, at=(1, 2, 3, 4)), (1,), True),
    ("Addcmul", s("x", 2, 1), s("a", 1, 2), s("b", 2, 2), 3),
    ("Addcdiv", s("x", 2, 1), s("a", 1, 2), s("b", 2, 2), 3),
    *((name, s("x", 3, at=(-1.5, 0.5, 2.25))) for name in ("Floor", "Ceil", "Trunc", "Sign", "Frac")),
    ("Round", s("x", 3, at=(-1.6, 0.4, 2.25)), 0),
    ("Round", s("x", 2, at=(-1.61, 0.43)), 1),
    ("RoundedDiv", s("a", 2, 1, at=(-3.5, 4.25)), s("b", 1, 2, at=(2, -3)), "floor"),
    ("RoundedDiv", s("a", 2, 1, at=(-3.5, 4.25)), s("b", 1, 2, at=(2, -3)), "trunc"),
    ("Remainder", s("a", 2, 1, at=(-3.5, 4.25)), s("b", 1, 2, at=(2, -3))),
    ("Remainder", s("a", 2, at=(-3.5, 4.25)), 2.0),
    ("Remainder", 7, s("b", 2, at=(2, -3))),
    ("Fmod", s("a", 2, 1, at=(-3.5, 4.25)), s("b", 1, 2, at=(2, -3))),
    ("Fmod", s("a", 2, at=(-3.5, 4.25)), 2.0),
    ("Lerp", s("a", 2, 1), s("b", 1, 2), s("w", 2, 2)),
    ("Lerp", s("a", 2), s("b", 2), 0.25),
    ("Prod", s("x", 2, 3), 1, False),
    ("Prod", s("x", 1, 2), 0, True),
    ("Cumsum", s("x", 2, 3), 1),
    ("Extreme", s("x", 2, 2, at=(1, 4, 2, 3)), (0, 1), False, True),
    ("Extreme", s("x", 2, 2, at=(1, 4, 2, 3)), (1,), True, False),
    *(("VectorNorm", s("x", 2, 2, at=(1, -4, -2, 3)), p, (1,), False) for p in (2, 1, 3, -1, math.inf, -math.inf, 0)),
    *(("VectorNorm", s("x", 1, 2, positive=True), p, (1,), False) for p in (0.5, 1.5)),
    ("VectorNorm", s("x", 2, at=(1, -4)), 2, (0,), True),
    ("Cumprod", s("x", 2, 3), 1),
    ("Cumprod", s("x", 3, 1), 0),
    ("OneOfAll", s("x", 2, 2, at=(1, 4, 2, 3)), "max"),
    ("OneOfAll", s("x", 3, at=(1, 4, 2)), "median"),
    ("ExtremeAlong", s("x", 2, 2, at=(1, 4, 2, 3)), 1, False, True),
    ("ExtremeAlong", s("x", 2, 2, at=(1, 4, 2, 3)), 0, True, False),
    ("Topk", s("x", 2, 3, at=(1, 4, 2, 3, 5, 4)), 1, 2, True, True),
    ("Sort", s("x", 2, 3, at=(1, 4, 2, 3, 5, 4)), 1, False, True),
    ("Kthvalue", s("x", 2, 3, at=(1, 4, 2, 3, 5, 4)), 1, 2, False),
    ("Median", s("x", 2, 3, at=(1, 4, 2, 3, 5, 4)), 1, False, False),
    ("Mode", s("x", 2, 3, at=(1, 4, 2, 3, 5, 4)), 1, True),
    ("CosineSimilarity", s("a", 2, 2, at=(1, 2, 3, 4)), s("b", 2, at=(1, 2)), 1, 1e-8),
    # elementary functions
    *((name, s("x", 2)) for name in ("Exp", "Expm1", "Square", "Sin", "Cos", "Erf")),
    *((name, s("x", 2, positive=True)) for name in ("Log", "Log1p", "Sqrt", "Rsqrt", "Reciprocal")),
    # products
    ("Linear", s("a", 2, 3), s("W", 2, 3), s("b", 2)),
    ("Matmul", s("A", 2, 3), s("B", 3, 2)),
    ("Matmul", s("A", 2, 1, 1, 2), s("B", 2, 2, 1)),
    ("Matmul", s("A", 1, 2, 2), s("B", 2, 2, 2)),
    ("Matmul", s("A", 2, 2, 2), s("B", 2, 1)),
    ("Addmm", s("M", 1, 2), s("A", 2, 3), s("B", 3, 2), 2, 3),
    ("Addmm", s("M", 2), s("A", 2, 2, 1), s("B", 2, 1, 2), 2, 3),
    ("Addmm", s("M", 2), s("A", 2, 3), s("B", 3), 2, 3),
    # movement
    ("Expand", s("x", 2, 1), (2, 2, 2)),
    ("Pad", s("x", 2, 3), (1, -1, 0, 2), 7),
    ("Flip", s("x", 2, 3), (0, 1)),
    ("Roll", s("x", 2, 3), (1, -1), (0, 1)),
    ("Scatter", s("x", 2, 3), 1, INT([[2, 0]]), s("v", 2, 2)),
    ("Scatter", s("x", 2, 3), 0, INT([[1, 0]]), 5),
    ("ScatterAdd", s("x", 2, 3), 1, INT([[2, 2, 0], [0, 0, 0]]), s("v", 2, 3)),
    ("ScatterAdd", s("x", 2, 3), 0, INT([[1, 0]]), s("v", 2, 3)),
    ("IndexAdd", s("x", 3, 2), 0, INT([2, 0, 2]), s("v", 3, 2), 3),
    ("IndexCopy", s("x", 2, 3), 1, INT([2, 0]), s("v", 2, 2)),
    ("IndexFill", s("x", 2, 3), 1, INT([2, 2]), s("v")),
    ("IndexFill", s("x", 2, 3), 1, INT([2, 0]), 7),
    ("IndexPut", s("x", 2, 3), s("v", 2), False, INT([0, 1]), INT([2, 1])),
    ("IndexPut", s("x", 2, 3), s("v", 2, 1), True, None, INT([2, 2])),
    ("IndexPut", s("x", 2, 3), s("v"), False, INT([0, 0]), INT([2, 2])),
    ("MaskedScatter", s("x", 2, 2), INT([[True, False], [True, True]]), s("v", 4)),
    ("MaskedScatter", s("x", 2, 1), INT([True, False]), s("v", 2)),
    ("Tril", s("x", 2, 3), -1),
    ("Triu", s("x", 2, 3), 0),
    ("Unfold", s("x", 1, 1, 3, 4), [2, 2], [1, 2], [1, 0], [2, 1]),
    ("Unfold", s("x", 2, 2, 2, 2), [2, 1], [1, 1], [0, 0], [1, 1]),
    ("Fold", s("y", 1, 4, 4), [3, 4], [2, 2], [1, 2], [1, 0], [2, 1]),
    ("Fold", s("y", 1, 4, 2), [2, 2], [2, 1], [1, 1], [0, 0], [1, 1]),
    ("Windows", s("x", 2, 4), 1, 2, 1),
    ("Windows", s("x", 5, 2), 0, 2, 3),
    ("Gather", s("x", 2, 3), 1, INT([[0, 2, 0], [1, 1, 1]])),
    ("IndexSelect", s("x", 2, 3), 1, INT([2, 0, 2])),
    ("PadByIndex", s("x", 2, 3), 1, INT([1, 0, 1, 2])),
    ("Index", s("x", 2, 3), INT([1, 0, 1]), INT([2, 0, 2])),
    ("Index", s("x", 2, 3), None, INT([2, 2])),
    # by cases
    ("Abs", s("x", 2, positive=True)),
    ("Abs", s("x", 2, negative=True)),
    ("Clamp", s("x", 3, at=(-2, 0, 2)), -1, 1),
    ("Clamp", s("x", 2, at=(-2, 2)), None, 1),
    ("Clamp", s("x", 2, at=(-2, 2)), -1, None),
    ("ClampBy", s("x", 4, at=(-2, 0, 2, 0)), s("l", 4, at=(-1, -1, -1, 3)), s("m", 4, at=(1, 1, 1, 2))),
    ("ClampBy", s("x", 2, 1, at=(-2, 0)), s("l", 1, at=(-1,)), s("m", 1, 2, at=(1, 2))),
    ("Maximum", s("a", 2, 1, at=(1, 3)), s("b", 1, 2, at=(2, 4))),
    ("Minimum", s("a", 2, 1, at=(1, 3)), s("b", 1, 2, at=(2, 4))),
    ("Where", INT([[True, False], [False, True]]), s("a", 2, 1), s("b", 2)),
    ("Where", INT([True, False]), s("a", 2), 3),
    ("MaskedFill", s("x", 2, 2), INT([True, False]), s("v")),
    ("MaskedFill", s("x", 2, 1), INT([True, False]), 3),
    # convolution: stride, padding, dilation, groups; two examples, channels in and out; in one dimension and three
    ("Convolution", s("x", 1, 1, 3, 3), s("K", 1, 1, 2, 2), s("b", 1), (1, 1), (0, 0), (1, 1), 1),
    ("Convolution", s("x", 2, 2, 2, 2), s("K", 2, 2, 2, 2), s("b", 2), (1, 1), (1, 1), (1, 1), 1),
    ("Convolution", s("x", 1, 1, 4, 4), s("K", 1, 1, 2, 2), None, (2, 2), (1, 1), (1, 1), 1),
    ("Convolution", s("x", 1, 1, 4, 3), s("K", 1, 1, 2, 2), s("b", 1), (2, 1), (0, 1), (1, 2), 1),
    ("Convolution", s("x", 1, 4, 2, 2), s("K", 4, 2, 2, 1), s("b", 4), (1, 1), (0, 0), (1, 1), 2),
    ("Convolution", s("x", 2, 2, 3, 3), s("K", 4, 1, 2, 2), s("b", 4), (1, 1), (0, 0), (1, 1), 2),
    ("Convolution", s("x", 2, 2, 2, 2), s("K", 3, 2, 1, 1), s("b", 3), (2, 1), (0, 0), (1, 1), 1),
    ("Convolution", s("x", 2, 2, 1, 1), s("K", 3, 2, 1, 1), s("b", 3), (1, 1), (0, 0), (1, 1), 1),
    ("Convolution", s("x", 1, 2, 4), s("K", 1, 2, 2), s("b", 1), (2,), (1,), (2,), 1),
    ("Convolution", s("x", 1, 1, 2, 2, 2), s("K", 1, 1, 2, 1, 2), s("b", 1), (1, 1, 1), (0, 0, 1), (1, 1, 1), 1),
    ("TransposedConvolution", s("x", 1, 1, 2, 2), s("K", 1, 1, 2, 2), s("b", 1), (1, 1), (0, 0), (0, 0), 1, (1, 1)),
    ("TransposedConvolution", s("x", 2, 2, 2, 2), s("K", 2, 2, 2, 2), s("b", 2), (2, 2), (1, 1), (1, 1), 1, (1, 1)),
    ("TransposedConvolution", s("x", 1, 2, 2, 2), s("K", 2, 2, 2, 2), s("b", 4), (2, 1), (0, 1), (1, 0), 2, (1, 2)),
    ("TransposedConvolution", s("x", 1, 2, 3), s("K", 2, 1, 2), None, (2,), (1,), (0,), 1, (2,)),
    # pooling; where one place is left of a plane, the channels are neighbours in memory, which has a way of its own
    ("MaxPool", s("x", 1, 1, 3, 3, at=(1, 9, 2, 8, 3, 7, 4, 6, 5)), [2, 2], [1, 1], [0, 0], [1, 1], False),
    ("MaxPool", s("x", 1, 1, 3, 3, at=(1, 9, 2, 8, 3, 7, 4, 6, 5)), [2, 2], [2, 2], [1, 1], [1, 1], True),
    ("MaxPool", s("x", 1, 2, 1, 3, at=(1, 3, 2, 4, 5, 6)), [1, 2], [1, 1], [0, 0], [1, 2], False),
    ("MaxPool", s("x", 1, 2, 2, 2, at=(1, 3, 2, 4, 8, 7, 6, 5)), [2, 2], [1, 1], [0, 0], [1, 1], False),
    ("AvgPool", s("x", 1, 1, 3, 3), [2, 2], [1, 1], [0, 0], False, True, None),
    ("AvgPool", s("x", 1, 1, 3, 3), [2, 2], [2, 2], [1, 1], True, False, None),
    ("AvgPool", s("x", 1, 1, 3, 4), [2, 2], [2, 2], [1, 0], True, True, None),
    ("AvgPool", s("x", 1, 2, 2, 4), [2, 2], [2, 2], [0, 0], False, True, 3),
    ("AvgPool", s("x", 1, 2, 3, 3), [2, 2], [2, 2], [0, 0], False, True, None),
    ("AvgPool", s("x", 1, 1, 2, 2, 2), [2, 1, 2], [1, 1, 1], [0, 0, 1], False, True, None),
    ("AdaptiveAvgPool", s("x", 1, 1, 3, 4), [2, 2]),
    ("AdaptiveAvgPool", s("x", 1, 1, 2, 4), [1, 2]),
    ("AdaptiveAvgPool", s("x", 1, 1, 2, 2), [3, 1]),
    ("AdaptiveAvgPool", s("x", 1, 2, 2, 2), [1, 1]),
    # attention: fused, causal, with a mask that is added or forbids, with broadcasting
    ("Attention", s("Q", 2, 1), s("K", 2, 1), s("V", 2, 2), s("M", 2, 2), False, 0.5),
    ("Attention", s("Q", 1, 1, 2, 1), s("K", 1, 1, 2, 1), s("V", 1, 1, 2, 1), None, False, 0.5),
    ("Attention", s("Q", 1, 1, 2, 1), s("K", 1, 1, 2, 1), s("V", 1, 1, 2, 1), None, True, 0.5),
    ("Attention", s("Q", 2, 2), s("K", 2, 2), s("V", 2, 1), None, True, 0.5),
    ("Attention", s("Q", 2, 1), s("K", 2, 1), s("V", 2, 1), INT([[True, False], [False, False]]), False, 0.5),
    ("Attention", s("Q", 1, 1, 1), s("K", 2, 2, 1), s("V", 2, 2, 1), s("M", 1, 2), False, 0.5),
    # of an embedding, what a row that has no gradient or the mean has (padding_idx, scale_grad_by_freq) is not its derivative,
    # and is not meant to be; a sparse gradient is no array
    ("Embedding", s("W", 3, 2), INT([[1, 0], [1, 1]]), -1, False, False),
    # a bag's sum, mean, weighted sum, largest; with an end that is given, and a row that counts for nothing
    ("EmbeddingBag", s("W", 3, 2), INT([1, 0, 1, 2]), INT([0, 3]), None, 0, False, -1, False, False),
    ("EmbeddingBag", s("W", 3, 2), INT([1, 0, 1, 2]), INT([0, 3, 4]), None, 1, True, 0, False, False),
    ("EmbeddingBag", s("W", 3, 2), INT([1, 0, 1, 2]), INT([0, 3]), s("w", 4), 0, False, -1, False, False),
    ("EmbeddingBag", s("W", 3, 2, at=(1, 5, 2, 4, 3, 6)), INT([1, 0, 1, 2]), INT([0, 3]), None, 2, False, -1, False, False),
    # interpolation: to more places and to fewer, by sides' lengths and by factors
    ("Interpolate", s("x", 1, 1, 2), "nearest", [6], None, None),
    ("Interpolate", s("x", 1, 1, 5), "nearest", [3], None, None),
    ("Interpolate", s("x", 1, 2, 2, 3), "nearest-exact", [4, 2], None, None),
    ("Interpolate", s("x", 1, 1, 2, 1, 2), "nearest", None, [2.0, 2.0, 1.5], None),
    ("Interpolate", s("x", 2, 1, 3), "linear", [5], None, True),
    ("Interpolate", s("x", 1, 1, 4), "linear", None, [0.5], False),
    ("Interpolate", s("x", 1, 2, 2, 2), "linear", [4, 3], None, False),
    ("Interpolate", s("x", 1, 1, 2, 2, 2), "linear", [3, 2, 1], None, True),
    ("Interpolate", s("x", 1, 1, 3, 2), "cubic", [6, 4], None, False),
    ("Interpolate", s("x", 1, 1, 3, 4), "cubic", [2, 5], None, True),
    ("Interpolate", s("x", 1, 1, 4, 2), "linear, antialiased", [2, 4], None, False),
    ("Interpolate", s("x", 1, 1, 4, 4), "cubic, antialiased", [2, 8], None, False),
    # normalization
    ("BatchNorm", s("x", 3, 1), s("w", 1), s("b", 1), None, None, 0.1, 1e-5),
    ("BatchNorm", s("x", 1, 2, 2), s("w", 2), None, None, None, 0.1, 1e-5),
    ("BatchNorm", s("x", 2, 2, 1, 1), s("w", 2), s("b", 2), None, None, 0.1, 1e-5),
    ("BatchNorm", s("x", 2, 1), None, None, None, None, 0.1, 1e-5),
    (
        "BatchNormEvaluation",
        s("x", 2, 2, 1),
        s("w", 2),
        s("b", 2),
        s("m", 2, given=True),
        s("v", 2, given=True, positive=True),
        1e-5,
    ),
    ("LayerNorm", s("x", 2, 3), s("w", 3), s("b", 3), (3,), 1e-5),
    ("LayerNorm", s("x", 1, 2, 2), s("w", 2, 2), None, (2, 2), 1e-5),
    ("LayerNorm", s("x", 2, 2), None, None, (2,), 1e-5),
    ("RMSNorm", s("x", 2, 3), s("w", 3), (3,), 1e-5),
    ("RMSNorm", s("x", 1, 2, 2), None, (2, 2), 1e-5),
    ("GroupNorm", s("x", 1, 4, 2), s("w", 4), s("b", 4), 2, 1e-5),
    ("GroupNorm", s("x", 2, 2), s("w", 2), None, 1, 1e-5),
    ("GroupNorm", s("x", 1, 2, 2, 1), None, None, 2, 1e-5),
    ("InstanceNorm", s("x", 2, 2, 3), s("w", 2), s("b", 2), None, None, 0.1, 1e-5),
    ("InstanceNorm", s("x", 1, 2, 2, 1), None, None, None, None, 0.1, 1e-5),
    # activations
    *((name, s("z", 2)) for name in ("Sigmoid", "Tanh", "SiLU", "LogSigmoid")),
    ("Mish", s("z", 2, at=(-1, 1))),
    ("GELU", s("z", 2), "none"),
    ("GELU", s("z", 2), "tanh"),
    ("ReLU", s("z", 2, at=(-1, 1))),
    ("LeakyReLU", s("z", 2, at=(-1, 1)), 0.01),
    ("RReLU", s("z", 2), torch.tensor([0.25, 1.0])),
    ("ELU", s("z", 2, at=(-1, 1)), 2.0, 3.0, 0.25),
    ("ELU", s("z", 2, at=(-1, 1)), 1.0, 1.0, 1.0),
    ("Softplus", s("z", 2, at=(1, 11)), 2.0, 20.0),
    ("Softsign", s("z", 2, at=(-1, 1))),
    ("Hardtanh", s("z", 3, at=(-2, 0, 2)), -1.0, 1.0),
    ("HardtanhInPlace", s("z", 3, at=(-2, 0, 2)), -1.0, 1.0),
    ("Hardsigmoid", s("z", 3, at=(-4, 0, 4))),
    ("Hardswish", s("z", 3, at=(-4, 0, 4))),
    ("Hardshrink", s("z", 3, at=(-1, 0, 1)), 0.5),
    ("Softshrink", s("z", 3, at=(-1, 0, 1)), 0.5),
    ("Threshold", s("z", 2, at=(0, 2)), 1.0, 7.0),
    ("GLU", s("x", 1, 4), 1),
    ("GLU", s("x", 4, 1), 0),
    ("PReLU", s("z", 2, 2, at=(1, -1, -2, 2)), s("w", 1, 2)),
    ("PReLU", s("z", 2, 2, at=(1, -1, -2, 2)), s("w", 1, 1)),
    ("Softmax", s("x", 3), 0, None),
    ("Softmax", s("x", 2, 2), 0, None),
    ("LogSoftmax", s("x", 3), 0, None),
    ("LogSoftmax", s("x", 2, 2), 1, None),
    # losses
    *(("MSELoss", s("a", 2, 1), s("y", 1, 2), reduction, None) for reduction in ("none", "sum", "mean", "batchmean")),
    ("MSELoss", s("a", 2), s("y", 2), "mean", s("w", 2)),
    *(("NLLLoss", s("l", 2, 2), INT([1, 0]), s("w", 2, given=True), -100, how) for how in ("none", "sum", "mean")),
    ("NLLLoss", s("l", 3, 2), INT([1, 0, 1]), None, 0, "mean"),
    *(
        ("ClassCrossEntropy", s("x", 2, 2, at=(1, 2, 4, 3)), INT([1, 0]), s("w", 2, given=True), 0.1, -100, how)
        for how in ("none", "sum", "mean")
    ),
    ("ClassCrossEntropy", s("x", 2, 3, at=(1, 2, 4, 3, 6, 5)), INT([1, 2]), None, 0.0, 1, "mean"),
    *(("CrossEntropy", s("x", 1, 2, at=(1, 2)), s("q", 1, 2), s("w", 2), 0.1, how) for how in ("none", "sum", "mean")),
    ("CrossEntropy", s("x", 2, 2, at=(1, 2, 4, 3)), s("q", 2, 2), None, 0.0, "mean"),
    ("L1Loss", s("a", 3, at=(-1, 0, 1)), s("y", 3, at=(0, 0.125, 0))),
    ("SmoothL1Loss", s("a", 3, at=(-1, 0, 1)), s("y", 3, at=(0, 0.125, 0)), 0.5),
    ("HuberLoss", s("a", 3, at=(-1, 0, 1)), s("y", 3, at=(0, 0.125, 0)), 0.5),
    ("KLDiv", s("a", 2), s("y", 2, positive=True)),
    ("LogKLDiv", s("a", 2), s("t", 2)),
    ("BCELoss", s("a", 2, at=(0.25, 0.75)), s("y", 2, at=(0.5, 0.125))),
    ("BCESlope", s("a", 2, at=(0.25, 0.75)), s("y", 2, at=(0.5, 0.125))),
    ("BCEWithLogitsLoss", s("x", 2, 2), s("y", 2, 2), s("p", 2)),
    ("BCEWithLogitsLoss", s("x", 2), s("y", 2), None),
]


# As outputs, beside the one that is wanted.
HAVE_STATISTICS = (
    *("BatchNorm", "LayerNorm", "RMSNorm", "GroupNorm", "InstanceNorm"),
    *("ClassCrossEntropy", "CrossEntropy"),
)


def named(catalogue):
    counts = collections.Counter()
    parameters = []
    for name, *inputs in catalogue:
        counts[name] += 1
        parameters.append(pytest.param(name, inputs, id=f"{name} {counts[name]}"))
    return parameters


FIRST = {name: (name, inputs) for name, *inputs in reversed(CATALOGUE)}  # the first entry of each


@pytest.mark.parametrize(("name", "inputs"), named(CATALOGUE))
def test_the_shipped_derivatives_are_those_of_the_shipped_forward(name, inputs):
    proof = prove(FUNCTIONS[name], *inputs)
    assert set(proof.backward) == {i for i, x in enumerate(inputs) if isinstance(x, Symbols) and not x.given}
    assert proof.jvp
    assert proof.holds


@pytest.mark.parametrize(("name", "inputs"), FIRST.values(), ids=FIRST)
def test_each_input_by_itself(name, inputs):
    """As where the others are constants, which saves work and memory."""
    variables = [i for i, x in enumerate(inputs) if isinstance(x, Symbols) and not x.given]
    for i in variables if len(variables) > 1 else []:
        given = [Symbols(x.entries, x.at, given=True) if j in variables and j != i else x for j, x in enumerate(inputs)]
        proof = prove(FUNCTIONS[name], *given)
        assert proof.backward.keys() == {i}
        assert proof.holds


@pytest.mark.parametrize(("name", "inputs"), named(entry for entry in CATALOGUE if entry[0] in HAVE_STATISTICS))
@pytest.mark.parametrize("output", [0, 1])
def test_each_output_by_itself(name, inputs, output):
    """As in a network, whose cost depends on the first one alone."""
    assert prove(FUNCTIONS[name], *inputs, outputs=[output]).holds


def test_every_function_is_proven():
    assert FUNCTIONS.keys() == {name for name, *_ in CATALOGUE}


# The proofs would be worth nothing if they held of whatever they are given, or if the symbols were multiplied differently than
# the numbers.


@pytest.mark.parametrize(("name", "inputs"), FIRST.values(), ids=FIRST)
def test_twice_the_derivative_and_1_is_not_proven(name, inputs, monkeypatch):
    for method in ("backward", "jvp"):
        monkeypatch.setattr(FUNCTIONS[name], method, staticmethod(twice_and_1(getattr(FUNCTIONS[name], method))))
    proof = prove(FUNCTIONS[name], *inputs)
    assert all(map(any, proof.backward.values()))
    assert any(proof.jvp)


def twice_and_1(method):
    """Of rounding, the derivative is 0."""
    return lambda *args: tuple(None if d is None else 2 * d + 1 for d in several(method(*args)))


@pytest.mark.parametrize(("name", "inputs"), named(CATALOGUE))
def test_in_numbers_the_shipped_code_is_what_it_is_in_symbols(name, inputs):
    """The forward and the gradients, by PyTorch's kernels in float64, against what SymPy says at one place."""
    function = FUNCTIONS[name]
    where = {symbol: value for x in inputs if isinstance(x, Symbols) for symbol, value in numbers_for(x).items()}
    with places(where):
        outputs = [y for y in several(function.forward(*inputs)) if isinstance(y, Symbols)]
    entries = [entry for output in outputs for entry in output.entries.flat]
    cost = sympy.Add(*((k + 2) * y for k, y in enumerate(map(sympy.sympify, entries)) if y.is_finite is not False))

    tensors = [evaluated(x, where).requires_grad_(not x.given) if isinstance(x, Symbols) else x for x in inputs]
    found = [y for y in several(function.apply(*tensors)) if y.is_floating_point()]
    for y, output in zip(found, outputs, strict=True):
        assert_close(y, evaluated(output, where))
    sum((k + 2) * y for k, y in enumerate(torch.cat([y.flatten() for y in found]))).backward()
    for x, tensor in zip(inputs, tensors, strict=True):
        if isinstance(x, Symbols) and not x.given:
            assert_close(tensor.grad, evaluated(Symbols(numpy.vectorize(cost.diff, otypes=[object])(x.entries)), where))


def numbers_for(x):
    """A number for each symbol: its place, or one that its assumptions allow."""
    free = [symbol for symbol in x.entries.flat if symbol not in x.at]
    sizes = torch.rand(len(free)).tolist()
    signs = [-1 if symbol.is_negative or not (symbol.is_positive or k % 2) else 1 for k, symbol in enumerate(free)]
    numbers = [sympy.Rational(sign * (size + 0.1)) for size, sign in zip(sizes, signs, strict=True)]
    return {**x.at, **dict(zip(free, numbers, strict=True))}


def evaluated(x, where):
    """In numbers, by mpmath at 50 digits."""
    names = list(where)
    values = sympy.lambdify(names, x.entries.ravel().tolist(), "mpmath", cse=True)
    with mpmath.workdps(50):
        entries = [float(value) for value in values(*(mpmath.mpf(v.p) / v.q for v in where.values()))]
    return torch.tensor(entries, dtype=torch.float64).reshape(x.shape)


def several(output):
    return output if isinstance(output, tuple) else (output,)


def test_a_wrong_sign_in_the_kernels_gradient_is_not_proven():
    class Slipped(FUNCTIONS["Convolution"]):
        @staticmethod
        def backward(ctx, delta):
            dC_dx, dC_dK, *rest = FUNCTIONS["Convolution"].backward(ctx, delta)
            return dC_dx, -dC_dK, *rest

    proof = prove(Slipped, s("x", 1, 1, 3, 3), s("K", 1, 1, 2, 2), s("b", 1), (1, 1), (0, 0), (1, 1), 1)
    assert not proof.holds
    assert [any(entries) for entries in proof.backward.values()] == [False, True, False]
    assert not any(proof.jvp)


def test_batch_norm_without_the_way_over_the_variance_is_not_proven():
    class Slipped(FUNCTIONS["BatchNorm"]):
        @staticmethod
        def backward(ctx, g, g_m, g_r):
            x, w, _, r = ctx.saved_tensors
            _, *rest = FUNCTIONS["BatchNorm"].backward(ctx, g, g_m, g_r)
            return w * r * (g - g.mean(0)) + g_m / len(x), *rest

    proof = prove(Slipped, s("x", 3, 1), s("w", 1), s("b", 1), None, None, 0.1, 1e-5)
    assert not proof.holds
    assert [any(entries) for entries in proof.backward.values()] == [True, False, False]


# What a proof stands on.


def test_a_comparison_that_is_open_is_an_error():
    with pytest.raises(OpenComparison, match=r"it is open which is the greater, z_0 or 0: say so by assumptions, or by places"):
        prove(FUNCTIONS["ReLU"], s("z", 1))
    with pytest.raises(OpenComparison):  # at the kink
        prove(FUNCTIONS["ReLU"], s("z", 1, at=(0,)))


def test_floats_are_read_as_the_numbers_that_they_stand_for():
    read = [number(x) for x in (0.1, 1e-5, 2 / 3, math.sqrt(0.5), 1 / math.sqrt(2 * math.pi), math.log(2), math.inf, 3, True)]
    root = sympy.sqrt(2)
    assert read[:3] == [sympy.Rational(1, 10), sympy.Rational(1, 100_000), sympy.Rational(2, 3)]
    assert read[3:6] == [root / 2, root / (2 * sympy.sqrt(sympy.pi)), sympy.log(2)]
    assert read[6:] == [sympy.oo, 3, True]
    assert number(math.e) == sympy.Rational(math.e)  # no constant that occurs here: the binary fraction that it is


X, Y = sympy.symbols("x y", positive=True)
IDENTITIES = [
    sympy.sqrt(X + Y) ** 3 - (X + Y) * sympy.sqrt(X + Y),
    sympy.sqrt(2) * sympy.sqrt(6) - 2 * sympy.sqrt(3),
    1 / (sympy.sqrt(X) - 1) - (sympy.sqrt(X) + 1) / (X - 1),
    sympy.exp(X + 2 * Y) - sympy.exp(X) * sympy.exp(Y) ** 2,
    1 / (1 + sympy.exp(-X)) - sympy.exp(X) / (1 + sympy.exp(X)),
    sympy.exp(X / 2) ** 3 - sympy.exp(X) * sympy.exp(X / 2),
    sympy.sin(X) ** 2 * Y + sympy.cos(X) ** 2 * Y - Y,
    sympy.log(X * Y) - sympy.log(X) - sympy.log(Y),
    sympy.log(1 + sympy.exp(X)) - sympy.log(1 + sympy.exp(-X)) - X,
    X**Y * X - X ** (Y + 1),
    sympy.sqrt(1 + sympy.sqrt(X)) ** 4 - 1 - 2 * sympy.sqrt(X) - X,
]


@pytest.mark.parametrize("expression", IDENTITIES)
def test_of_what_is_0_nothing_is_left(expression):
    assert left_of(expression) == 0
    assert left_of(expression + X / 1000) != 0


# Operators that no Function above is written in, as layers to come may be: x is [2, 3].
CALLS = {
    "layer_norm": lambda x: F.layer_norm(x, (3,), x[0], x[1]),
    "rms_norm": lambda x: F.rms_norm(x, (3,), x[0], 1e-5),
    "group_norm": lambda x: F.group_norm(x.reshape(1, 2, 3), 2, x[0, :2], x[1, :2]),
    "attention": lambda x: F.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None]),
    "causal attention": lambda x: F.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None], is_causal=True),
    "normalize": lambda x: F.normalize(x),
    "huber_loss": lambda x: F.huber_loss(x[0], x[1], reduction="none", delta=0.5),
    "smooth_l1_loss": lambda x: F.smooth_l1_loss(x[0], x[1], beta=0.5),
    "l1_loss": lambda x: F.l1_loss(x[0], x[1]),
    "binary_cross_entropy": lambda x: F.binary_cross_entropy(torch.sigmoid(x[0]), torch.sigmoid(x[1]), x[1].abs()),
    "with logits": lambda x: F.binary_cross_entropy_with_logits(x[0], torch.sigmoid(x[1]), x[0].abs(), pos_weight=x[1].abs()),
    "kl_div": lambda x: F.kl_div(x[0], torch.sigmoid(x[1]), reduction="sum"),
    "hinge_embedding_loss": lambda x: F.hinge_embedding_loss(x[0], INT([1, -1, 1])),
    "glu": lambda x: F.glu(x.reshape(3, 2)),
    "prelu": lambda x: F.prelu(x.reshape(1, 2, 3), x[0, :2]),
    "celu": lambda x: F.celu(x, 0.5),
    "softshrink": lambda x: F.softshrink(x, 0.5),
    "hardshrink": lambda x: F.hardshrink(x, 0.5),
    "relu6": lambda x: F.relu6(x),
    "embedding": lambda x: F.embedding(INT([1, 0, 1]), x),
    "elementary": lambda x: x.tan() + x.atan() + x.sinh() + x.cosh() + x.exp2() + x.erfc(),
    "logarithms": lambda x: x.abs().log2() + x.abs().log10() + torch.xlogy(x, x.abs()),
    "products": lambda x: x.prod(1) * x.cumprod(0)[:, 0] * x.cumsum(1)[:, 1],
    "of vectors": lambda x: torch.stack([torch.dot(x[0], x[1]), torch.mv(x, x[0])[0]]),
    "extremes": lambda x: x.max(1)[0] + x.min(1, keepdim=True)[0] + x.amin((0, 1)),
    "their places": lambda x: x.argmax(1) + 10 * x.argmin(1),
    "a half": lambda x: x.tril() + x.triu(1) * 2 + x.diagonal().sum(),
    "parts": lambda x: x.split([1, 2], 1)[1] + x.chunk(3, 1)[1] + x.unbind(1)[2][:, None],
    "repeated": lambda x: x.repeat(2, 1),
    "circular padding": lambda x: F.pad(x.reshape(1, 2, 3), (1, 1), mode="circular"),
    "filled": lambda x: torch.full_like(x, 2.0) + torch.ones_like(x) + x.new_full((2, 1), 3.0) + x.new_ones(3),
    "bounds": lambda x: x.clamp_min(0.1) + x.clamp_max(0.2) + x.square(),
    "in three dimensions": lambda x: (
        F.max_pool3d(x.reshape(1, 1, 1, 2, 3), (1, 2, 2), 1) + F.adaptive_avg_pool3d(x.reshape(1, 1, 1, 2, 3), (1, 1, 2))
    ),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_an_operator_is_torchs(call):
    x = sympy.Matrix([["3/2", "-1/4", "3/4"], ["-5/2", 3, "1/2"]])
    found = call(Symbols(x.tolist()))
    found = evaluated(found, {}) if isinstance(found, Symbols) else found
    assert_close(found, call(torch.tensor(x.tolist(), dtype=torch.float64)))

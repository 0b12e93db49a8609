"""einsum, tensordot, inner and outer, composed of views, sums and matrix products."""

from __future__ import annotations

import math
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.backends import opt_einsum

from manualgrad.functions.arithmetic.mul import MulFunction
from manualgrad.functions.arithmetic.sums import SumFunction
from manualgrad.functions.linear.matmul import MatmulFunction
from manualgrad.torch_api.autocast import cast_as
from manualgrad.torch_api.catalogue import answers
from manualgrad.torch_api.linear import dot

T = Tensor
_dynamo_is_tracing = torch.compiler.is_dynamo_compiling

_ELLIPSIS = "."  # ".3" is the fourth dimension of "...", counted from the last


@answers(torch.einsum)
def functional_einsum(*args: Any) -> Any:
    """Accept an equation and operands, or operands each with a list of dimension numbers, and optionally the output's list."""
    if len(args) < 2:
        return NotImplemented
    if isinstance(args[0], Tensor):
        n = len(args) // 2 * 2
        subscripts = ["".join(map(_letter, of_t)) for of_t in args[1:n:2]]
        output = "" if n == len(args) else "->" + "".join(map(_letter, args[-1]))
        equation, operands = ",".join(subscripts) + output, args[:n:2]
    else:
        equation, operands = args[0], args[1:]
        operands = tuple(operands[0]) if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    return einsum(equation, operands, path=_path(equation, operands))


def _letter(n: Any) -> str:
    return "..." if n is Ellipsis else string.ascii_letters[(n + 26) % 52] if 0 <= n < 52 else "?"


def _path(equation: str, operands: Sequence[Tensor]) -> list[int] | None:
    """Return the contraction order that opt_einsum finds, as torch.einsum does; None if opt_einsum is not installed."""
    if len(operands) < 3 or _dynamo_is_tracing() or not opt_einsum.enabled or not opt_einsum.is_available():
        return None
    found = opt_einsum.get_opt_einsum().contract_path(equation, *operands, optimize=opt_einsum.strategy)[0]
    return [k for pair in found for k in pair]


def einsum(equation: str, operands: Sequence[Tensor], *, path: Sequence[int] | None = None) -> Any:
    return cast_as({"cuda": "lower"}, tuple(operands), lambda *those: _einsum(equation, those, path))


def _einsum(equation: str, operands: Sequence[Tensor], path: Sequence[int] | None) -> Any:
    """Contract two operands at a time in the order of the path; first sum over the dimensions that nothing else needs."""
    named = _names(equation, operands)
    if named is None:
        return NotImplemented
    names, output = named
    terms = [_with_names_once(t, of_t) for t, of_t in zip(operands, names, strict=True)]
    pairs = path or [0, 1] * (len(terms) - 1)
    for i, j in zip(pairs[::2], pairs[1::2], strict=False):
        a, b = terms[i], terms[j]
        terms = [term for k, term in enumerate(terms) if k not in (i, j)]
        kept = set(output).union(*(names for _, names in terms))
        product = _product(*_summed(*a, kept.union(b[1])), *_summed(*b, kept.union(a[1])), kept)
        terms = [*terms, product] if path else [product, *terms]
    t, of_t = _summed(*terms[0], set(output))
    order = [of_t.index(name) for name in output]
    return _permuted(t, order) if len(operands) > 1 else t.permute(order)


def _names(equation: str, operands: Sequence[Tensor]) -> tuple[list[list[str]], list[str]] | None:
    """Return the dimension names of each operand and of the output; None if the equation does not match the operands."""
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    subscripts = inputs.split(",")
    if len(subscripts) != len(operands):
        return None
    names = [_spelled_out(s, t.dim() - len(s.replace("...", ""))) for s, t in zip(subscripts, operands, strict=True)]
    found: list[list[str]] = []
    for of_t, t in zip(names, operands, strict=True):
        if of_t is None or len(of_t) != t.dim():
            return None
        found.append(of_t)
    every = [name for of_t in found for name in of_t]
    dots = sorted({name for name in every if name.startswith(_ELLIPSIS)}, key=lambda name: -int(name[1:]))
    if not arrow:
        counts = Counter(every)
        return found, [*dots, *sorted(name for name, n in counts.items() if n == 1 and name not in dots)]
    wanted = _spelled_out(output, len(dots) if "..." in output else 0)
    if wanted is None or len(set(wanted)) != len(wanted) or not set(wanted) <= set(every):
        return None
    sizes: dict[str, int] = {}
    for of_t, t in zip(found, operands, strict=True):
        for name, n in zip(of_t, t.shape, strict=True):
            if n != 1 and sizes.setdefault(name, n) != n:
                return None
    return found, wanted


def _spelled_out(subscript: str, dots: int) -> list[str] | None:
    """Return the names in a subscript like "a...b", one per dimension of the ellipsis; None if the subscript is invalid."""
    before, ellipsis, behind = subscript.partition("...")
    if dots < 0 or (dots and not ellipsis) or not all(c.isascii() and c.isalpha() for c in before + behind):
        return None
    return [*before, *(f"{_ELLIPSIS}{i}" for i in reversed(range(dots))), *behind]


def _with_names_once(t: Tensor, names: list[str]) -> tuple[Tensor, list[str]]:
    """Take the diagonal of dimensions that share a name."""
    for name in set(names) if len(set(names)) < len(names) else ():
        while names.count(name) > 1:
            i = names.index(name)
            j = names.index(name, i + 1)
            t = t.diagonal(0, i, j)
            names = [other for k, other in enumerate(names) if k not in (i, j)] + [name]
    return t, names


def _summed(t: Tensor, names: list[str], kept: set[str]) -> tuple[Tensor, list[str]]:
    """Sum over the dimensions that are not kept."""
    dims = tuple(d for d, name in enumerate(names) if name not in kept)
    if not dims:
        return t, names
    return SumFunction.apply(t, dims, False), [name for name in names if name in kept]


def _product(a: Tensor, of_a: list[str], b: Tensor, of_b: list[str], kept: set[str]) -> tuple[Tensor, list[str]]:
    """Multiply as matrices, batched over the shared dimensions that are kept; return the product and its dimension names."""
    a, of_a = _without_ones(a, of_a, of_b)
    b, of_b = _without_ones(b, of_b, of_a)
    both = [name for name in of_a if name in of_b]
    batch, summed = [n for n in both if n in kept], [n for n in both if n not in kept]
    rows, columns = [n for n in of_a if n not in both], [n for n in of_b if n not in both]
    sizes = dict(zip((*of_b, *of_a), (*b.shape, *a.shape), strict=True))
    names = [*batch, *rows, *columns]
    if not summed:  # elementwise, as in PyTorch: the row and column dimensions are broadcast
        a = _permuted(a, [of_a.index(name) for name in (*batch, *rows)])
        b = _permuted(b, [of_b.index(name) for name in (*batch, *columns)])
        a = _shaped(a, [*a.shape, *[1] * len(columns)])
        return MulFunction.apply(a, _shaped(b, [*b.shape[: len(batch)], *[1] * len(rows), *b.shape[len(batch) :]])), names
    A = _as_matrices(a, of_a, sizes, batch, rows, summed)
    B = _as_matrices(b, of_b, sizes, batch, summed, columns)
    return _shaped(MatmulFunction.apply(A, B), [sizes[name] for name in names]), names


def _without_ones(t: Tensor, names: list[str], others: list[str]) -> tuple[Tensor, list[str]]:
    """Squeeze dimensions of size 1 that the other operand has too: broadcasting expands them."""
    dims = [d for d, name in enumerate(names) if t.shape[d] == 1 and name in others]
    if not dims:
        return t, names
    return t.squeeze(dims), [name for d, name in enumerate(names) if d not in dims]


def _as_matrices(
    t: Tensor, names: list[str], sizes: dict[str, int], batch: list[str], rows: list[str], columns: list[str]
) -> Tensor:
    order = [names.index(name) for name in (*batch, *rows, *columns)]
    shape = [math.prod([sizes[name] for name in group]) for group in (rows, columns)]
    return _shaped(_permuted(t, order), [*(sizes[name] for name in batch), *shape])


# Skip a view that changes nothing: it would add a node to the graph.


def _permuted(t: Tensor, order: list[int]) -> Tensor:
    return t if order == list(range(len(order))) else t.permute(order)


def _shaped(t: Tensor, shape: list[int]) -> Tensor:
    return t if list(t.shape) == shape else t.reshape(shape)


@answers(torch.tensordot)
def functional_tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Any:
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.dim(), b.dim()):
            return NotImplemented
        dims = list(range(-dims, 0)), list(range(dims))
    if not isinstance(dims, (tuple, list)) or len(dims) != 2:
        return NotImplemented
    dims_a, dims_b = ([d] if isinstance(d, int) else list(d) for d in dims)
    return tensordot(a, b, dims_a, dims_b)


def tensordot(a: Tensor, b: Tensor, dims_a: Sequence[int], dims_b: Sequence[int]) -> Any:
    if a.dim() == b.dim() == len(dims_a) == 1:
        return dot(a, b)
    policy: dict[str, Any] = {"cuda": "widest"}
    if (
        math.prod(_left_over(a, dims_a)) == math.prod(_left_over(b, dims_b)) == 1
    ):  # PyTorch sums elementwise products, which it does not cast
        policy["cpu"] = None
    return cast_as(policy, (a, b), lambda a, b: _tensordot(a, b, dims_a, dims_b))


def _left_over(t: Tensor, dims: Sequence[int]) -> list[int]:
    return [side for d, side in enumerate(t.shape) if d not in dims and d - t.dim() not in dims]


def _tensordot(a: Tensor, b: Tensor, dims_a: Sequence[int], dims_b: Sequence[int]) -> Any:
    if len(dims_a) != len(dims_b) or a.dtype != b.dtype:
        return NotImplemented
    dims_a, dims_b = [d % max(a.dim(), 1) for d in dims_a], [d % max(b.dim(), 1) for d in dims_b]
    if len(set(dims_a)) != len(dims_a) or len(set(dims_b)) != len(dims_b):
        return NotImplemented
    for d, e in zip(dims_a, dims_b, strict=True):
        if a.shape[d] == 1 != b.shape[e]:  # broadcasting
            b = SumFunction.apply(b, (e,), True)
        elif b.shape[e] == 1 != a.shape[d]:
            a = SumFunction.apply(a, (d,), True)
        if a.shape[d] != b.shape[e]:
            return NotImplemented
    rows, columns = ([d for d in range(t.dim()) if d not in dims] for t, dims in ((a, dims_a), (b, dims_b)))
    summed = math.prod([a.shape[d] for d in dims_a])
    of_rows, of_columns = [a.shape[d] for d in rows], [b.shape[d] for d in columns]
    A = a.permute(rows + dims_a).reshape(math.prod(of_rows), summed)
    B = b.permute(dims_b + columns).reshape(summed, math.prod(of_columns))
    return MatmulFunction.apply(A, B).reshape(of_rows + of_columns)


@answers(torch.inner, T.inner)
def inner(input: Tensor, other: Tensor) -> Any:
    if not input.dim() or not other.dim():
        return MulFunction.apply(input, other)
    return tensordot(input, other, [-1], [-1]) if input.shape[-1] == other.shape[-1] else NotImplemented


@answers(torch.outer, T.outer, torch.ger, T.ger)
def outer(input: Tensor, vec2: Tensor) -> Any:
    if input.dim() != 1 or vec2.dim() != 1:
        return NotImplemented
    return MulFunction.apply(input.unsqueeze(1), vec2)

"""Gradients of networks by computer algebra: the chain rule by hand, compared with SymPy's derivative.

`derive` builds the cost of a whole network as one expression in its parameters, and its gradient twice: factor by factor,
as on paper, and by `sympy.diff` of the whole expression. Their difference simplifies to 0.

Layers are counted from 1 to L here (a⁽⁰⁾ is the input), neurons and examples from 0. w⁽²⁾₁₀ connects neuron 0 of layer 1 to
neuron 1 of layer 2; if every layer has one neuron, the indices are omitted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
from sympy import Add, Expr, Function, Integer, Mul, Rational, Symbol

from manualgrad.symbolic.notation import subscript, superscript

__all__ = ["Derivation", "Factor", "cost_expression", "derive", "sigma", "sigma_prime", "vanishing"]


class sigma_prime(Function):  # type: ignore[misc]
    """σ′, the derivative of an unspecified activation function."""


class sigma(Function):  # type: ignore[misc]
    """σ, an unspecified activation function."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return sigma_prime(self.args[0])


@dataclass(frozen=True)
class Factor:
    """One factor of the chain rule, ∂`of`/∂`by` = `value`."""

    of: Symbol
    by: Symbol
    value: Expr


@dataclass(frozen=True)
class Derivation:
    """The cost of a network and its gradient, derived twice.

    Attributes:
        W, b: the parameters of each layer, W[l][j][k] and b[l][j]; l = 0 is the first layer.
        x, y: the inputs and the desired outputs of each example, x[e][k] and y[e][j].
        cost: the whole cost in these symbols, the average of Σ_j (a_j − y_j)² over the examples.
        paths: parameter -> the products of factors from the cost back to it, for the first example. There is one product for
            each path through the network; they add up.
        by_chain_rule: parameter -> ∂C/∂parameter, the sum over the paths with z and a substituted, averaged over the examples.
        by_sympy: parameter -> `sympy.diff(cost, parameter)`.
    """

    sizes: tuple[int, ...]
    activation: str
    W: list[list[list[Symbol]]]
    b: list[list[Symbol]]
    x: list[list[Symbol]]
    y: list[list[Symbol]]
    cost: Expr
    paths: dict[Symbol, list[list[Factor]]]
    by_chain_rule: dict[Symbol, Expr]
    by_sympy: dict[Symbol, Expr]

    @property
    def parameters(self) -> list[Symbol]:
        """Each layer's weights, row by row, then its biases: the order of a model's flattened parameters."""
        return [p for W, b in zip(self.W, self.b, strict=True) for p in (*itertools.chain(*W), *b)]

    def difference(self, parameter: Symbol) -> Expr:
        """Return the chain rule's derivative minus SymPy's, simplified: 0."""
        return vanishing(self.by_chain_rule[parameter] - self.by_sympy[parameter])

    def lambdify(self) -> Callable[..., list[float]]:
        """Return SymPy's gradient as a numeric function of (parameters, x, y), each a flat list in the order above."""
        arguments = [self.parameters, list(itertools.chain(*self.x)), list(itertools.chain(*self.y))]
        return sympy.lambdify(arguments, [self.by_sympy[p] for p in self.parameters], modules=["math", _NUMBERS], cse=True)


_NUMBERS = {"Heaviside": lambda z, at_0: at_0 if z == 0 else float(z > 0), "Max": max}


def derive(sizes: Sequence[int], activation: str = "sigma", examples: int = 1) -> Derivation:
    """Derive the gradient of the cost for every parameter of a network, by the chain rule and by SymPy.

    Args:
        sizes: the number of neurons in each layer, from the inputs to the outputs, such as (1, 1, 1, 1). Keep them small.
        activation: "sigma" (an unspecified function), "sigmoid", "relu" or "tanh".
        examples: the number of examples that the cost averages over.

    Raises:
        ValueError: when an argument is invalid.

    Example:
        >>> d = derive((1, 1))
        >>> d.by_chain_rule[d.W[0][0][0]]
        2*a⁽⁰⁾*(-y + sigma(a⁽⁰⁾*w⁽¹⁾ + b⁽¹⁾))*sigma_prime(a⁽⁰⁾*w⁽¹⁾ + b⁽¹⁾)
        >>> d.difference(d.W[0][0][0])
        0
    """
    sizes = tuple(sizes)
    if len(sizes) < 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ValueError(f"derive: sizes must be two or more positive integers, got {sizes}")
    if activation not in _SIGMA:
        raise ValueError(f"derive: activation must be one of {', '.join(_SIGMA)}, got {activation!r}")
    if examples < 1:
        raise ValueError(f"derive: examples must be at least 1, got {examples}")
    names = _Names(sizes, examples)
    W = [
        [[names.neuron("w", l, j, k) for k in range(before)] for j in range(here)]
        for l, (before, here) in enumerate(itertools.pairwise(sizes), 1)
    ]
    b = [[names.neuron("b", l, j) for j in range(size)] for l, size in enumerate(sizes[1:], 1)]
    x = [[names.of_example("a", 0, k, e) for k in range(sizes[0])] for e in range(examples)]
    y = [[names.of_example("y", None, j, e) for j in range(sizes[-1])] for e in range(examples)]
    cost = cost_expression(W, b, x, y, activation)
    one_by_one = [_Chain(names, W, b, x[e], y[e], e, activation) for e in range(examples)]
    parameters = [p for W_l, b_l in zip(W, b, strict=True) for p in (*itertools.chain(*W_l), *b_l)]
    return Derivation(
        sizes=sizes,
        activation=activation,
        W=W,
        b=b,
        x=x,
        y=y,
        cost=cost,
        paths={p: one_by_one[0].paths[p] for p in parameters},
        by_chain_rule={p: Rational(1, examples) * Add(*(chain.gradient(p) for chain in one_by_one)) for p in parameters},
        by_sympy={p: _derivative(cost, p) for p in parameters},
    )


def cost_expression(W: Any, b: Any, x: Any, y: Any, activation: str, cost: str = "quadratic") -> Any:
    """Return the cost, averaged over the examples, as an expression in the symbols among the entries of W, b, x and y.

    Args:
        W, b: nested lists of numbers and symbols for each layer, W[l][j][k] and b[l][j]; x, y: the same for each example.
        activation: "sigma", "sigmoid", "relu" or "tanh".
        cost: "quadratic", Σ_j (a_j − y_j)²; or "cross-entropy", −Σ_j y_j log a_j with a = softmax(z) in the last layer.
    """
    costs = []
    for x_e, y_e in zip(x, y, strict=True):
        a = x_e
        for W_l, b_l in zip(W, b, strict=True):
            z = [sum(w * a_k for w, a_k in zip(row, a, strict=True)) + b_j for row, b_j in zip(W_l, b_l, strict=True)]
            a = [_SIGMA[activation](z_j) for z_j in z]
        if cost == "quadratic":
            costs.append(sum((a_j - y_j) ** 2 for a_j, y_j in zip(a, y_e, strict=True)))
        else:
            s = sympy.log(Add(*map(sympy.exp, z)))  # log a_j = z_j − s
            costs.append(sum(y_j * (s - z_j) for z_j, y_j in zip(z, y_e, strict=True)))
    return sum(costs) / Integer(len(costs))


def vanishing(expression: Expr) -> Expr:
    """Simplify an expression: to 0 if it is 0 when each function in it is replaced by an independent variable."""
    for atom in sorted(expression.atoms(Function), key=lambda atom: atom.count_ops(), reverse=True):  # from the outside in
        s = sympy.Dummy()
        # Write e⁻ᶻ in terms of σ(z) = 1 / (1 + e⁻ᶻ), which leaves a polynomial in σ.
        expression = expression.xreplace({atom: 1 / s - 1 if isinstance(atom, sympy.exp) else s})
    return sympy.cancel(expression.expand())


_SIGMA: dict[str, Callable[[Any], Expr]] = {
    "sigma": sigma,
    "sigmoid": lambda z: 1 / (1 + sympy.exp(-z)),
    "relu": lambda z: sympy.Max(z, 0),
    "tanh": lambda z: 2 / (1 + sympy.exp(-2 * z)) - 1,  # numerator and denominator of the definition divided by eᶻ
}
# By hand, in z and a = σ(z). ReLU has no derivative at its kink; 0 is used, as in PyTorch.
_SIGMA_PRIME: dict[str, Callable[[Any, Any], Expr]] = {
    "sigma": lambda z, a: sigma_prime(z),
    "sigmoid": lambda z, a: (1 - a) * a,
    "relu": lambda z, a: sympy.Heaviside(z, 0),
    "tanh": lambda z, a: 1 - a**2,
}


def _derivative(cost: Expr, parameter: Symbol) -> Expr:
    # SymPy uses 1/2 as the derivative of Max at the kink.
    return cost.diff(parameter).replace(sympy.Heaviside, lambda z, *_: sympy.Heaviside(z, 0))


class _Chain:
    """The chain rule for one example: paths of factors from the cost back to each parameter."""

    def __init__(self, names: _Names, W: Any, b: Any, x: list[Symbol], y: list[Symbol], e: int, activation: str) -> None:
        L = len(W)
        self.a = [x, *([names.of_example("a", l, j, e) for j in range(len(b[l - 1]))] for l in range(1, L + 1))]
        self.z = [[], *([names.of_example("z", l, j, e) for j in range(len(b[l - 1]))] for l in range(1, L + 1))]
        self.definitions: list[dict[Symbol, Expr]] = []  # of z and a, from the last layer to the first
        self.paths: dict[Symbol, list[list[Factor]]] = {}
        C = names.cost(e)
        to_a = [[[Factor(C, a_j, Mul(2, a_j - y_j, evaluate=False))]] for a_j, y_j in zip(self.a[L], y, strict=True)]
        for l in range(L, 0, -1):
            z, a, a_prev, W_l, b_l = self.z[l], self.a[l], self.a[l - 1], W[l - 1], b[l - 1]
            to_z = [
                [[Factor(a[j], z[j], _SIGMA_PRIME[activation](z[j], a[j])), *path] for path in to_a[j]] for j in range(len(a))
            ]
            for j in range(len(a)):
                self.paths[b_l[j]] = [[Factor(z[j], b_l[j], Integer(1)), *path] for path in to_z[j]]
                for k in range(len(a_prev)):
                    self.paths[W_l[j][k]] = [[Factor(z[j], W_l[j][k], a_prev[k]), *path] for path in to_z[j]]
            to_a = [
                [[Factor(z[j], a_prev[k], W_l[j][k]), *path] for j in range(len(a)) for path in to_z[j]]
                for k in range(len(a_prev))
            ]
            self.definitions += [
                {a_j: _SIGMA[activation](z_j) for a_j, z_j in zip(a, z, strict=True)},
                {z[j]: Add(*(w * a_k for w, a_k in zip(W_l[j], a_prev, strict=True)), b_l[j]) for j in range(len(z))},
            ]

    def gradient(self, parameter: Symbol) -> Expr:
        """Sum over the paths, and substitute a and z layer by layer until none is left."""
        total = Add(*(Mul(*(factor.value for factor in path)) for path in self.paths[parameter]))
        for definition in self.definitions:
            total = total.subs(definition)
        return total


class _Names:
    """Names of the symbols: w⁽²⁾₁₀; w⁽²⁾ if every layer has one neuron; with ₍₁₎ for example 1 of several."""

    def __init__(self, sizes: Sequence[int], examples: int) -> None:
        self.indexed = max(sizes) > 1
        self.examples = examples

    def neuron(self, letter: str, l: int, *indices: int) -> Symbol:
        return Symbol(letter + superscript(l) + (subscript(*indices) if self.indexed else ""), real=True)

    def of_example(self, letter: str, l: int | None, j: int, e: int) -> Symbol:
        layer = "" if l is None else superscript(l)
        example = f"₍{subscript(e)}₎" if self.examples > 1 else ""
        return Symbol(letter + layer + (subscript(j) if self.indexed else "") + example, real=True)

    def cost(self, e: int) -> Symbol:
        return Symbol("C" + subscript(e))

"""A test whether an expression is 0: rewrite it as a quotient of two polynomials.

Each function of symbols, and each non-integer power, becomes a new variable. Four identities relate these: e^(u + 2 v) is the
product of e^u and the square of e^v, √u squared is u, sin² is 1 − cos², and log(1 + e⁻ᵘ) is log(1 + eᵘ) − u. No others are
needed. A result of 0 holds for all values of the symbols.
"""

from __future__ import annotations

import functools

import sympy
from sympy import Dummy, Expr, Function, Pow

__all__ = ["left_of"]


def left_of(expression: Expr) -> Expr:
    """Return 0 if the expression is 0, else a nonzero remainder."""
    if not expression.free_symbols and expression.is_rational:
        return expression
    rewritten = _Rewritten()
    numerator, _ = sympy.fraction(sympy.together(rewritten.of(expression)))
    numerator = sympy.expand(numerator)
    for variable, relation in reversed(rewritten.relations.items()):
        if numerator.has(variable):
            numerator = sympy.prem(numerator, relation, variable) if numerator != 0 else numerator
    return sympy.expand(numerator)


class _Rewritten:
    """Rewrites expressions in integer powers of symbols and new variables."""

    def __init__(self) -> None:
        self.variables: dict[tuple[Expr, ...], Dummy] = {}
        self.roots: dict[tuple[Expr, Expr], int] = {}
        self.relations: dict[Dummy, Expr] = {}

    def of(self, expression: Expr) -> Expr:
        atoms = [atom for atom in expression.atoms(Function, Pow) if _is_opaque(atom)]
        outer = [atom for atom in atoms if not any(atom != other and other.has(atom) for other in atoms)]
        powers = {atom: _as_powers(atom) for atom in outer if isinstance(atom, (sympy.exp, Pow))}
        for factors in powers.values():
            for base, exponent, c in factors:
                self.roots[base, exponent] = sympy.ilcm(self.roots.get((base, exponent), 1), c.q)
        found = {atom: sympy.Mul(*(self.power(*factor) for factor in factors)) for atom, factors in powers.items()}
        found |= {atom: self.function(atom) for atom in outer if atom not in powers}
        return expression.xreplace(found)

    def power(self, base: Expr, exponent: Expr, c: Expr) -> Expr:
        """Return base^(c exponent) as an integer power of base^(exponent / q)."""
        q = self.roots[base, exponent]
        key = (base, exponent, sympy.Integer(q))
        if key not in self.variables:
            variable = self.variables[key] = Dummy()
            if exponent == 1 and base != sympy.E:
                above, below = sympy.fraction(sympy.together(self.of(base)))
                self.relations[variable] = sympy.expand(below * variable**q - above)
        return self.variables[key] ** int(c * q)

    def function(self, atom: Expr) -> Expr:
        found = sympy.expand_log(atom).replace(_log_of_one_and, _turned)
        if found != atom:
            return self.of(found)
        key = (atom,)
        if key not in self.variables:
            self.variables[key] = Dummy()
            if isinstance(atom, sympy.sin):
                cosine = self.function(sympy.cos(*atom.args))
                self.relations[self.variables[key]] = self.variables[key] ** 2 + cosine**2 - 1
        return self.variables[key]


def _is_opaque(atom: Expr) -> bool:
    return not (isinstance(atom, Pow) and atom.exp.is_integer and atom.exp.is_number)


def _log_of_one_and(atom: Expr) -> bool:
    """Return whether it is log(1 + e⁻ᵘ)."""
    if not isinstance(atom, sympy.log):
        return False
    power = atom.args[0] - 1
    return isinstance(power, sympy.exp) and power.args[0].could_extract_minus_sign()


def _turned(atom: Expr) -> Expr:
    u = -(atom.args[0] - 1).args[0]
    return sympy.log(1 + sympy.exp(u)) - u


@functools.cache
def _as_powers(atom: Expr) -> list[tuple[Expr, Expr, Expr]]:
    """Split e^(u + 2 v) into (e, u, 1) and (e, v, 2); the last number is rational."""
    base, exponent = (sympy.E, atom.args[0]) if isinstance(atom, sympy.exp) else atom.as_base_exp()
    terms = [term.as_coeff_Mul() for term in sympy.Add.make_args(sympy.expand(exponent))]
    return [(base, rest, c) if c.is_Rational else (base, c * rest, sympy.Integer(1)) for c, rest in terms]

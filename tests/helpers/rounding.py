"""How far off a number may be that is computed in float32 or half precision: a bound that no library's own error is part of.

Each rounding changes a number by a factor 1 + δ with |δ| ≤ eps / 2. D is the largest change of a result in float64 when every
input, and every number that PyTorch computes on the way, is changed by a factor 1 ± eps, one sign for each number. So it has
the scale of the terms, also where they cancel. Computed in other steps, a result is rounded as often, or twice as often. A sum
of n terms is rounded up to n times on the way, depending on the order. These roundings have either sign, so that they add up to
√n of one (Higham and Mary, 2019, "A new approach to probabilistic rounding error analysis"), in the dtype in which sums are
accumulated: float32 for half precision. Last, the result is rounded to its dtype, where numbers next to 0 have gaps, too:

    |error| ≤ (2 + √n · eps_accumulated / eps) · D + eps_result · max |exact| + the smallest number above 0
"""

import math

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

DRAWS = 6


def bounds(call, arguments, dtype, terms):
    """call(*arguments), a list of tensors in float64; and of each a function: how far off it may be as a result of some dtype.

    Args:
        dtype: in which the numbers on the way are computed.
        terms: how many numbers a sum has at most.
    """
    exact = call(*arguments)
    eps = torch.finfo(dtype).eps
    changed = [0.0] * len(exact)
    for draw in range(DRAWS):
        with OffByRounding(eps, draw) as off:
            results = call(*off.inputs(arguments))
        changed = [max(d, largest(r - e)) for d, r, e in zip(changed, results, exact, strict=True)]
    times = 2 + math.sqrt(terms) * min(1, torch.finfo(torch.float32).eps / eps)

    def bound(d, e):
        def of(dtype):
            kind = torch.finfo(dtype)
            return times * d + kind.eps * largest(e) + kind.smallest_normal * kind.eps

        return of

    return exact, [bound(d, e) for d, e in zip(changed, exact, strict=True)]


def largest(t):
    """The largest absolute value; 0 where there is none, and for what is not finite."""
    t = t.detach()
    return torch.where(t.isfinite(), t.abs(), 0).max().item() if t.numel() else 0.0


class OffByRounding(TorchDispatchMode):
    """Inside, every number that an operator computes is off by a factor 1 ± eps.

    Equal numbers are off alike, so that ties stay ties; and what lies between −1 and 1, as a probability, stays there.
    """

    def __init__(self, eps, draw):
        super().__init__()
        self.eps, self.draw = eps, draw

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func.is_view:
            return out
        if func._schema.is_mutable:
            tree_map(lambda t: t.copy_(self.off(t)) if is_number(t) else t, out)
            return out
        return tree_map(lambda t: self.off(t) if is_number(t) else t, out)

    def inputs(self, tree):
        return tree_map(lambda t: self.off(t.detach()).requires_grad_(t.requires_grad) if is_number(t) else t, tree)

    def off(self, t):
        signs = torch.sin((t.real if t.is_complex() else t) * (1e4 + 1e3 * self.draw) + self.draw + 1).sign()
        changed = t * (1 + self.eps * signs)
        return changed if t.is_complex() else torch.where(t.abs() <= 1, changed.clamp(-1, 1), changed)


def is_number(t):
    """Not the zeros that autograd keeps no memory for, either."""
    return isinstance(t, torch.Tensor) and (t.is_floating_point() or t.is_complex()) and not t._is_zerotensor()

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

DRAWS = 64  # at most: each may only raise the bound, and the first few nearly always do


class Bounds:
    """call(*arguments), a list of tensors in float64, and of each how far off it may be as a result of some dtype.

    Args:
        dtype: in which the numbers on the way are computed.
        terms: how many numbers a sum has at most.
    """

    def __init__(self, call, arguments, dtype, terms):
        self.call, self.arguments, self.eps = call, arguments, torch.finfo(dtype).eps
        self.exact = call(*arguments)
        self.changed = [0.0] * len(self.exact)
        self.draws = 0
        self.times = 2 + math.sqrt(terms) * min(1, torch.finfo(torch.float32).eps / self.eps)

    def check(self, i, result):
        """Raise unless result i is within its bound."""
        error = largest(result - self.exact[i])
        while error > self.bound(i, result.dtype) and self.draws < DRAWS:
            self.draw()
        assert error <= self.bound(i, result.dtype), f"{i}: off by {error:.3g}, allowed {self.bound(i, result.dtype):.3g}"

    def bound(self, i, dtype):
        kind = torch.finfo(dtype)
        return self.times * self.changed[i] + kind.eps * largest(self.exact[i]) + kind.smallest_normal * kind.eps

    def draw(self):
        with OffByRounding(self.eps, self.draws) as off:
            results = self.call(*off.inputs(self.arguments))
        self.draws += 1
        changes = [largest(r - e) for r, e in zip(results, self.exact, strict=True)]
        self.changed = [max(pair) for pair in zip(self.changed, changes, strict=True)]


def largest(t):
    """The largest absolute value; 0 where there is none, and for what is not finite."""
    t = t.detach()
    return torch.where(t.isfinite(), t.abs(), 0).max().item() if t.numel() else 0.0


# What these return is among what they are given, and is compared with it again.
CHOOSES = frozenset(
    [
        "amax",
        "amin",
        "aminmax",
        "max",
        "min",
        "maximum",
        "minimum",
        "median",
        "nanmedian",
        "kthvalue",
        "mode",
        "sort",
        "topk",
        "cummax",
        "cummin",
        "_cummax_helper",
        "gather",
        "index_select",
        "index",
        "take",
        "clone",
        "_to_copy",
        "where",
    ]
)


class OffByRounding(TorchDispatchMode):
    """Inside, every number that an operator computes is off by a factor 1 ± eps.

    Equal numbers are off alike, so that ties stay ties; and what lies between −1 and 1, as a probability, stays there.
    """

    def __init__(self, eps, draw):
        super().__init__()
        self.eps, self.draw = eps, draw

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func.is_view or func._schema.name.removeprefix("aten::") in CHOOSES:
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

"""What the normalizations have in common: the M numbers x_i of a set are brought to mean 0 and variance 1, then scaled.

    m = Σ_i x_i / M        r = 1 / √(Σ_i (x_i − m)² / M + ε)        x̂_i = (x_i − m) r        y_i = w x̂_i + b

They differ in what a set is: a channel of a batch, a group of channels of an example, an example. w and b may differ within it.

Backward. Let g_i = ∂C/∂y_i, and h_i = ∂C/∂x̂_i = w g_i. m and r are outputs too, and g_m and g_r what comes back to them from
outside: nothing in a network, and second derivatives. x_i reaches the cost by its own x̂_i, and by m and r, which are in every x̂
of its set:

    ∂m/∂x_i = 1/M          ∂r/∂x_i = −r³ (x_i − m) / M          (as Σ (x − m) = 0, r does not change with m)
    ∂x̂_i/∂m = −r           ∂x̂_i/∂r = x_i − m

    ∂C/∂m = g_m − r Σ h                 ∂C/∂r = g_r + Σ (x − m) h
    ∂C/∂x_i = r h_i + (∂C/∂m − r³ (x_i − m) ∂C/∂r) / M
            = r (h_i + slope · (x_i − m) + constant) + g_m / M          slope and constant are alike for the whole set:

    slope = −r (r (Σ (x − m) h + g_r)) / M                      constant = −Σ h / M

where r³ is not formed: of numbers 1e13 apart it is too small for float32. r is multiplied in one at a time, each with what it
scales: r (x − m) and r Σ (x − m) h have the size of x̂ and of Σ h, whatever the size of x.

w and b are in many y, over which is summed:

    ∂C/∂w = Σ x̂ g = Σ r (x − m) g        ∂C/∂b = Σ g

Forward mode, with x̂dx the mean of x̂ dx over the set:

    x̂dx = Σ x̂ dx / M        dm = Σ dx / M        dr = −r³ Σ (x − m) dx / M = −r (r x̂dx)
    dx̂_i = r (dx_i − dm) + (x_i − m) dr = r (dx_i − dm − x̂_i x̂dx)        dy = w dx̂ + x̂ dw + db
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manualgrad.functions._upcast import upcast_half

__all__ = ["scaled", "shaped", "slope_and_constant", "tangents", "weighted"]


def slope_and_constant(sum_h: Tensor, sum_h_from_m: Tensor, r: Tensor, g_r: Tensor | None, M: int) -> tuple[Tensor, Tensor]:
    """Of each set, where Σ h, Σ (x − m) h and r are of each set."""
    dC_dr = sum_h_from_m if g_r is None else sum_h_from_m + g_r
    return r * (r * dC_dr) / -M, sum_h / -M


def tangents(
    x: Tensor, dx: Tensor | None, m: Tensor, r: Tensor, dims: tuple[int, ...]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x̂, dx̂, dm and dr, for sets that lie in these dimensions of x, where m and r have 1."""
    x = upcast_half(x)
    dx = torch.zeros_like(x) if dx is None else upcast_half(dx)
    xhat = r * (x - m)
    dm, xhat_dx = dx.mean(dims, keepdim=True), (xhat * dx).mean(dims, keepdim=True)
    return xhat, r * (dx - dm - xhat * xhat_dx), dm, -r * (r * xhat_dx)


def scaled(xhat: Tensor, dxhat: Tensor, w: Tensor | None, dw: Tensor | None, db: Tensor | None) -> Tensor:
    """dy, of what broadcasts."""
    dy = dxhat if w is None else dxhat * upcast_half(w)
    dy = dy if dw is None else dy + xhat * upcast_half(dw)
    return dy if db is None else dy + upcast_half(db)


def shaped(t: Tensor | None, *shape: int) -> Any:
    """t in this shape, where there is a t."""
    return None if t is None else t.reshape(shape)


def weighted(w: Tensor | None, t: Tensor) -> Tensor:
    """w t, of what broadcasts."""
    return t if w is None else upcast_half(w) * t

"""Normalization, attention and losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy
import sympy

from manualgrad.symbolic.comparisons import sign
from manualgrad.symbolic.operators._arrays import Array, entrywise
from manualgrad.symbolic.operators.piecewise import absolute, greater, where
from manualgrad.symbolic.operators.sums import logsumexp, mean, softmax, total, variance

__all__ = ["TABLE"]

Sizes = Sequence[int]


def batch_norm(
    x: Array, w: Any, b: Any, running_mean: Any, running_var: Any, training: bool, momentum: Any, eps: Any
) -> tuple[Array, Array, Array]:
    """y = w (x − m) r + b, m and r; the running statistics are moved in training, but no derivative is taken of that."""
    dims = (0, *range(2, x.ndim))
    m, v = (mean(x, dims), variance(x, dims, 0)) if training else (running_mean, running_var)
    r = (v + eps) ** sympy.Rational(-1, 2)
    y = scaled((x - of_channels(m, x)) * of_channels(r, x), w, b, lambda t: of_channels(t, x))
    return y, m, r


def layer_norm(x: Array, shape: Sizes, w: Any, b: Any, eps: Any) -> tuple[Array, Array, Array]:
    dims = tuple(range(x.ndim - len(shape), x.ndim))
    m, r = mean(x, dims, True), (variance(x, dims, 0, True) + eps) ** sympy.Rational(-1, 2)
    return scaled((x - m) * r, w, b), m, r


def group_norm(x: Array, w: Any, b: Any, N: int, C: int, HxW: int, groups: int, eps: Any) -> tuple[Array, Array, Array]:
    apart = x.reshape(N, groups, C // groups * HxW)
    m, r = mean(apart, 2, True), (variance(apart, 2, 0, True) + eps) ** sympy.Rational(-1, 2)
    y = scaled(((apart - m) * r).reshape(x.shape), w, b, lambda t: of_channels(t, x))
    return y, m[..., 0], r[..., 0]


def scaled(xhat: Array, w: Any, b: Any, standing: Callable[[Array], Array] = lambda t: t) -> Array:
    y = xhat if w is None else xhat * standing(w)
    return y if b is None else y + standing(b)


def of_channels(t: Array, x: Array) -> Array:
    return t.reshape(-1, *[1] * (x.ndim - 2))


def attention(
    Q: Array, K: Array, V: Array, dropout: Any, is_causal: bool, attn_mask: Any = None, scale: Any = None
) -> tuple[Array, Array]:
    """softmax(Q Kᵀ scale + mask) V, and the logarithm of the sum that the softmax divides by."""
    scores = Q @ K.swapaxes(-1, -2) * (1 / sympy.sqrt(Q.shape[-1]) if scale is None else scale)
    scores = scores if attn_mask is None else scores + attn_mask
    scores = where(numpy.tri(*scores.shape[-2:], dtype=bool), scores, -sympy.oo) if is_causal else scores
    return softmax(scores, -1) @ V, logsumexp(scores, -1)


def reduced(C: Array, reduction: int) -> Array:
    return (C, mean(C), total(C))[reduction] if reduction else C


def mse_loss(a: Array, y: Array, reduction: int) -> Array:
    return reduced((a - y) ** 2, reduction)


def huber_loss(a: Array, y: Array, reduction: int, delta: Any) -> Array:
    return reduced(entrywise(lambda e: e**2 / 2 if sign(e, delta) < 0 else delta * (e - delta / 2))(distance(a, y)), reduction)


def smooth_l1_loss(a: Array, y: Array, reduction: int, beta: Any) -> Array:
    return reduced(entrywise(lambda e: e**2 / (2 * beta) if sign(e, beta) < 0 else e - beta / 2)(distance(a, y)), reduction)


def distance(a: Array, y: Array) -> Array:
    return entrywise(absolute)(a - y)


def binary_cross_entropy(p: Array, y: Array, w: Any, reduction: int) -> Array:
    """The logarithms are kept above −100."""
    log = entrywise(lambda p: greater(sympy.log(p), -100))
    return reduced(-(1 if w is None else w) * (y * log(p) + (1 - y) * log(1 - p)), reduction)


def binary_cross_entropy_with_logits(z: Array, y: Array, w: Any, positive_w: Any, reduction: int) -> Array:
    log_sigma = entrywise(lambda z: -sympy.log(1 + sympy.exp(-z)))
    of_positive = y * log_sigma(z) * (1 if positive_w is None else positive_w)
    return reduced(-(1 if w is None else w) * (of_positive + (1 - y) * log_sigma(-z)), reduction)


TABLE: dict[str, Callable[..., Any]] = {
    "native_batch_norm": batch_norm,
    "native_layer_norm": layer_norm,
    "native_group_norm": group_norm,
    "_scaled_dot_product_flash_attention_for_cpu": attention,
    "mse_loss": mse_loss,
    "huber_loss": huber_loss,
    "smooth_l1_loss": smooth_l1_loss,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
}

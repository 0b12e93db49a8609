"""Forward and backward of a call that one Function answers, torch's and inside by_hand: each function makes one.

A call's first input has n rows of 512 numbers, or n images of 8 channels and 8 × 8 places.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad import by_hand

Step = Callable[[], Tensor]
Call = tuple[Callable[..., Tensor], tuple[Tensor, ...]]  # and what it is called with; the floating-point inputs get gradients

M = 512


def _x(n: int, *shape: int) -> Tensor:
    return torch.randn(n, *(shape or (M,)))


def _positive(n: int) -> Tensor:
    return torch.rand(n, M) + 0.5


def _images(n: int) -> Tensor:
    return _x(n, 8, 8, 8)


def _heads(n: int) -> Tensor:
    return _x(max(1, n // 8), 4, 32, 32)


def _probabilities(n: int) -> Tensor:
    return torch.rand(n, M).softmax(1)


def _mask(n: int) -> Tensor:
    return torch.rand(n, M) < 0.5


def _rows(n: int) -> Tensor:
    return torch.randint(n, (n,))


def _columns(n: int) -> Tensor:
    return torch.rand(n, M).argsort(1)


def _of(call: Callable[..., Tensor], *makers: Callable[[int], Tensor]) -> Callable[[int], Call]:
    return lambda n: (call, tuple(make(n) for make in makers))


def _each(make: Callable[[int], Tensor], **calls: Callable[..., Tensor]) -> dict[str, Callable[[int], Call]]:
    """Calls of one tensor."""
    return {name: _of(call, make) for name, call in calls.items()}


def _constant(
    make: Callable[[int], Tensor], call: Callable[..., Tensor], *makers: Callable[[int], Tensor]
) -> Callable[[int], Call]:
    """With a last argument that gets no gradient."""

    def made(n: int) -> Call:
        last = make(n)
        return lambda *inputs: call(*inputs, last), tuple(make(n) for make in makers)

    return made


def _weights(*shape: int) -> Callable[[int], Tensor]:
    return lambda n: torch.rand(shape)


CALLS: dict[str, Callable[[int], Call]] = {
    # elementary functions
    **_each(
        _x,
        Neg=torch.neg,
        Exp=torch.exp,
        Expm1=torch.expm1,
        Square=torch.square,
        Sin=torch.sin,
        Cos=torch.cos,
        Erf=torch.erf,
        Abs=torch.abs,
        Floor=torch.floor,
        Ceil=torch.ceil,
        Trunc=torch.trunc,
        Sign=torch.sign,
        Frac=torch.frac,
        Round=torch.round,
    ),
    **_each(_positive, Log=torch.log, Log1p=torch.log1p, Sqrt=torch.sqrt, Rsqrt=torch.rsqrt, Reciprocal=torch.reciprocal),
    # arithmetic
    "Add": _of(torch.add, _x, _x),
    "Mul": _of(torch.mul, _x, _x),
    "Div": _of(torch.div, _x, _positive),
    "Pow": _of(torch.pow, _positive, _positive),
    "Addcmul": _of(torch.addcmul, _x, _x, _x),
    "Addcdiv": _of(torch.addcdiv, _x, _x, _positive),
    "Lerp": _of(lambda a, b: torch.lerp(a, b, 0.25), _x, _x),
    "Fmod": _of(torch.fmod, _x, _positive),
    "Remainder": _of(torch.remainder, _x, _positive),
    "RoundedDiv": _of(lambda a, b: torch.div(a, b, rounding_mode="floor"), _x, _positive),
    "Cat": _of(lambda a, b: torch.cat([a, b]), _x, _x),
    "Sum": _of(lambda x: x.sum(1), _x),
    "Mean": _of(lambda x: x.mean(1), _x),
    "Var": _of(lambda x: x.var(1), _x),
    "Std": _of(lambda x: x.std(1), _x),
    "Logsumexp": _of(lambda x: x.logsumexp(1), _x),
    "Prod": _of(lambda x: x.prod(1), _positive),
    "Cumsum": _of(lambda x: x.cumsum(1), _x),
    "Cumprod": _of(lambda x: x.cumprod(1), _positive),
    "VectorNorm": _of(lambda x: torch.linalg.vector_norm(x, dim=1), _x),
    "CosineSimilarity": _of(F.cosine_similarity, _x, _x),
    # in order
    "Extreme": _of(lambda x: x.amax(1), _x),
    "ExtremeAlong": _of(lambda x: x.max(1).values, _x),
    "OneOfAll": _of(lambda x: x.max(), _x),
    "Topk": _of(lambda x: x.topk(5).values, _x),
    "Sort": _of(lambda x: x.sort(1).values, _x),
    "Kthvalue": _of(lambda x: x.kthvalue(3, 1).values, _x),
    "Median": _of(lambda x: x.median(1).values, _x),
    "Mode": _of(lambda x: x.mode(1).values, _x),
    # by cases
    "Clamp": _of(lambda x: x.clamp(-1, 1), _x),
    "ClampBy": _of(torch.clamp, _x, _x, _x),
    "Maximum": _of(torch.maximum, _x, _x),
    "Minimum": _of(torch.minimum, _x, _x),
    "Where": _constant(_mask, lambda a, b, mask: torch.where(mask, a, b), _x, _x),
    "MaskedFill": _constant(_mask, lambda x, mask: x.masked_fill(mask, 1.0), _x),
    # movement
    "Expand": _of(lambda x: x.expand(-1, M), lambda n: _x(n, 1)),
    "Pad": _of(lambda x: F.pad(x, (1, 1)), _x),
    "PadByIndex": _of(lambda x: F.pad(x, (1, 1), mode="reflect"), _x),
    "Flip": _of(lambda x: x.flip(1), _x),
    "Roll": _of(lambda x: x.roll(1, 1), _x),
    "Tril": _of(torch.tril, _x),
    "Triu": _of(torch.triu, _x),
    "Windows": _of(lambda x: x.unfold(1, 4, 2), _x),
    "Index": _constant(_rows, lambda x, rows: x[rows], _x),
    "IndexSelect": _constant(_rows, lambda x, rows: x.index_select(0, rows), _x),
    "Gather": _constant(_columns, lambda x, columns: x.gather(1, columns), _x),
    "Scatter": _constant(_columns, lambda x, v, columns: x.scatter(1, columns, v), _x, _x),
    "ScatterAdd": _constant(_columns, lambda x, v, columns: x.scatter_add(1, columns, v), _x, _x),
    "IndexAdd": _constant(_rows, lambda x, v, rows: x.index_add(0, rows, v), _x, _x),
    "IndexCopy": _constant(torch.randperm, lambda x, v, rows: x.index_copy(0, rows, v), _x, _x),
    "IndexFill": _constant(_rows, lambda x, rows: x.index_fill(0, rows, 1.0), _x),
    "IndexPut": _constant(torch.randperm, lambda x, v, rows: x.index_put((rows,), v), _x, _x),
    "MaskedScatter": _constant(_mask, lambda x, v, mask: x.masked_scatter(mask, v), _x, _x),
    "Unfold": _of(lambda x: F.unfold(x, 3, padding=1), _images),
    "Fold": _of(lambda x: F.fold(x, (8, 8), 2, stride=2), lambda n: _x(n, 32, 16)),
    # products
    "Linear": _of(F.linear, _x, _weights(M, M), _weights(M)),
    "Matmul": _of(torch.matmul, _x, _weights(M, M)),
    "Addmm": _of(torch.addmm, _x, _x, _weights(M, M)),
    "Convolution": _of(lambda x, K, b: F.conv2d(x, K, b, padding=1), _images, _weights(8, 8, 3, 3), _weights(8)),
    "TransposedConvolution": _of(
        lambda x, K, b: F.conv_transpose2d(x, K, b, stride=2, padding=1), _images, _weights(8, 8, 4, 4), _weights(8)
    ),
    "Embedding": _constant(lambda n: torch.randint(1000, (n,)), lambda W, i: F.embedding(i, W), _weights(1000, M)),
    "EmbeddingBag": _constant(
        lambda n: torch.randint(1000, (max(1, n // 4), 4)), lambda W, i: F.embedding_bag(i, W), _weights(1000, M)
    ),
    "Attention": _of(F.scaled_dot_product_attention, _heads, _heads, _heads),
    # pooling and interpolation
    "MaxPool": _of(lambda x: F.max_pool2d(x, 3, 2, 1), _images),
    "AvgPool": _of(lambda x: F.avg_pool2d(x, 3, 2, 1), _images),
    "AdaptiveAvgPool": _of(lambda x: F.adaptive_avg_pool2d(x, 2), _images),
    "Interpolate": _of(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), _images),
    # normalization
    "BatchNorm": _of(lambda x, w, b: F.batch_norm(x, None, None, w, b, True), _images, _weights(8), _weights(8)),
    "BatchNormEvaluation": _of(
        lambda x, w, b: F.batch_norm(x, torch.zeros(8), torch.ones(8), w, b), _images, _weights(8), _weights(8)
    ),
    "LayerNorm": _of(lambda x, w, b: F.layer_norm(x, (M,), w, b), _x, _weights(M), _weights(M)),
    "RMSNorm": _of(lambda x, w: F.rms_norm(x, (M,), w), _x, _weights(M)),
    "GroupNorm": _of(lambda x, w, b: F.group_norm(x, 2, w, b), _images, _weights(8), _weights(8)),
    "InstanceNorm": _of(lambda x, w, b: F.instance_norm(x, None, None, w, b), _images, _weights(8), _weights(8)),
    # activations
    **_each(
        _x,
        Sigmoid=torch.sigmoid,
        Tanh=torch.tanh,
        SiLU=F.silu,
        LogSigmoid=F.logsigmoid,
        Mish=F.mish,
        GELU=F.gelu,
        ReLU=torch.relu,
        LeakyReLU=F.leaky_relu,
        ELU=F.elu,
        Softplus=F.softplus,
        Softsign=F.softsign,
        Hardtanh=F.hardtanh,
        Hardsigmoid=F.hardsigmoid,
        Hardswish=F.hardswish,
        Hardshrink=F.hardshrink,
        Softshrink=F.softshrink,
        GLU=F.glu,
    ),
    "HardtanhInPlace": _of(lambda x: F.hardtanh(x + 0, inplace=True), _x),
    "Threshold": _of(lambda x: F.threshold(x, 0.5, 0.0), _x),
    "RReLU": _of(lambda x: F.rrelu(x, 0.25, 0.25, training=True), _x),  # of one slope, as each call draws others
    "PReLU": _of(F.prelu, _images, _weights(8)),
    "Softmax": _of(lambda x: x.softmax(1), _x),
    "LogSoftmax": _of(lambda x: x.log_softmax(1), _x),
    # losses
    "MSELoss": _constant(_x, F.mse_loss, _x),
    "L1Loss": _constant(_x, F.l1_loss, _x),
    "SmoothL1Loss": _constant(_x, F.smooth_l1_loss, _x),
    "HuberLoss": _constant(_x, F.huber_loss, _x),
    "KLDiv": _constant(_probabilities, lambda a, y: F.kl_div(a, y, reduction="batchmean"), _x),
    "LogKLDiv": _constant(_x, lambda a, t: F.kl_div(a, t, reduction="batchmean", log_target=True), _x),
    "BCELoss": _constant(_probabilities, F.binary_cross_entropy, _probabilities),
    "BCEWithLogitsLoss": _constant(_probabilities, F.binary_cross_entropy_with_logits, _x),
    "NLLLoss": _constant(lambda n: torch.randint(M, (n,)), F.nll_loss, _x),
    "ClassCrossEntropy": _constant(lambda n: torch.randint(M, (n,)), F.cross_entropy, _x),
    "CrossEntropy": _constant(_probabilities, F.cross_entropy, _x),
}


def torchs(name: str, n: int) -> Step:
    return _step(name, n, nullcontext)


def ours(name: str, n: int) -> Step:
    return _step(name, n, by_hand)


def _step(name: str, n: int, block: Any) -> Step:
    torch.manual_seed(0)
    call, made = CALLS[name](n)
    inputs = [t.requires_grad_() for t in made]
    with block():
        g = torch.rand_like(call(*inputs))

    def step() -> Tensor:
        with block():
            y = call(*inputs)
        return torch.autograd.grad(y, inputs, g)[0].flatten()[0]

    return step

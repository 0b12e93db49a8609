"""nan and infinity in an input, a target, a mask or a weight: the value and the gradients are numbers where PyTorch's are.

An entry that is left out by a mask, a class to be ignored, a weight of 0 or the choice of another spoils no other entry.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from samples import copy_of, inside
from torch.testing import assert_close

DOUBLE = torch.float64
WEIGHTS = torch.tensor([0.0, 1, 2], dtype=DOUBLE)
MASK = torch.tensor([True, False, True]).expand(4, 3)
CLASSES, CLASSES_OF_PLACES = torch.tensor([0, 2, -100, 1]), torch.tensor([[0, -100], [2, 1]])
SIGNS = torch.tensor([1, -1, 1])
NONE_OR_ALL = torch.tensor([0.0, 1, 0], dtype=DOUBLE).expand(4, 3)


def numbers(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE) * 0.8 + 0.1


A, B, C = (numbers(4, 3, seed=seed) for seed in range(3))
PLANES = numbers(2, 3, 2)


def weighted(loss, **more):
    return lambda a, y, **how: loss(a, y, weight=WEIGHTS.expand(4, 3), **more, **how)


LOSSES = {
    "mse_loss": (F.mse_loss, A, B),
    "mse_loss, weighted": (weighted(F.mse_loss), A, B),
    "l1_loss": (F.l1_loss, A, B),
    "smooth_l1_loss": (F.smooth_l1_loss, A, B),
    "huber_loss": (lambda a, y, **how: F.huber_loss(a, y, delta=0.3, **how), A, B),
    "huber_loss, weighted": (weighted(F.huber_loss, delta=0.3), A, B),
    "binary_cross_entropy": (F.binary_cross_entropy, A, B),
    "binary_cross_entropy, weighted": (weighted(F.binary_cross_entropy), A, B),
    "binary_cross_entropy_with_logits": (F.binary_cross_entropy_with_logits, A, B),
    "binary_cross_entropy_with_logits, weighted": (weighted(F.binary_cross_entropy_with_logits, pos_weight=WEIGHTS), A, B),
    "kl_div": (F.kl_div, A.log(), B),
    "kl_div of a target of 0": (lambda a, **how: F.kl_div(a, NONE_OR_ALL, **how), A.log()),
    "kl_div of a logarithm": (lambda a, y, **how: F.kl_div(a, y, log_target=True, **how), A.log(), B.log()),
    "cross_entropy": (lambda a, **how: F.cross_entropy(a, CLASSES, **how), A),
    "cross_entropy, weighted": (lambda a, **how: F.cross_entropy(a, CLASSES, weight=WEIGHTS, **how), A),
    "cross_entropy, smoothed": (lambda a, **how: F.cross_entropy(a, CLASSES, WEIGHTS, label_smoothing=0.1, **how), A),
    "cross_entropy of places": (lambda a, **how: F.cross_entropy(a, CLASSES_OF_PLACES, **how), PLANES),
    "cross_entropy of probabilities": (F.cross_entropy, A, B),
    "cross_entropy of certain probabilities": (lambda a, **how: F.cross_entropy(a, NONE_OR_ALL, **how), A),
    "nll_loss": (lambda a, **how: F.nll_loss(a, CLASSES, **how), A),
    "nll_loss, weighted": (lambda a, **how: F.nll_loss(a, CLASSES, weight=WEIGHTS, **how), A),
    "nll_loss of places": (lambda a, **how: F.nll_loss(a, CLASSES_OF_PLACES, weight=WEIGHTS, **how), PLANES),
    "poisson_nll_loss": (F.poisson_nll_loss, A, B),
    "poisson_nll_loss, full": (lambda a, y, **how: F.poisson_nll_loss(a, y, log_input=False, full=True, **how), A, 4 * B),
    "gaussian_nll_loss": (F.gaussian_nll_loss, A, B, C),
    "hinge_embedding_loss": (lambda a, **how: F.hinge_embedding_loss(a, SIGNS, **how), 2 * A),
    "margin_ranking_loss": (lambda a, b, **how: F.margin_ranking_loss(a, b, SIGNS, margin=0.1, **how), A, B),
    "soft_margin_loss": (lambda a, **how: F.soft_margin_loss(a, SIGNS.double().expand(4, 3), **how), A),
    "triplet_margin_loss": (F.triplet_margin_loss, A, B, C),
    "triplet_margin_with_distance_loss": (F.triplet_margin_with_distance_loss, A, B, C),
    "cosine_embedding_loss": (lambda a, b, **how: F.cosine_embedding_loss(a, b, torch.tensor([1, -1, 1, -1]), **how), A, B),
    "multilabel_soft_margin_loss": (lambda a, y, **how: F.multilabel_soft_margin_loss(a, y, WEIGHTS, **how), A, B),
}
CHOICES = {
    "where": (lambda a, b: torch.where(MASK, a, b), A, B),
    "where of a logarithm": (lambda a: torch.where(MASK, a.log(), 0), A),
    "masked_fill": (lambda a: a.masked_fill(MASK, 0), A),
    "masked_fill by a tensor": (lambda a, b: a.masked_fill(MASK, b[0, 0]), A, B),
    "masked_select": (lambda a: a.masked_select(MASK), A),
    "masked_scatter": (lambda a, b: a.masked_scatter(MASK, b), A, B),
    "a mask as an index": (lambda a: a[MASK], A),
    "index_select": (lambda a: a.index_select(0, torch.tensor([0, 2])), A),
    "index_fill": (lambda a: a.index_fill(0, torch.tensor([0]), 0), A),
    "scatter": (lambda a, b: a.scatter(1, torch.tensor([[0], [1], [2], [0]]), b), A, B),
    "tril": (torch.tril, A),
    "softmax of what a mask left": (lambda a: a.masked_fill(MASK, -math.inf).softmax(1), A),
    "log_softmax of what a mask left": (lambda a: a.masked_fill(MASK, -math.inf).log_softmax(1), A),
    "logsumexp of what a mask left": (lambda a: a.masked_fill(MASK, -math.inf).logsumexp(1), A),
    "embedding": (lambda a: F.embedding(torch.tensor([0, 1, 2, 1]), a, padding_idx=1), A),
    "embedding_bag": (lambda a: F.embedding_bag(torch.tensor([[0, 1], [2, 1]]), a, padding_idx=1), A),
    "dropout": (F.dropout, A),
    "clamp": (lambda a: a.clamp(0.3, 0.6), A),
    "clamp by tensors": (lambda a, b, c: a.clamp(b, c), A, B, C),
    "maximum": (torch.maximum, A, B),
    "minimum": (torch.minimum, A, B),
    "amax": (lambda a: a.amax(1), A),
    "nanmedian": (lambda a: a.nanmedian(1)[0], A),
    "sort": (lambda a: a.sort(1)[0], A),
    "cummax": (lambda a: a.cummax(1)[0], A),
    "max_pool2d": (lambda a: F.max_pool2d(a, 2), numbers(1, 1, 4, 4)),
    "avg_pool2d": (lambda a: F.avg_pool2d(a, 2), numbers(1, 1, 4, 4)),
    "conv2d": (lambda a, w: F.conv2d(a, w, padding=1), numbers(1, 1, 4, 4), numbers(1, 1, 3, 3)),
    "interpolate": (lambda a: F.interpolate(a, scale_factor=2, mode="bilinear"), numbers(1, 1, 4, 4)),
    "layer_norm": (lambda a: F.layer_norm(a, (3,)), A),
    "batch_norm": (lambda a: F.batch_norm(a, None, None, training=True), A),
    "prelu": (lambda a, w: F.prelu(a - 0.5, w[0, :1]), A, B),
    "relu": (F.relu, A),
    "leaky_relu": (F.leaky_relu, A),
}
CASES = {
    **{
        f"{name}, {reduction}": (lambda *tensors, loss=loss, how=reduction: loss(*tensors, reduction=how), *tensors)
        for name, (loss, *tensors) in LOSSES.items()
        for reduction in ("none", "mean", "sum")
    },
    **CHOICES,
}


def value_and_gradients(function, tensors):
    tensors = copy_of([t.requires_grad_() for t in tensors])
    torch.manual_seed(1)
    y = function(*tensors)
    g = numbers(*y.shape, seed=7)
    return [y, *torch.autograd.grad(y, tensors, g, allow_unused=True, materialize_grads=True)]


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.few(40)
@pytest.mark.parametrize("case", CASES)
def test_a_number_that_is_nan_or_infinite_spoils_no_more_than_in_torchs(case):
    """Where torch's value or gradient is a number, ours is that number; where it is infinite or nan, ours may be a number."""
    function, *tensors = CASES[case]
    for i, tensor in enumerate(tensors):
        for place in range(tensor.numel()):
            for number in (math.nan, math.inf, -math.inf):
                spoilt = [t.detach().clone() for t in tensors]
                spoilt[i].view(-1)[place] = number
                try:
                    expected = value_and_gradients(function, spoilt)
                except (RuntimeError, ValueError):
                    continue  # torch refuses it: a probability that is nan
                for ours, torchs in zip(value_and_gradients(inside(function), spoilt), expected, strict=True):
                    assert_close(
                        torch.where(torchs.isfinite(), ours, 0), torchs.nan_to_num(0, 0, 0), msg=f"{i} {place} {number}"
                    )

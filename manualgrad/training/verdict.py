"""What a network takes an image for, or between which digits it cannot tell."""

from __future__ import annotations

from torch import Tensor

__all__ = ["LEAD", "UNSURE", "verdict"]

# Of MNIST's test images, 2 to 5 % of those that a network classifies right have a smaller lead, and 60 to 70 % of the others
# (784-16-16-10, 784-100-10 and a relu network 784-500-200-10); of drawings of three random strokes, 50 to 65 %.
# Of 784-128-10 with softmax and the cross entropy, which is sure more often: 2 % of those classified right, 50 % of the others.
LEAD = 0.5
UNSURE = f"unsure: the brightest output is less than {LEAD} above the second"


def verdict(a: Tensor) -> str:
    """ "7", or "unsure: 4 or 9" where the brightest output has no lead; the second only where it is half as bright at least.

    Args:
        a: [outputs], the activations.
    """
    (best, second), (j, k) = (t.tolist() for t in a.topk(2))
    if best - second >= LEAD:
        return str(j)
    return f"unsure: {j} or {k}" if second >= best / 2 else f"unsure: {j}"

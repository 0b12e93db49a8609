"""Losses."""

import torch

from manualgrad.nn.layers._derived import derived

BCELoss = derived(torch.nn.BCELoss)
BCEWithLogitsLoss = derived(torch.nn.BCEWithLogitsLoss)
CrossEntropyLoss = derived(torch.nn.CrossEntropyLoss)
HuberLoss = derived(torch.nn.HuberLoss)
KLDivLoss = derived(torch.nn.KLDivLoss)
L1Loss = derived(torch.nn.L1Loss)
NLLLoss = derived(torch.nn.NLLLoss)
SmoothL1Loss = derived(torch.nn.SmoothL1Loss)
MSELoss = derived(
    torch.nn.MSELoss,
    """Compute the quadratic cost, the squares of (input − target).

    The reduction "batchmean" is the cost that `train.py` minimizes: the sum over the outputs, averaged over the examples.

    Shapes:
        input and target [n, ...]; output 0-d, or the input's shape for the reduction "none".

    Raises:
        RuntimeError: when the shapes do not match: `nn.MSELoss()(torch.rand(3), torch.rand(2))`.
        ValueError: when the reduction is invalid: `nn.MSELoss(reduction='median')(torch.rand(3), torch.rand(3))`.

    Example:
        >>> a, y = torch.tensor([[1.0, 2.0], [6.0, 2.0]]), torch.tensor([[1.0, 1.0], [2.0, 1.0]])
        >>> nn.MSELoss(reduction="batchmean")(a, y)  # (0 + 1 + 16 + 1) / 2 examples
        tensor(9.)
    """,
)

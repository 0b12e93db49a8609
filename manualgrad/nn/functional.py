"""`torch.nn.functional` with hand-written gradients.

The functions here have PyTorch's signatures, accept the same arguments and raise the same types of errors; every other name is
PyTorch's. They are implemented in `manualgrad.torch_api`, whose `guard.py` lists the calls that fall back to PyTorch.

`__all__` contains only the hand-written functions: `from manualgrad.nn.functional import *` imports these.

Example:
    >>> x = torch.rand(5, requires_grad=True)
    >>> nn.functional.gelu(x).grad_fn.name()
    'GELUFunctionBackward'
    >>> nn.functional.one_hot is torch.nn.functional.one_hot
    True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn.functional as F

from manualgrad.nn._fall_through import fall_through
from manualgrad.torch_api import FUNCTIONAL

if TYPE_CHECKING:
    from torch.nn.functional import *  # noqa: F403

    from manualgrad.torch_api.losses import mse_loss as mse_loss
else:  # type checkers see all of torch's names as exported
    globals().update(FUNCTIONAL)
    __all__ = [*FUNCTIONAL]
    __getattr__, __dir__ = fall_through(globals(), F)

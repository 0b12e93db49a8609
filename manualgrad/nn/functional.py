"""`torch.nn.functional` with hand-written gradients.

The functions here have torch's signatures, take what torch's take and raise what torch's raise; every other name is torch's
own. They are the calls in `manualgrad.torch_api`, whose `guard.py` says which calls get torch's own function instead.

`__all__` has the functions that are hand-written here, and no other: `from manualgrad.nn.functional import *` brings these.

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
else:  # to type checkers torch's other names are exported too, as they are there
    globals().update(FUNCTIONAL)
    __all__ = [*FUNCTIONAL]
    __getattr__, __dir__ = fall_through(globals(), F)

"""torch.nn with hand-written gradients: `from manualgrad import nn` instead of `from torch import nn`.

The layers in `layers/`, and the functions of `nn.functional` that they call, are manualgrad's; every other name is torch.nn's.
Composites of torch.nn (`nn.Transformer`, `nn.LSTM`, ...) create torch's layers inside them, not manualgrad's.

`__all__` contains only the hand-written names: `from manualgrad.nn import *` imports these layers and `functional`. After
`from torch.nn import *`, they replace torch's.

Example:
    >>> model = nn.Sequential(nn.Linear(784, 16), nn.Sigmoid(), nn.Linear(16, 10))
    >>> model(torch.rand(100, 784)).grad_fn.name()
    'LinearFunctionBackward'
    >>> nn.Sequential is torch.nn.Sequential
    True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch.nn

from manualgrad.nn import functional as functional
from manualgrad.nn import layers
from manualgrad.nn._fall_through import fall_through

if TYPE_CHECKING:  # type checkers see torch's classes; with a __getattr__ they would accept misspelled names
    from torch.nn import *  # type: ignore[no-redef]  # noqa: F403
else:
    globals().update(layers.LAYERS)
    __all__ = [*layers.LAYERS, "functional"]
    __getattr__, __dir__ = fall_through(globals(), torch.nn)

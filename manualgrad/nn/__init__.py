"""torch.nn with hand-written gradients: `from manualgrad import nn` in the place of `from torch import nn`.

The layers in `layers/`, and the functions of `nn.functional` that they call, are manualgrad's; every other name is torch.nn's
own. The layers inside torch's own composites (`nn.Transformer`, `nn.LSTM`, ...) are made by torch and stay torch's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch.nn

if TYPE_CHECKING:
    from torch.nn import *  # noqa: F403

from manualgrad.nn import functional as functional  # type: ignore[no-redef]
from manualgrad.nn.layers import *  # noqa: F403


def __getattr__(name: str) -> Any:
    return getattr(torch.nn, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(torch.nn)})

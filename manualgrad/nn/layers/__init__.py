"""torch.nn's layers with hand-written gradients.

Each class is a subclass of the torch.nn class of the same name, made by `_derived.py`: only the forward differs. Parameters,
initialization, state_dict and hooks are torch.nn's. `repr` shows whether a layer is manualgrad's.
"""

from manualgrad.nn.layers import (
    activations,
    convolution,
    dropout,
    linear,
    losses,
    normalization,
    padding,
    pooling,
    transformer,
    upsampling,
)
from manualgrad.nn.layers._derived import LAYERS

__all__ = [
    *LAYERS,
]
globals().update(LAYERS)

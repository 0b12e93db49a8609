"""torch.nn's layers with hand-written gradients.

Parameters, initialization, state_dict, hooks and all the rest are torch.nn's: each class is a subclass of torch.nn's of its
name, derived by `_derived.py`; `repr` says whose layer it is.
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

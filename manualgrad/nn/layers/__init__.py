"""torch.nn's layers, with `forward` alone overridden: the gradients are hand-written.

Parameters, initialisation, state_dict, hooks and all the rest are torch.nn's, as each class is a subclass of torch.nn's of the
same name; `repr` says whose layer it is.
"""

from manualgrad.nn._reference import CLASSES, of_class
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
from manualgrad.nn.layers.activations import *  # noqa: F403
from manualgrad.nn.layers.convolution import *  # noqa: F403
from manualgrad.nn.layers.dropout import *  # noqa: F403
from manualgrad.nn.layers.linear import *  # noqa: F403
from manualgrad.nn.layers.losses import *  # noqa: F403
from manualgrad.nn.layers.normalization import *  # noqa: F403
from manualgrad.nn.layers.padding import *  # noqa: F403
from manualgrad.nn.layers.pooling import *  # noqa: F403
from manualgrad.nn.layers.transformer import *  # noqa: F403
from manualgrad.nn.layers.upsampling import *  # noqa: F403

__all__ = [
    *activations.__all__,
    *convolution.__all__,
    *dropout.__all__,
    *linear.__all__,
    *losses.__all__,
    *normalization.__all__,
    *padding.__all__,
    *pooling.__all__,
    *transformer.__all__,
    *upsampling.__all__,
]

for _name, _entry in CLASSES.items():  # a class says its formula, and the reference the rest
    globals()[_name].__doc__ = of_class(_name, globals()[_name], _entry)

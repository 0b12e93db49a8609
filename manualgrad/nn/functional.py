"""`torch.nn.functional` with hand-written gradients.

The functions here have torch's signatures, take what torch's take and raise what torch's raise; every other name is torch's
own. `_guard.py` says which calls get torch's own function instead.

`__all__` has the functions that are hand-written here, and no other: `from manualgrad.nn.functional import *` brings these.

Example:
    >>> x = torch.rand(5, requires_grad=True)
    >>> nn.functional.gelu(x).grad_fn.name()
    'GELUFunctionBackward'
    >>> nn.functional.one_hot is torch.nn.functional.one_hot
    True
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from manualgrad.nn._fall_through import fall_through
from manualgrad.nn._reference import FUNCTIONS, of_function
from manualgrad.torch_api import activations, attention, convolution, losses, movement, normalization, pooling
from manualgrad.torch_api import dropout as drop
from manualgrad.torch_api import embedding as table
from manualgrad.torch_api import linear as _basic
from manualgrad.torch_api.guard import hand_written
from manualgrad.torch_api.mode import by_hand


def _composed(torchs: Callable[..., Any]) -> Callable[..., Any]:
    """torch's function, written in Python of functions that the catalogue has."""

    @functools.wraps(torchs)
    def inside(*args: Any, **kwargs: Any) -> Any:
        with by_hand():
            return torchs(*args, **kwargs)

    return hand_written(torchs)(inside)


if TYPE_CHECKING:
    from torch.nn.functional import *  # noqa: F403

    from manualgrad.torch_api.linear import mse_loss as mse_loss
else:
    linear, mse_loss, relu, sigmoid = _basic.linear, _basic.mse_loss, _basic.relu, _basic.sigmoid
    celu = hand_written(F.celu)(activations.celu)
    elu = hand_written(F.elu)(activations.elu)
    gelu = hand_written(F.gelu)(activations.gelu)
    glu = hand_written(F.glu)(activations.glu)
    hardshrink = hand_written(F.hardshrink)(activations.hardshrink)
    hardsigmoid = hand_written(F.hardsigmoid)(activations.hardsigmoid)
    hardswish = hand_written(F.hardswish)(activations.hardswish)
    hardtanh = hand_written(F.hardtanh)(activations.hardtanh)
    leaky_relu = hand_written(F.leaky_relu)(activations.leaky_relu)
    logsigmoid = hand_written(F.logsigmoid)(activations.logsigmoid)
    log_softmax = hand_written(F.log_softmax)(activations.functional_log_softmax)
    mish = hand_written(F.mish)(activations.mish)
    prelu = hand_written(F.prelu)(activations.prelu)
    relu6 = hand_written(F.relu6)(activations.relu6)
    rrelu = hand_written(F.rrelu)(activations.rrelu)
    selu = hand_written(F.selu)(activations.selu)
    silu = hand_written(F.silu)(activations.silu)
    softmax = hand_written(F.softmax)(activations.functional_softmax)
    softplus = hand_written(F.softplus)(activations.softplus)
    softshrink = hand_written(F.softshrink)(activations.softshrink)
    softsign = hand_written(F.softsign)(activations.softsign)
    tanh = hand_written(torch.tanh)(activations.tanh)
    threshold = hand_written(F.threshold)(activations.threshold)
    conv1d = hand_written(F.conv1d)(convolution.conv1d)
    conv2d = hand_written(F.conv2d)(convolution.conv2d)
    conv3d = hand_written(F.conv3d)(convolution.conv3d)
    conv_transpose1d = hand_written(F.conv_transpose1d)(convolution.conv_transpose1d)
    conv_transpose2d = hand_written(F.conv_transpose2d)(convolution.conv_transpose2d)
    conv_transpose3d = hand_written(F.conv_transpose3d)(convolution.conv_transpose3d)
    dropout = hand_written(F.dropout)(drop.functional_dropout)
    dropout1d = hand_written(F.dropout1d)(drop.functional_dropout1d)
    dropout2d = hand_written(F.dropout2d)(drop.functional_dropout2d)
    dropout3d = hand_written(F.dropout3d)(drop.functional_dropout3d)
    cross_entropy = hand_written(F.cross_entropy)(losses.cross_entropy)
    l1_loss = hand_written(F.l1_loss)(losses.functional_l1_loss)
    kl_div = hand_written(F.kl_div)(losses.functional_kl_div)
    nll_loss = hand_written(F.nll_loss)(losses.nll_loss)
    embedding = hand_written(F.embedding)(table.embedding)
    embedding_bag = hand_written(F.embedding_bag)(table.embedding_bag)
    scaled_dot_product_attention = hand_written(F.scaled_dot_product_attention)(attention.scaled_dot_product_attention)
    pad = hand_written(F.pad)(movement.pad)
    batch_norm = hand_written(F.batch_norm)(normalization.batch_norm)
    group_norm = hand_written(F.group_norm)(normalization.group_norm)
    instance_norm = hand_written(F.instance_norm)(normalization.instance_norm)
    layer_norm = hand_written(F.layer_norm)(normalization.layer_norm)
    local_response_norm = hand_written(F.local_response_norm)(normalization.local_response_norm)
    rms_norm = hand_written(F.rms_norm)(normalization.rms_norm)
    max_pool1d = hand_written(F.max_pool1d)(pooling.max_pool1d)
    max_pool2d = hand_written(F.max_pool2d)(pooling.max_pool2d)
    max_pool3d = hand_written(F.max_pool3d)(pooling.max_pool3d)
    avg_pool1d = hand_written(F.avg_pool1d)(pooling.avg_pool1d)
    avg_pool2d = hand_written(F.avg_pool2d)(pooling.avg_pool2d)
    avg_pool3d = hand_written(F.avg_pool3d)(pooling.avg_pool3d)
    adaptive_avg_pool1d = hand_written(F.adaptive_avg_pool1d)(pooling.adaptive_avg_pool1d)
    adaptive_avg_pool2d = hand_written(F.adaptive_avg_pool2d)(pooling.adaptive_avg_pool2d)
    adaptive_avg_pool3d = hand_written(F.adaptive_avg_pool3d)(pooling.adaptive_avg_pool3d)
    binary_cross_entropy = _composed(F.binary_cross_entropy)
    binary_cross_entropy_with_logits = _composed(F.binary_cross_entropy_with_logits)
    huber_loss = _composed(F.huber_loss)
    interpolate = _composed(F.interpolate)
    smooth_l1_loss = _composed(F.smooth_l1_loss)
    softmin = _composed(F.softmin)
    tanhshrink = _composed(F.tanhshrink)

    # To type checkers torch's other names are exported too, as they are there.
    __all__ = [*_basic.__all__, *FUNCTIONS]
    for _name, _entry in FUNCTIONS.items():
        globals()[_name].__doc__ = of_function(_name, _entry)

    __getattr__, __dir__ = fall_through(globals(), F)

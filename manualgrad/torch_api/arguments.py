"""Descriptions of the layers' arguments; `of_layer` in reference.py inserts them into the layers' docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["arguments"]

_EACH = "a number, or one per dimension"
_INITIAL = "initial value of `weight`, instead of random numbers"

_MEANING = {
    "_freeze": "do not train `weight`; set by `Embedding.from_pretrained`",
    "_weight": _INITIAL,
    "activation": 'activation between the two linear layers: "relu", "gelu" or a callable',
    "add_bias_kv": "append a learned vector to the keys and another to the values",
    "add_zero_attn": "append a vector of zeros to the keys and the values",
    "affine": "learn a `weight` and a `bias` per channel",
    "align_corners": "align the centres of the corner pixels of input and output; linear and cubic modes only",
    "alpha": "the α of the formula",
    "approximate": 'approximation of Φ: "none", or "tanh"',
    "batch_first": "use [batch, sequence, feature] instead of [sequence, batch, feature]",
    "bias": "learn a bias",
    "ceil_mode": "round the output size up, so that a last window may end outside the input",
    "count_include_pad": "count padded zeros as elements of a window",
    "d_model": "size of each vector in the sequence",
    "delta": "difference at which the loss changes from quadratic to linear",
    "device": "device of the parameters",
    "dilation": f"spacing between the elements of a window: {_EACH}",
    "dim": "dimension along which the softmax is computed",
    "dim_feedforward": "number of neurons between the two linear layers",
    "divisor_override": "divisor of each window's sum, instead of the window's size",
    "dropout": "probability of setting an element to 0 in training",
    "dtype": "dtype of the parameters",
    "elementwise_affine": "learn a `weight`, and a `bias` if the layer has one, of shape `normalized_shape`",
    "embed_dim": "size of each query and each output",
    "embedding_dim": "size of each row",
    "eps": "added to the variance under the square root",
    "groups": "number of groups of channels that are convolved separately",
    "ignore_index": "class whose examples do not contribute to the loss",
    "in_channels": "number of channels of the input",
    "in_features": "size of the input's last dimension",
    "include_last_offset": "`offsets` also contains the end of the last bag",
    "init": "initial value of `weight`",
    "inplace": "write the output into the input",
    "kdim": "size of each key; `embed_dim` if None",
    "kernel_size": f"size of the window: {_EACH}",
    "label_smoothing": "fraction of the target that is spread evenly over all classes, from 0 to 1",
    "lambd": "the λ of the formula",
    "layer_norm_eps": "the `eps` of the layer norms",
    "log_target": "the target holds log-probabilities",
    "lower": "lower bound of the slope for negative inputs; evaluation uses the mean of `lower` and `upper`",
    "max_norm": "rows with a larger norm are rescaled to this norm, in place, when they are looked up",
    "max_val": "upper end of the linear part",
    "max_value": "deprecated name of `max_val`",
    "min_val": "lower end of the linear part",
    "min_value": "deprecated name of `min_val`",
    "mode": 'how a bag is reduced: "sum", "mean" or "max"',
    "momentum": "weight of the newest batch in the running statistics; None averages all batches equally",
    "negative_slope": "slope for negative inputs",
    "nhead": "number of attention heads; must divide `d_model`",
    "norm_first": "normalize before the attention and linear layers, not after",
    "norm_type": "the p of the p-norm that `max_norm` bounds",
    "normalized_shape": "shape of the last dimensions, over which the input is normalized: an int or several",
    "num_channels": "number of channels of the input",
    "num_embeddings": "number of rows of `weight`",
    "num_features": "number of channels of the input",
    "num_groups": "number of groups of channels that are normalized together; must divide `num_channels`",
    "num_heads": "number of heads; must divide `embed_dim`",
    "num_parameters": "number of elements of `weight`: 1, or one per channel",
    "out_channels": "number of channels of the output",
    "out_features": "size of the output's last dimension",
    "output_padding": f"size added to one side of the output: {_EACH}",
    "output_size": f"size of the output: {_EACH}; None keeps the input's",
    "p": "probability of setting an element to 0 in training",
    "padding": f"size added to both sides of the input: {_EACH}",
    "padding_idx": "row that receives no gradient",
    "padding_mode": 'how the input is padded: "zeros", "reflect", "replicate" or "circular"',
    "pos_weight": "weight of the loss where the target is 1",
    "recompute_scale_factor": "compute the scale from the rounded output size instead of `scale_factor`",
    "reduce": "deprecated: see `reduction`",
    "reduction": 'how the losses are reduced: "mean", "sum" or "none"',
    "return_indices": "also return the indices of the maxima",
    "scale_factor": f"size of the output divided by the input's: {_EACH}",
    "scale_grad_by_freq": "divide each row's gradient by the row's count in the batch",
    "size": f"size of the output: {_EACH}",
    "size_average": "deprecated: see `reduction`",
    "sparse": "make the gradient of `weight` a sparse tensor",
    "stride": f"step from one window to the next: {_EACH}",
    "threshold": "inputs up to this number are replaced",
    "track_running_stats": "keep running statistics for evaluation",
    "upper": "upper bound of the slope for negative inputs",
    "value": "replacement for inputs up to `threshold`",
    "vdim": "size of each value; `embed_dim` if None",
    "weight": "weight of each class",
}

_SIDES = "size added to each side: one number, or one per side, (left, right, top, bottom, front, back)"
_IN_A_CLASS = {
    **{f"{kind}Pad.padding": _SIDES for kind in ("Circular", "Constant", "Reflection", "Replication", "Zero")},
    "BCELoss.weight": "weight of each element's loss",
    "BCEWithLogitsLoss.weight": "weight of each element's loss",
    "ConstantPad.value": "value of the padding",
    "Conv.padding": f'size added to both sides of the input: {_EACH}, "same" or "valid"',
    "ConvTranspose.padding": f"size removed from both sides of the output: {_EACH}",
    "GLU.dim": "dimension that is split into halves",
    "KLDivLoss.reduction": 'how the losses are reduced: "batchmean", "mean", "sum" or "none"',
    "MSELoss.reduction": 'how the losses are reduced: "mean", "sum", "none", or "batchmean", the sum divided by the batch size',
    "RMSNorm.eps": "added to the mean square under the square root; the dtype's epsilon if None",
    "SmoothL1Loss.beta": "difference at which the loss changes from quadratic to linear",
    "Softplus.beta": "the β of the formula",
    "Softplus.threshold": "value of β z above which the output is z",
    "Upsample.mode": '"nearest", "linear", "bilinear", "bicubic" or "trilinear"',
}


def arguments(name: str, cls: Callable[..., Any]) -> str:
    """Return a line for each argument of the layer `name`, with its description and its default."""
    parameters = inspect.signature(cls).parameters.values()
    return "\n".join(_line(name, p) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)


def _line(name: str, parameter: inspect.Parameter) -> str:
    family = name.rstrip("d").rstrip("123") if name[-2:] in ("1d", "2d", "3d") else name
    meaning = _IN_A_CLASS.get(f"{family}.{parameter.name}") or _MEANING[parameter.name]
    if parameter.default is parameter.empty:
        return f"{parameter.name}: {meaning}."
    default = getattr(parameter.default, "__name__", None) or repr(parameter.default)
    return f"{parameter.name}: {meaning}. Default: {default}."

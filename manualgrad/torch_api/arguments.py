"""The meaning of each argument of a layer; `of_layer` in reference.py puts it into the layer's docstring."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["arguments"]

_EACH = "a number, or one for each dimension"
_INITIAL = "initial values of `weight`, in place of random ones"

_MEANING = {
    "_freeze": "keep `weight` as it is in training, as `Embedding.from_pretrained` asks for",
    "_weight": _INITIAL,
    "activation": 'activation between the two linear layers: "relu", "gelu" or a function',
    "add_bias_kv": "append a learned vector to the keys and one to the values",
    "add_zero_attn": "append a vector of zeros to the keys and the values",
    "affine": "learn a `weight` and a `bias` for each channel",
    "align_corners": "make the centres of the corner pixels coincide before and after; linear and cubic modes only",
    "alpha": "the α of the formula",
    "approximate": 'approximation of Φ: "none", or "tanh"',
    "batch_first": "the batch is the first dimension, [batch, sequence, feature], not the second",
    "bias": "learn a bias",
    "ceil_mode": "let a last window begin inside the input and end outside it",
    "count_include_pad": "count padded zeros as elements of a window",
    "d_model": "numbers of each vector of the sequence",
    "delta": "difference at which the loss turns from quadratic to linear",
    "device": "device of the parameters",
    "dilation": f"distance between the elements of a window: {_EACH}",
    "dim": "dimension along which the results add up to 1",
    "dim_feedforward": "neurons between the two linear layers",
    "divisor_override": "what each sum is divided by, in place of the size of its window",
    "dropout": "probability with which a number is set to 0 in training",
    "dtype": "dtype of the parameters",
    "elementwise_affine": "learn a `weight`, and a `bias` where there is one, of the shape `normalized_shape`",
    "embed_dim": "numbers of each query and each result",
    "embedding_dim": "numbers of each row",
    "eps": "added to the variance under the root",
    "groups": "groups of channels that are convolved apart from each other",
    "ignore_index": "class whose examples count for nothing",
    "in_channels": "channels of the input",
    "in_features": "size of the input's last dimension",
    "include_last_offset": "`offsets` also has the end of the last bag",
    "init": "initial value of `weight`",
    "inplace": "write the result into the input",
    "kdim": "numbers of each key; `embed_dim` if None",
    "kernel_size": f"size of the window: {_EACH}",
    "label_smoothing": "share of the target that is spread evenly over all classes, from 0 to 1",
    "lambd": "the λ of the formula",
    "layer_norm_eps": "the `eps` of the layer norms",
    "log_target": "the target holds logarithms of probabilities",
    "lower": "least factor of a negative number; in evaluation the mean of `lower` and `upper` is taken",
    "max_norm": "length to which a longer row is shortened, in place, when it is looked up",
    "max_val": "upper end of the linear part",
    "max_value": "deprecated name of `max_val`",
    "min_val": "lower end of the linear part",
    "min_value": "deprecated name of `min_val`",
    "mode": 'how a bag is reduced: "sum", "mean" or "max"',
    "momentum": "weight of the newest batch in the running statistics; None: all batches count alike",
    "negative_slope": "factor of negative numbers",
    "nhead": "heads of the attention, a divisor of `d_model`",
    "norm_first": "normalize before attention and linear layers, not after",
    "norm_type": "the p of the p-norm that `max_norm` bounds",
    "normalized_shape": "shape of the last dimensions, over which the input is normalized: a number or several",
    "num_channels": "channels of the input",
    "num_embeddings": "rows of the table",
    "num_features": "channels of the input",
    "num_groups": "groups of channels that are normalized together, a divisor of `num_channels`",
    "num_heads": "heads, a divisor of `embed_dim`",
    "num_parameters": "numbers in `weight`: 1, or one for each channel",
    "out_channels": "channels of the output",
    "out_features": "size of the output's last dimension",
    "output_padding": f"size added to one side of the output: {_EACH}",
    "output_size": f"size of the output: {_EACH}; None keeps the input's",
    "p": "probability with which an element is set to 0 in training",
    "padding": f"size added to both sides of the input: {_EACH}",
    "padding_idx": "row that gets no gradient",
    "padding_mode": 'what the input is padded with: "zeros", "reflect", "replicate" or "circular"',
    "pos_weight": "factor of the loss where the target is 1",
    "recompute_scale_factor": "take the scale from the rounded size, not from `scale_factor`",
    "reduce": "deprecated: see `reduction`",
    "reduction": 'what becomes of the losses: "mean", "sum" or "none"',
    "return_indices": "return the places of the maxima too",
    "scale_factor": f"size of the output divided by the input's: {_EACH}",
    "scale_grad_by_freq": "divide a row's gradient by how often the batch has the row",
    "size": f"size of the output: {_EACH}",
    "size_average": "deprecated: see `reduction`",
    "sparse": "make the gradient of `weight` a sparse tensor",
    "stride": f"step from a window to the next: {_EACH}",
    "threshold": "numbers up to this one are replaced",
    "track_running_stats": "keep running statistics, for evaluation",
    "upper": "greatest factor of a negative number",
    "value": "number that replaces the others",
    "vdim": "numbers of each value; `embed_dim` if None",
    "weight": "factor of each class",
}

_SIDES = "size added to each side: one number, or a number for each side, (left, right, top, bottom, front, back)"
_IN_A_CLASS = {
    **{f"{kind}Pad.padding": _SIDES for kind in ("Circular", "Constant", "Reflection", "Replication", "Zero")},
    "BCELoss.weight": "factor of each element's loss",
    "BCEWithLogitsLoss.weight": "factor of each element's loss",
    "ConstantPad.value": "number that the input is padded with",
    "Conv.padding": f'size added to both sides of the input: {_EACH}, "same" or "valid"',
    "ConvTranspose.padding": f"size taken off both sides of the output: {_EACH}",
    "GLU.dim": "dimension that is split into halves",
    "KLDivLoss.reduction": 'what becomes of the losses: "batchmean", "mean", "sum" or "none"',
    "MSELoss.reduction": 'what becomes of the losses: "mean", "sum", "none", or "batchmean", the sum divided by the batch size',
    "RMSNorm.eps": "added to the mean square under the root; the dtype's epsilon if None",
    "SmoothL1Loss.beta": "difference at which the loss turns from quadratic to linear",
    "Softplus.beta": "the β of the formula",
    "Softplus.threshold": "β z above which the result is z",
    "Upsample.mode": '"nearest", "linear", "bilinear", "bicubic" or "trilinear"',
}


def arguments(name: str, cls: Callable[..., Any]) -> str:
    """A line for each argument of the layer `name`: its meaning, and its default."""
    parameters = inspect.signature(cls).parameters.values()
    return "\n".join(_line(name, p) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)


def _line(name: str, parameter: inspect.Parameter) -> str:
    family = name.rstrip("d").rstrip("123") if name[-2:] in ("1d", "2d", "3d") else name
    meaning = _IN_A_CLASS.get(f"{family}.{parameter.name}") or _MEANING[parameter.name]
    if parameter.default is parameter.empty:
        return f"{parameter.name}: {meaning}."
    default = getattr(parameter.default, "__name__", None) or repr(parameter.default)
    return f"{parameter.name}: {meaning}. Default: {default}."

"""The catalogue: torch's names for what is differentiated by hand, and the call that answers each."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from manualgrad.function.in_place import written
from manualgrad.functions.activations.sigmoid import SigmoidFunction
from manualgrad.functions.activations.tanh import TanhFunction
from manualgrad.torch_api import (
    activations,
    attention,
    composed_losses,
    compositions,
    convolution,
    dropout,
    einsum,
    embedding,
    interpolate,
    losses,
    movement,
    normalization,
    order,
    pooling,
    repeat,
    rounding,
    scatter,
    statistics,
)
from manualgrad.torch_api import arithmetic as ours
from manualgrad.torch_api import linear as _basic
from manualgrad.torch_api.signatures import signatures

__all__ = ["CATALOGUE", "COMPOSITIONS", "EXPLAINED", "SIGNATURES"]

T = Tensor
_NN: Any = torch._C._nn  # what torch.nn.functional's functions in Python call


def _can_cast(dtype: torch.dtype, to: torch.dtype) -> bool:
    """torch.can_cast, which Dynamo cannot trace, of dtypes that are differentiated."""
    return to.is_complex or (to.is_floating_point and not dtype.is_complex)


def _in_place(function: Callable[..., Any], keeps_input: bool = True) -> Callable[..., Any]:
    """The in-place form: the value is computed beside the input and written into it, so that versions and views are torch's.

    Args:
        keeps_input: whether the derivative may need the input, of which it is then given a copy.
    """

    @functools.wraps(function)
    def changed(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        value = function(input.clone() if keeps_input else input, *args, **kwargs)
        if value is NotImplemented or value.shape != input.shape or not _can_cast(value.dtype, input.dtype):
            return NotImplemented
        return written(value, input)

    return changed


_without_a_copy = functools.partial(_in_place, keeps_input=False)


# By torch's names for it.
CATALOGUE: dict[Any, Callable[..., Any]] = {
    F.linear: _basic.linear,
    F.relu: _basic.relu,
    torch.relu: _basic.relu,
    T.relu: _basic.relu,
    torch.sigmoid: _basic.sigmoid,
    T.sigmoid: _basic.sigmoid,
    torch.special.expit: _basic.sigmoid,
    F.mse_loss: _basic.mse_loss,
    **dict.fromkeys((torch.add, T.add, T.__add__, T.__radd__), ours.add),
    **dict.fromkeys((torch.sub, torch.subtract, T.sub, T.subtract, T.__sub__), ours.sub),
    **dict.fromkeys((torch.rsub, T.__rsub__), ours.rsub),
    **dict.fromkeys((torch.mul, torch.multiply, T.mul, T.multiply, T.__mul__, T.__rmul__), ours.mul),
    **dict.fromkeys((torch.div, torch.divide, torch.true_divide, T.div, T.divide, T.true_divide, T.__truediv__), rounding.div),
    T.__rtruediv__: ours.rdiv,
    **dict.fromkeys((torch.pow, T.pow, T.__pow__), ours.pow),
    T.__rpow__: ours.rpow,
    **dict.fromkeys((torch.matmul, T.matmul, T.__matmul__), ours.matmul),
    T.__rmatmul__: lambda input, other: ours.matmul(other, input),
    **dict.fromkeys((torch.mm, T.mm), ours.mm),
    **dict.fromkeys((torch.bmm, T.bmm), ours.bmm),
    **dict.fromkeys((torch.mv, T.mv), ours.mv),
    **dict.fromkeys((torch.dot, T.dot), ours.dot),
    **dict.fromkeys((torch.addmm, T.addmm), ours.addmm),
    **dict.fromkeys((torch.baddbmm, T.baddbmm), ours.baddbmm),
    **dict.fromkeys((torch.addmv, T.addmv), ours.addmv),
    **dict.fromkeys((torch.sum, T.sum), ours.sum),
    **dict.fromkeys((torch.mean, T.mean), ours.mean),
    **dict.fromkeys((torch.cat, torch.concat, torch.concatenate), ours.cat),
    torch.stack: ours.stack,
    **dict.fromkeys((torch.neg, torch.negative, T.neg, T.negative, T.__neg__), ours.neg),
    **dict.fromkeys((torch.erf, T.erf, torch.special.erf), ours.erf),
    **dict.fromkeys((torch.expm1, T.expm1, torch.special.expm1), ours.expm1),
    **dict.fromkeys((torch.log1p, T.log1p, torch.special.log1p), ours.log1p),
}
for _name in ("exp", "log", "sqrt", "rsqrt", "reciprocal", "square", "sin", "cos"):
    CATALOGUE |= dict.fromkeys((getattr(torch, _name), getattr(T, _name)), getattr(ours, _name))
CATALOGUE |= {
    **dict.fromkeys((torch.abs, torch.absolute, T.abs, T.absolute, T.__abs__), movement.abs),
    **dict.fromkeys((torch.clamp, torch.clip, T.clamp, T.clip), movement.clamp),
    **dict.fromkeys((torch.clamp_min, T.clamp_min), movement.clamp_min),
    **dict.fromkeys((torch.clamp_max, T.clamp_max), movement.clamp_max),
    **dict.fromkeys((torch.maximum, T.maximum), movement.maximum),
    **dict.fromkeys((torch.minimum, T.minimum), movement.minimum),
    torch.where: movement.where,
    T.where: movement.where_method,
    **dict.fromkeys((torch.masked_fill, T.masked_fill), movement.masked_fill),
    T.expand: movement.expand,
    T.expand_as: movement.expand_as,
    torch.broadcast_tensors: movement.broadcast_tensors,
    _NN.pad: movement.pad,
    F.pad: movement.pad,
    **dict.fromkeys((torch.flip, T.flip), movement.flip),
    **dict.fromkeys((torch.roll, T.roll), movement.roll),
    **dict.fromkeys((torch.gather, T.gather), movement.gather),
    **dict.fromkeys((torch.index_select, T.index_select), movement.index_select),
    T.__getitem__: movement.getitem,
    **dict.fromkeys((torch.var, T.var), statistics.var),
    **dict.fromkeys((torch.std, T.std), statistics.std),
    **dict.fromkeys((torch.logsumexp, T.logsumexp, torch.special.logsumexp), statistics.logsumexp),
    **dict.fromkeys((torch.addcmul, T.addcmul), statistics.addcmul),
    **dict.fromkeys((torch.addcdiv, T.addcdiv), statistics.addcdiv),
    **dict.fromkeys((torch.lerp, T.lerp), statistics.lerp),
    **dict.fromkeys((torch.amax, T.amax), order.amax),
    **dict.fromkeys((torch.amin, T.amin), order.amin),
    **dict.fromkeys((torch.max, T.max), order.max),
    **dict.fromkeys((torch.min, T.min), order.min),
    **dict.fromkeys((torch.topk, T.topk), order.topk),
    **dict.fromkeys((torch.sort, T.sort), order.sort),
    **dict.fromkeys((torch.msort, T.msort), order.msort),
    **dict.fromkeys((torch.aminmax, T.aminmax), order.aminmax),
    **dict.fromkeys((torch.median, T.median), order.median),
    **dict.fromkeys((torch.nanmedian, T.nanmedian), order.nanmedian),
    **dict.fromkeys((torch.kthvalue, T.kthvalue), order.kthvalue),
    **dict.fromkeys((torch.mode, T.mode), order.mode),
    **dict.fromkeys((torch.cummax, T.cummax), order.cummax),
    **dict.fromkeys((torch.cummin, T.cummin), order.cummin),
    **dict.fromkeys((torch.prod, T.prod), order.prod),
    **dict.fromkeys((torch.cumsum, T.cumsum), order.cumsum),
    **dict.fromkeys((torch.cumprod, T.cumprod), order.cumprod),
    torch.linalg.vector_norm: order.vector_norm,
    **dict.fromkeys((torch.norm, T.norm), order.norm),
    torch.linalg.norm: order.linalg_norm,
    torch.linalg.matrix_norm: order.matrix_norm,
    F.normalize: order.normalize,
    torch.cosine_similarity: order.cosine_similarity,
    torch.pairwise_distance: order.pairwise_distance,
    **dict.fromkeys((torch.dist, T.dist), order.dist),
    **dict.fromkeys((torch.scatter, T.scatter), scatter.scatter),
    **dict.fromkeys((torch.scatter_add, T.scatter_add), scatter.scatter_add),
    **dict.fromkeys((torch.index_add, T.index_add), scatter.index_add),
    **dict.fromkeys((torch.index_copy, T.index_copy), scatter.index_copy),
    **dict.fromkeys((torch.index_fill, T.index_fill), scatter.index_fill),
    **dict.fromkeys((torch.index_put, T.index_put), scatter.index_put),
    **dict.fromkeys((torch.masked_scatter, T.masked_scatter), scatter.masked_scatter),
    **dict.fromkeys((torch.masked_select, T.masked_select), scatter.masked_select),
    **dict.fromkeys((torch.take, T.take), scatter.take),
    **dict.fromkeys((torch.take_along_dim, T.take_along_dim), scatter.take_along_dim),
    T.repeat: repeat.repeat,
    **dict.fromkeys((torch.tile, T.tile), repeat.tile),
    **dict.fromkeys((torch.repeat_interleave, T.repeat_interleave), repeat.repeat_interleave),
    **dict.fromkeys((torch.tril, T.tril), repeat.tril),
    **dict.fromkeys((torch.triu, T.triu), repeat.triu),
    **dict.fromkeys((torch.pixel_shuffle, F.pixel_shuffle), repeat.pixel_shuffle),
    **dict.fromkeys((torch.pixel_unshuffle, F.pixel_unshuffle), repeat.pixel_unshuffle),
    **dict.fromkeys((torch.channel_shuffle, F.channel_shuffle, torch.native_channel_shuffle), repeat.channel_shuffle),
    _NN.im2col: repeat.im2col,
    _NN.col2im: repeat.col2im,
    T.unfold: repeat.unfold,
    **dict.fromkeys((torch.floor, T.floor), rounding.floor),
    **dict.fromkeys((torch.ceil, T.ceil), rounding.ceil),
    **dict.fromkeys((torch.trunc, T.trunc, torch.fix, T.fix), rounding.trunc),
    **dict.fromkeys((torch.frac, T.frac), rounding.frac),
    **dict.fromkeys((torch.sign, T.sign, torch.sgn, T.sgn), rounding.sign),
    **dict.fromkeys((torch.round, T.round, torch.special.round), rounding.round),
    **dict.fromkeys((torch.floor_divide, T.floor_divide, T.__floordiv__), rounding.floor_divide),
    T.__rfloordiv__: rounding.rfloordiv,
    **dict.fromkeys((torch.remainder, T.remainder, T.__mod__), rounding.remainder),
    T.__rmod__: rounding.rmod,
    **dict.fromkeys((torch.fmod, T.fmod), rounding.fmod),
    torch.einsum: einsum.functional_einsum,
    torch.tensordot: einsum.functional_tensordot,
    **dict.fromkeys((torch.inner, T.inner), einsum.inner),
    **dict.fromkeys((torch.outer, T.outer, torch.ger, T.ger), einsum.outer),
    **{
        getattr(_NN, name): getattr(interpolate, name.lstrip("_"))
        for name in (
            *("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d"),
            *("_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d"),
            *("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d"),
            *("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "_upsample_lanczos2d_aa"),
        )
        if hasattr(_NN, name)
    },
    torch.conv1d: convolution.conv1d,
    torch.conv2d: convolution.conv2d,
    torch.conv3d: convolution.conv3d,
    torch.conv_transpose1d: convolution.conv_transpose1d,
    torch.conv_transpose2d: convolution.conv_transpose2d,
    torch.conv_transpose3d: convolution.conv_transpose3d,
    **dict.fromkeys((F.max_pool1d, torch.max_pool1d), pooling.max_pool1d),
    **dict.fromkeys((F.max_pool2d, torch.max_pool2d), pooling.max_pool2d),
    **dict.fromkeys((F.max_pool3d, torch.max_pool3d), pooling.max_pool3d),
    **dict.fromkeys((F.max_pool1d_with_indices, torch.max_pool1d_with_indices), pooling.max_pool1d_with_indices),
    **dict.fromkeys((F.max_pool2d_with_indices, _NN.max_pool2d_with_indices), pooling.max_pool2d_with_indices),
    **dict.fromkeys((F.max_pool3d_with_indices, _NN.max_pool3d_with_indices), pooling.max_pool3d_with_indices),
    torch.avg_pool1d: pooling.avg_pool1d,
    _NN.avg_pool2d: pooling.avg_pool2d,
    _NN.avg_pool3d: pooling.avg_pool3d,
    torch.adaptive_avg_pool1d: pooling.adaptive_avg_pool1d,
    **dict.fromkeys((F.adaptive_avg_pool2d, _NN.adaptive_avg_pool2d), pooling.adaptive_avg_pool2d),
    **dict.fromkeys((F.adaptive_avg_pool3d, _NN.adaptive_avg_pool3d), pooling.adaptive_avg_pool3d),
    **dict.fromkeys((torch.softmax, T.softmax, torch.special.softmax), activations.softmax),
    **dict.fromkeys((torch.log_softmax, T.log_softmax, torch.special.log_softmax), activations.log_softmax),
    F.softmax: activations.functional_softmax,
    F.log_softmax: activations.functional_log_softmax,
    F.cross_entropy: losses.cross_entropy,
    F.nll_loss: losses.nll_loss,
    _NN.l1_loss: losses.l1_loss,
    _NN.smooth_l1_loss: losses.smooth_l1_loss,
    _NN.huber_loss: losses.huber_loss,
    torch.kl_div: losses.kl_div,
    F.kl_div: losses.functional_kl_div,
    _NN.binary_cross_entropy: losses.binary_cross_entropy,
    torch.binary_cross_entropy_with_logits: losses.binary_cross_entropy_with_logits,
    torch.poisson_nll_loss: composed_losses.poisson_nll_loss,
    torch.hinge_embedding_loss: composed_losses.hinge_embedding_loss,
    torch.margin_ranking_loss: composed_losses.margin_ranking_loss,
    torch.triplet_margin_loss: composed_losses.triplet_margin_loss,
    torch.cosine_embedding_loss: composed_losses.cosine_embedding_loss,
    _NN.soft_margin_loss: composed_losses.soft_margin_loss,
    **dict.fromkeys((torch.tanh, T.tanh), activations.tanh),
    F.gelu: activations.gelu,
    F.softplus: activations.softplus,
    F.logsigmoid: activations.logsigmoid,
    F.softsign: activations.softsign,
    F.glu: activations.glu,
    _NN.glu: activations.glu,
    torch.prelu: activations.prelu,
    T.prelu: activations.prelu,
    F.hardshrink: activations.hardshrink,
    **dict.fromkeys((torch.hardshrink, T.hardshrink), activations.hardshrink),
    F.softshrink: activations.softshrink,
    F.rrelu: activations.rrelu,
    torch.rrelu: activations.torch_rrelu,
    F.threshold: activations.threshold,
    torch.threshold: activations.native(activations.threshold),
    torch.threshold_: _in_place(activations.threshold),
    F.elu: activations.elu,
    _NN.elu: activations.native(activations.scaled_elu),
    **dict.fromkeys((F.scaled_dot_product_attention, _NN.scaled_dot_product_attention), attention.scaled_dot_product_attention),
    F.embedding: embedding.embedding,
    torch.embedding: embedding.torch_embedding,
    F.embedding_bag: embedding.embedding_bag,
    torch.embedding_bag: embedding.torch_embedding_bag,
    F.batch_norm: normalization.batch_norm,
    torch.batch_norm: normalization.torch_batch_norm,
    F.instance_norm: normalization.instance_norm,
    torch.instance_norm: normalization.torch_instance_norm,
    F.group_norm: normalization.group_norm,
    torch.group_norm: normalization.torch_group_norm,
    F.layer_norm: normalization.layer_norm,
    torch.layer_norm: normalization.torch_layer_norm,
    **dict.fromkeys((F.rms_norm, torch.rms_norm), normalization.rms_norm),
    F.local_response_norm: normalization.local_response_norm,
    torch.dropout: dropout.dropout,
    torch.feature_dropout: dropout.feature_dropout,
}
CATALOGUE |= {
    **dict.fromkeys((torch.vstack, torch.row_stack), compositions.vstack),
    torch.hstack: compositions.hstack,
    torch.dstack: compositions.dstack,
    torch.column_stack: compositions.column_stack,
    torch.block_diag: compositions.block_diag,
    torch.var_mean: compositions.var_mean,
    torch.std_mean: compositions.std_mean,
    torch.trapezoid: compositions.trapezoid,
    torch.trapz: compositions.trapezoid,
    torch.cumulative_trapezoid: compositions.cumulative_trapezoid,
    torch.linalg.vecdot: compositions.vecdot,
    torch.rot90: compositions.rot90,
    T.rot90: compositions.rot90,
    T.sum_to_size: compositions.sum_to_size,
    torch.linalg.matmul: ours.matmul,
}
for _name in ("diff", "kron", "cov", "vdot", "float_power", "deg2rad", "rad2deg", "fliplr", "flipud"):
    CATALOGUE |= dict.fromkeys((getattr(torch, _name), getattr(T, _name)), getattr(compositions, _name))
_IN_PLACE: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((T.add_, T.__iadd__), _without_a_copy(ours.add)),
    **dict.fromkeys((T.sub_, T.subtract_, T.__isub__), _without_a_copy(ours.sub)),
    **dict.fromkeys((T.mul_, T.multiply_, T.__imul__), _in_place(ours.mul)),
    **dict.fromkeys((T.div_, T.divide_, T.true_divide_, T.__itruediv__), _in_place(rounding.div)),
    **dict.fromkeys((T.floor_divide_, T.__ifloordiv__), _in_place(rounding.floor_divide)),
    **dict.fromkeys((T.remainder_, T.__imod__), _in_place(rounding.remainder)),
    T.fmod_: _in_place(rounding.fmod),
    **dict.fromkeys((T.sign_, T.sgn_), _without_a_copy(rounding.sign)),
    **dict.fromkeys((T.trunc_, torch.trunc_, T.fix_, torch.fix_), _without_a_copy(rounding.trunc)),
    **dict.fromkeys((T.pow_, T.__ipow__), _in_place(ours.pow)),
    **dict.fromkeys((T.neg_, T.negative_, torch.neg_), _without_a_copy(ours.neg)),
    **dict.fromkeys((torch.tanh_, T.tanh_), TanhFunction.apply_in_place),
    _NN.gelu_: _in_place(activations.gelu),
    _NN.elu_: _in_place(activations.scaled_elu),
    torch.dropout_: _without_a_copy(dropout.dropout),
    torch.feature_dropout_: _without_a_copy(dropout.feature_dropout),
    **dict.fromkeys((T.clamp_, T.clip_, torch.clamp_, torch.clip_), _in_place(movement.clamp)),
    **dict.fromkeys((T.clamp_min_, torch.clamp_min_), _in_place(movement.clamp_min)),
    **dict.fromkeys((T.clamp_max_, torch.clamp_max_), _in_place(movement.clamp_max)),
    **dict.fromkeys((T.abs_, T.absolute_, torch.abs_), _in_place(movement.abs)),
    T.masked_fill_: _without_a_copy(movement.masked_fill),
    T.addcmul_: _without_a_copy(statistics.addcmul),
    T.addcdiv_: _without_a_copy(statistics.addcdiv),
    T.lerp_: _in_place(statistics.lerp),
    **dict.fromkeys((T.exp_, torch.exp_), _without_a_copy(ours.exp)),
    **dict.fromkeys((T.expm1_, torch.expm1_), _without_a_copy(ours.expm1)),
    **dict.fromkeys((T.sqrt_, torch.sqrt_), _without_a_copy(ours.sqrt)),
    **dict.fromkeys((T.rsqrt_, torch.rsqrt_), _without_a_copy(ours.rsqrt)),
    **dict.fromkeys((T.reciprocal_, torch.reciprocal_), _without_a_copy(ours.reciprocal)),
    **dict.fromkeys((T.log_, torch.log_), _in_place(ours.log)),
    **dict.fromkeys((T.log1p_, torch.log1p_), _in_place(ours.log1p)),
    **dict.fromkeys((T.square_, torch.square_), _in_place(ours.square)),
    **dict.fromkeys((T.sin_, torch.sin_), _in_place(ours.sin)),
    **dict.fromkeys((T.cos_, torch.cos_), _in_place(ours.cos)),
    **dict.fromkeys((T.erf_, torch.erf_), _in_place(ours.erf)),
    T.scatter_: _without_a_copy(scatter.scatter),
    T.scatter_add_: _without_a_copy(scatter.scatter_add),
    T.index_add_: _without_a_copy(scatter.index_add),
    T.index_copy_: _without_a_copy(scatter.index_copy),
    T.index_fill_: _without_a_copy(scatter.index_fill),
    **dict.fromkeys((T.index_put_, torch.index_put_), _without_a_copy(scatter.index_put)),
    T.masked_scatter_: _without_a_copy(scatter.masked_scatter),
    T.__setitem__: scatter.setitem,
    T.copy_: scatter.copy_,
    **dict.fromkeys((T.fill_, torch.fill_), scatter.fill_),
    **dict.fromkeys((T.zero_, torch.zero_), scatter.zero_),
    T.tril_: _without_a_copy(repeat.tril),
    T.triu_: _without_a_copy(repeat.triu),
    T.cumsum_: _without_a_copy(order.cumsum),
    T.cumprod_: _in_place(order.cumprod),
    **dict.fromkeys((T.relu_, torch.relu_), functools.partial(_basic.relu, inplace=True)),
    **dict.fromkeys((T.sigmoid_, torch.sigmoid_), SigmoidFunction.apply_in_place),
}
for _name in ("silu", "mish", "leaky_relu", "hardtanh", "relu6", "hardsigmoid", "hardswish"):
    _call = getattr(activations, _name)
    CATALOGUE |= {getattr(F, _name): _call, getattr(_NN, _name): activations.native(_call)}
    _IN_PLACE[getattr(_NN, f"{_name}_")] = _in_place(_call)
for _name in ("floor", "ceil", "round", "frac"):
    _call = _without_a_copy(getattr(rounding, _name))
    _IN_PLACE |= dict.fromkeys((getattr(torch, f"{_name}_"), getattr(T, f"{_name}_")), _call)
for _name in ("selu", "celu"):
    _call = getattr(activations, _name)
    CATALOGUE |= dict.fromkeys((getattr(F, _name), getattr(torch, _name)), _call)
    _IN_PLACE[getattr(torch, f"{_name}_")] = _in_place(_call)
CATALOGUE |= _IN_PLACE

# What is not a call of one of them as it stands may be one by torch's signatures.
SIGNATURES = {
    torchs: signatures(torchs, call) for torchs, call in CATALOGUE.items() if torchs not in (T.__getitem__, T.__setitem__)
}

# Whose errors name the argument, in torch's types.
EXPLAINED = (_basic.linear, _basic.relu, _basic.sigmoid, _basic.mse_loss)


# torch's compositions in Python, such as F.multi_head_attention_forward. Each asks whether somebody overrides torch's
# functions, and hands itself over to a mode, which is off while it answers. So a copy, to which the answer is no, runs in it.

_NOBODY = {name: lambda *_: False for name in ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")}


def _compositions(module: Any) -> dict[Any, Callable[..., Any]]:
    """Those of a module that would hand themselves over, to their copies."""
    names = {**vars(module), **_NOBODY}
    found: dict[Any, Callable[..., Any]] = {}
    for function in vars(module).values():
        is_here = isinstance(function, types.FunctionType) and function.__globals__ is vars(module)
        if is_here and "handle_torch_function" in function.__code__.co_names and not _is_of_cs_namesake(function):
            # Dynamo skips what it finds in torch/functional.py, and tells by the name of the file.
            code = function.__code__.replace(co_filename=f"{__file__}: {function.__code__.co_filename}")
            copy = types.FunctionType(code, names, function.__name__, function.__defaults__, function.__closure__)
            copy.__kwdefaults__ = function.__kwdefaults__
            found[function] = copy
    return found


def _is_of_cs_namesake(function: types.FunctionType) -> bool:
    """Whether it calls a function in C that its own name in torch hides, as torch.cdist does: Dynamo knows the one alone."""
    names = function.__code__.co_names
    calls_c = "_VF" in names or "_VariableFunctions" in names
    return calls_c and any(isinstance(getattr(torch, name, None), types.FunctionType) for name in names)


COMPOSITIONS = {
    function: copy
    for module in (F, torch.functional)
    for function, copy in _compositions(module).items()
    if function not in CATALOGUE
}

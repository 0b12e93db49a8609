"""`with by_hand():` inside it, those of torch's functions, methods and operators that the catalogue has run by hand."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import CheckpointFunction

from manualgrad._calls import activations, convolution, dropout, losses, movement, normalization, pooling, statistics
from manualgrad._calls import arithmetic as ours
from manualgrad.nn import functional

__all__ = ["by_hand"]

_C = TypeVar("_C", bound=Callable[..., Any])

_grad_is_enabled = torch.is_grad_enabled
_transforms_are_active = torch._C._are_functorch_transforms_active
_dynamo_is_tracing = torch.compiler.is_dynamo_compiling
_jit_trace = torch._C._get_tracing_state
_is_exporting = torch.compiler.is_exporting
_saved_tensor_hooks = torch._C._autograd._top_saved_tensors_default_hooks
_disabled = torch._C._disabled_torch_function_impl


class by_hand(TorchFunctionMode):
    """A context manager, and a decorator, that has what is called inside differentiated by hand.

    Each torch function, method and operator of the catalogue that is called from Python, and is to be differentiated, runs its
    hand-written Function: `x + residual`, `F.relu`, `torch.cat`, `q @ k.mT`, `x += y`. It is to be differentiated where an
    argument requires grad, carries a tangent of forward mode, or is wrapped by a transform of torch.func. What has no
    hand-written derivative is torch's own, and `audit` names it. Values, errors, views and version counters are torch's.

    A few things to know:

    - The mode belongs to its thread: a thread that is started inside, as those of DataParallel, enters one of its own.
    - What torch.utils.checkpoint computes again is outside the block. Enter one inside the checkpointed function, or pass
      `context_fn=lambda: (nullcontext(), by_hand())`; otherwise the backward raises a CheckpointError, and with
      `use_reentrant=True` the forward raises a RuntimeError.
    - A gradient that is taken with create_graph=True outside the block is recorded by torch's operators: its values are those
      of the hand-written derivative, and its own derivative is torch's.
    - Under torch.export, torch.jit.trace and torch.fx, torch's own operators stand in the graph.

    Example:
        >>> with by_hand():
        ...     loss = (model(x) - y).square().mean()
        >>> audit(loss).coverage
        1.0
    """

    def __enter__(self) -> by_hand:
        self._reentrant = None if _grad_is_enabled() or _dynamo_is_tracing() else _reentrant_checkpoint()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        hand_written = _CATALOGUE.get(func)
        if hand_written is not None:
            if _is_for_a_function(types, args, kwargs):
                return _answer(hand_written, func, args, kwargs)
            if not _grad_is_enabled() and not _dynamo_is_tracing():
                self._refuse_reentrant_checkpoint(args, kwargs)
        elif func in _COMPOSITIONS:
            reentrant = self._reentrant
            with self:
                self._reentrant = reentrant  # no new block begins
                return _COMPOSITIONS[func](*args, **kwargs)
        return func(*args, **kwargs)

    def __call__(self, function: _C) -> _C:
        """Decorate a function, each call of which is then a block of its own."""

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with by_hand():
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]

    def _refuse_reentrant_checkpoint(self, args: Any, kwargs: Any) -> None:
        if any(tensor.requires_grad for tensor in _tensors(args, kwargs)) and _reentrant_checkpoint() is not self._reentrant:
            raise RuntimeError(
                "by_hand: torch.utils.checkpoint with use_reentrant=True computes this again outside the block, with torch's "
                "own derivatives: enter by_hand inside the checkpointed function, or say use_reentrant=False and "
                "context_fn=lambda: (nullcontext(), by_hand())"
            )


def _is_for_a_function(types: Any, args: Any, kwargs: Any) -> bool:
    """Whether a call is to be differentiated, and on plain arrays alone."""
    if _jit_trace() is not None or _is_exporting():
        return False
    if any(t is not Tensor and t.__torch_function__ is not _disabled for t in types):
        return False
    all_count = _transforms_are_active() or forward_ad._current_level >= 0
    if not all_count and not _grad_is_enabled():
        return False
    differentiated = False
    for tensor in _tensors(args, kwargs):
        if tensor.layout is not torch.strided or tensor.is_nested:
            return False
        differentiated = differentiated or all_count or tensor.requires_grad
    return differentiated


def _tensors(args: Any, kwargs: Any) -> list[Tensor]:
    """Those among the arguments, and in lists and tuples among them."""
    found = []
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found.extend(v for v in value if isinstance(v, Tensor))
    return found


def _answer(hand_written: Any, func: Any, args: Any, kwargs: Any) -> Any:
    try:
        answer = hand_written(*args, **kwargs)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        if hand_written in _EXPLAINED or isinstance(error, torch.OutOfMemoryError):
            raise
        func(*args, **kwargs)  # raises torch's error
        raise
    if answer is NotImplemented:
        return func(*args, **kwargs)
    if not _dynamo_is_tracing():
        if _is_checkpointed():
            _mark(answer)
        if args and answer is args[0] and answer._base is not None:
            _remember_as_a_copy(answer)
    return answer


def _remember_as_a_copy(view: Any) -> None:
    """For audit: what autograd records of a changed view, CopySlices of its base and the view anew, is a copy and no more."""
    for node in (view._base.grad_fn, view.grad_fn):
        if node is not None:
            node.metadata["by_hand"] = True


# Checkpointing. What is computed again in the backward is not in the block. Its saved tensors would take the places of those
# that the hand-written Functions saved, and where they happen to fit, the gradients would be wrong without a word. So each
# Function saves one more, of a shape that nothing else has: torch.utils.checkpoint compares the shapes, and raises its
# CheckpointError.

_NO_OTHERS_SHAPE = (0, 0, 7, 18, 28)


class _Mark(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, nothing: Tensor) -> Tensor:
        ctx.save_for_backward(nothing)
        return nothing.clone()


def _is_checkpointed() -> bool:
    """Whether saved tensors go to torch.utils.checkpoint, which says so by an attribute of its hook."""
    hooks = _saved_tensor_hooks(True)
    return bool(hooks) and getattr(hooks[0], "_checkpoint_internal", False)


def _mark(answer: Any) -> None:
    """The mark lives as long as the node of the answer, which is what the backward may reach."""
    for output in answer if isinstance(answer, tuple) else (answer,):
        if isinstance(output, Tensor) and output.grad_fn is not None:
            metadata: Any = output.grad_fn.metadata
            metadata["by_hand"] = _Mark.apply(torch.empty(_NO_OTHERS_SHAPE, requires_grad=True)).grad_fn


def _reentrant_checkpoint() -> types.FrameType | None:
    """The innermost call of torch's reentrant checkpoint that this one is inside of."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None and frame.f_code is not CheckpointFunction.forward.__code__:
        frame = frame.f_back
    return frame


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

    def changed(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        value = function(input.clone() if keeps_input else input, *args, **kwargs)
        if value is NotImplemented or value.shape != input.shape or not _can_cast(value.dtype, input.dtype):
            return NotImplemented
        return input.copy_(value)

    return changed


_without_a_copy = functools.partial(_in_place, keeps_input=False)


# By torch's names for it.
_CATALOGUE: dict[Any, Callable[..., Any]] = {
    F.linear: functional.linear,
    F.relu: functional.relu,
    torch.relu: functional.relu,
    T.relu: functional.relu,
    torch.sigmoid: functional.sigmoid,
    T.sigmoid: functional.sigmoid,
    torch.special.expit: functional.sigmoid,
    F.mse_loss: functional.mse_loss,
    **dict.fromkeys((torch.add, T.add, T.__add__, T.__radd__), ours.add),
    **dict.fromkeys((torch.sub, torch.subtract, T.sub, T.subtract, T.__sub__), ours.sub),
    **dict.fromkeys((torch.rsub, T.__rsub__), ours.rsub),
    **dict.fromkeys((torch.mul, torch.multiply, T.mul, T.multiply, T.__mul__, T.__rmul__), ours.mul),
    **dict.fromkeys((torch.div, torch.divide, torch.true_divide, T.div, T.divide, T.true_divide, T.__truediv__), ours.div),
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
    _CATALOGUE |= dict.fromkeys((getattr(torch, _name), getattr(T, _name)), getattr(ours, _name))
_CATALOGUE |= {
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
    **dict.fromkeys((torch.tanh, T.tanh), activations.tanh),
    F.gelu: activations.gelu,
    F.softplus: activations.softplus,
    F.logsigmoid: activations.logsigmoid,
    F.softsign: activations.softsign,
    F.elu: activations.elu,
    _NN.elu: activations.native(activations.scaled_elu),
    F.batch_norm: normalization.batch_norm,
    torch.batch_norm: normalization.torch_batch_norm,
    torch.dropout: dropout.dropout,
    torch.feature_dropout: dropout.feature_dropout,
}
_IN_PLACE: dict[Any, Callable[..., Any]] = {
    **dict.fromkeys((T.add_, T.__iadd__), _without_a_copy(ours.add)),
    **dict.fromkeys((T.sub_, T.subtract_, T.__isub__), _without_a_copy(ours.sub)),
    **dict.fromkeys((T.mul_, T.multiply_, T.__imul__), _in_place(ours.mul)),
    **dict.fromkeys((T.div_, T.divide_, T.true_divide_, T.__itruediv__), _in_place(ours.div)),
    **dict.fromkeys((T.pow_, T.__ipow__), _in_place(ours.pow)),
    **dict.fromkeys((T.neg_, T.negative_, torch.neg_), _without_a_copy(ours.neg)),
    **dict.fromkeys((torch.tanh_, T.tanh_), _without_a_copy(activations.tanh)),
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
    **dict.fromkeys((T.relu_, torch.relu_), _without_a_copy(functional.relu)),
    **dict.fromkeys((T.sigmoid_, torch.sigmoid_), _without_a_copy(functional.sigmoid)),
}
for _name in ("silu", "mish", "leaky_relu", "hardtanh", "relu6", "hardsigmoid", "hardswish"):
    _call = getattr(activations, _name)
    _CATALOGUE |= {getattr(F, _name): _call, getattr(_NN, _name): activations.native(_call)}
    _IN_PLACE[getattr(_NN, f"{_name}_")] = _in_place(_call)
for _name in ("selu", "celu"):
    _call = getattr(activations, _name)
    _CATALOGUE |= dict.fromkeys((getattr(F, _name), getattr(torch, _name)), _call)
    _IN_PLACE[getattr(torch, f"{_name}_")] = _in_place(_call)
_CATALOGUE |= _IN_PLACE

# Whose errors name the argument, in torch's types.
_EXPLAINED = (functional.linear, functional.relu, functional.sigmoid, functional.mse_loss)


# torch's compositions in Python, such as F.multi_head_attention_forward. Each asks whether somebody overrides torch's
# functions, and hands itself over to a mode, which is off while it answers. So a copy, to which the answer is no, runs in it.

_NOBODY = {name: lambda *_: False for name in ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")}


def _compositions(module: Any) -> dict[Any, Callable[..., Any]]:
    """Those of a module that would hand themselves over, to their copies."""
    names = {**vars(module), **_NOBODY}
    found: dict[Any, Callable[..., Any]] = {}
    for function in vars(module).values():
        if isinstance(function, types.FunctionType) and "handle_torch_function" in function.__code__.co_names:
            copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
            copy.__kwdefaults__ = function.__kwdefaults__
            found[function] = copy
    return found


_COMPOSITIONS = {
    function: copy
    for module in (F, torch.functional)
    for function, copy in _compositions(module).items()
    if function not in _CATALOGUE
}

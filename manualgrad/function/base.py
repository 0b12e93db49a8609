"""`Function`: write a derivative by hand once, and it runs in every mode of PyTorch.

No single `torch.autograd.Function` works in every mode:

- With `forward(ctx, ...)` it is fast, but torch.func rejects it.
- With `setup_context` it works under torch.func, but each call costs several times as much (pytorch issue 189573).
- With a `jvp` it has forward mode, but torch.compile rejects it (180284).
- Forward over forward is silently 0 (197867).
- Under torch.compile, torch.func silently ignores its rules (192985, 193279).
- Under autocast its backward gets two dtypes and raises.

`Function` therefore gives each subclass three plain `torch.autograd.Function`s, its *variants*. They call back into the
subclass and differ only in what they show PyTorch:

============== ===================================== =========================================================
variant        runs                                  shows PyTorch
============== ===================================== =========================================================
`_eager`       by default                            `forward(ctx, ...)` and `backward`: the fast style
`_transformed` under torch.func and forward-mode AD  everything: `setup_context`, `jvp`, a vmap rule
`_compiled`    while torch.compile traces            `forward(ctx, ...)` and `backward`, with a traceable ctx
============== ===================================== =========================================================

`Function.apply` picks the variant and applies the class's autocast policy. Each variant has the name of the subclass, and
refers to it by the attribute `wraps`.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch.autograd import forward_ad
from torch.autograd.function import FunctionMeta

from manualgrad import _fused
from manualgrad.function.block import inside_the_block
from manualgrad.function.contexts import SavedContext, TracedContext
from manualgrad.function.functorch import at_the_level_below, batched_if_random, transforms_are_active
from manualgrad.function.in_place import copy_into
from manualgrad.function.needed import told_what_is_needed
from manualgrad.function.vmap import vmap_rule

__all__ = ["Function"]

_PlainFunction = torch.autograd.Function

_autocast_is_on: Callable[[], bool] = torch._C._is_any_autocast_enabled
_transforms_are_active = transforms_are_active
_dynamo_is_tracing = torch.compiler.is_dynamo_compiling
_formulas_are_fused = _fused.is_on


class _FunctionMeta(FunctionMeta):
    """An empty metaclass, because Dynamo ignores an overridden `apply` if `type(cls) is FunctionMeta`."""


_Policy = Literal["lower", "float32", "widest"] | None


class Function(_PlainFunction, metaclass=_FunctionMeta):
    """Base class for layers with a hand-written derivative; a `torch.autograd.Function` that works in every mode.

    A subclass defines these static methods, and users call `apply` with positional arguments:

    - `forward(*inputs)`: compute the output, without a ctx.
    - `setup_context(ctx, inputs, output)`: save what `backward` needs by `ctx.save_for_backward(...)`, and what `jvp` needs by
      `ctx.save_for_forward(...)`. **Save only inputs and outputs**: any other tensor makes second derivatives silently wrong
      (pytorch issues 76185, 104040).
    - `backward(ctx, *grad_outputs)`: return one gradient for each input, or None for an input without a gradient. Where
      `torch.autograd.grad` asks for some gradients alone, `ctx.needs_input_grad` may be False for the others.
    - `jvp(ctx, *tangents)`, for forward mode: return one tangent for each output.

    Write them with PyTorch operations, so that they can be vmapped, compiled and differentiated again. Otherwise set
    `generate_vmap_rule = False` or define `vmap`, as with `torch.autograd.Function`.

    Class attributes:
        autocast: how floating-point inputs are cast under `torch.autocast`. `"lower"` casts to the autocast dtype, as PyTorch
            does for matrix products; `"float32"` casts to float32, as PyTorch does for losses; `"widest"` casts to float32 if
            any input is float32, and otherwise to the autocast dtype, as `torch.cat` does; None does not cast. float64 is never
            cast. A dict maps device types to policies, because PyTorch's own lists differ by device: `{"cuda": "float32"}` does
            not cast on other devices. `forward`, `backward` and `jvp` run with autocast disabled.
        constant_slope: True for a piecewise linear function: its `backward` is linear in `grad_outputs` and, between the kinks,
            does not depend on the saved values. With `create_graph=True`, the derivative of a gradient with respect to a saved
            tensor is then 0, as for PyTorch's own operators, instead of missing.
        generate_vmap_rule: as in `torch.autograd.Function`, but True by default.

    Raises:
        TypeError: when a subclass is written in the old style, `forward(ctx, ...)`; when `apply` gets keyword arguments.

    Example:
        >>> class Square(Function):
        ...     @staticmethod
        ...     def forward(x):
        ...         return x * x
        ...
        ...     @staticmethod
        ...     def setup_context(ctx, inputs, output):
        ...         ctx.save_for_backward(*inputs)
        ...         ctx.save_for_forward(*inputs)
        ...
        ...     @staticmethod
        ...     def backward(ctx, grad_output):
        ...         (x,) = ctx.saved_tensors
        ...         return 2 * x * grad_output
        ...
        ...     @staticmethod
        ...     def jvp(ctx, dx):
        ...         (x,) = ctx.saved_tensors
        ...         return 2 * x * dx
        >>> torch.func.grad(Square.apply)(torch.tensor(3.0))
        tensor(6.)
    """

    autocast: ClassVar[_Policy | dict[str, _Policy]] = None
    constant_slope: ClassVar[bool] = False
    forward_in_place: ClassVar[Callable[..., Any] | None] = None
    generate_vmap_rule = True

    _eager: ClassVar[type[_PlainFunction]] = _PlainFunction
    _transformed: ClassVar[type[_PlainFunction]] = _PlainFunction
    _compiled: ClassVar[type[_PlainFunction]] = _PlainFunction

    if TYPE_CHECKING:  # Any signature is allowed; at run time torch's own definitions apply.

        @staticmethod
        def forward(*args: Any, **kwargs: Any) -> Any: ...
        @staticmethod
        def setup_context(*args: Any, **kwargs: Any) -> Any: ...
        @staticmethod
        def backward(*args: Any, **kwargs: Any) -> Any: ...
        @staticmethod
        def jvp(*args: Any, **kwargs: Any) -> Any: ...

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.forward is _PlainFunction.forward:
            return  # an abstract base class
        _refuse_old_style(cls)
        cls._eager = _eager_variant(cls)
        cls._transformed = _transformed_variant(cls)
        cls._compiled = _compiled_variant(cls)
        _not_yet_allowed_in_graph.append(weakref.ref(cls._transformed))

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Apply the Function to `args`, in the order of `forward`'s parameters."""
        if _autocast_is_on() or _transforms_are_active() or forward_ad._current_level >= 0 or _dynamo_is_tracing() or kwargs:
            return cls._apply_in_a_mode(*args, **kwargs)
        return (_fused_variant(cls) if _formulas_are_fused() else cls._eager).apply(*args)

    @classmethod
    def apply_in_place(cls, x: torch.Tensor, *others: Any) -> torch.Tensor:
        """Apply the Function, write its output into `x` and return `x`; where possible, without a second array.

        The output must have the shape and dtype of x. The backward must need only the output, or give the same result with the
        output in place of x. A static method `forward_in_place`, with the arguments of `forward`, may change x itself;
        otherwise the output is copied into x.

        Raises:
            RuntimeError: as torch's in-place operators do, for example for a leaf that requires grad.
        """
        if (
            _autocast_is_on()
            or _transforms_are_active()
            or forward_ad._current_level >= 0
            or _dynamo_is_tracing()
            or x.is_leaf
            or x._is_view()
        ):
            # vmap and torch.compile mishandle a Function that marks its input dirty; a leaf must not change before the error;
            # and CopySlices, which autograd records for a view, would hide the Function. x is cloned for a Function that
            # saves it.
            return copy_into(cls.apply(x.clone(), *others), x)
        return _in_place_variant(cls, _formulas_are_fused()).apply(x, *others)

    @classmethod
    def _apply_in_a_mode(cls, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise TypeError(
                f"{cls.__name__}.apply takes only positional arguments, got {', '.join(f'{k}=' for k in kwargs)}: "
                f"write {cls.__name__}.apply({', '.join(inspect.signature(cls.forward).parameters)})"
            )
        if _autocast_is_on():
            device_type = _device_type(args)
            if _autocast_is_on_for(device_type):
                args = _cast(args, cls.autocast, device_type)
                with torch.autocast(device_type, enabled=False):
                    return cls.apply(*args)
        if _transforms_are_active() or forward_ad._current_level >= 0:
            if _dynamo_is_tracing():
                _allow_transformed_variants_in_graph()
            elif _transforms_are_active() and cls.vmap is _PlainFunction.vmap:
                args = batched_if_random(cls.forward, args)
            return cls._transformed.apply(*args)
        if _dynamo_is_tracing():
            args = _each_once(args)
            with torch._C.DisableTorchFunction():  # Dynamo traces the backward here: by_hand must not see it
                return cls._compiled.apply(*args)
        return (_fused_variant(cls) if _formulas_are_fused() else cls._eager).apply(*args)


def _refuse_old_style(cls: type[Function]) -> None:
    parameters = list(inspect.signature(cls.forward).parameters)
    has_setup_context = cls.setup_context is not _PlainFunction.setup_context
    if not has_setup_context or parameters[:1] == ["ctx"]:
        inputs = ", ".join(parameters[1:] if parameters[:1] == ["ctx"] else parameters)
        raise TypeError(
            f"{cls.__name__} is written in the old style, forward(ctx, ...): write `def forward({inputs})` without ctx, "
            "and move the use of ctx to `def setup_context(ctx, inputs, output)` (both static methods)"
        )


def _defaults_of(forward: Callable[..., Any]) -> dict[int, tuple[Any, ...]]:
    """Map each number of positional arguments that defaults can complete to those defaults."""
    parameters = list(inspect.signature(forward).parameters.values())
    missing: tuple[Any, ...] = ()
    found = {}
    for i in reversed(range(len(parameters))):
        if parameters[i].default is inspect.Parameter.empty:
            break
        missing = (parameters[i].default, *missing)
        found[i] = missing
    return found


# Variants.


def _variant(cls: type[Function], **methods: Callable[..., Any]) -> type[_PlainFunction]:
    """Return a plain torch.autograd.Function that runs `cls` under its name."""
    methods = {"backward": _backward_of(cls), **methods}
    attributes: dict[str, Any] = {name: staticmethod(method) for name, method in methods.items()}
    attributes |= {"wraps": cls, "__module__": cls.__module__, "__doc__": cls.__doc__}
    for name in ("clear_saved_tensors_on_access", "boxed_grads_call"):
        attributes[name] = getattr(cls, name, False)
    return type(cls.__name__, (_PlainFunction,), attributes)


def _eager_variant(
    cls: type[Function], wrap: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda method: method
) -> type[_PlainFunction]:
    """Return the eager variant, with `wrap` around the forward and the backward."""
    compute, setup_context, defaults = wrap(cls.forward), cls.setup_context, _defaults_of(cls.forward)

    def forward(ctx: Any, *args: Any) -> Any:
        if defaults:
            args += defaults.get(len(args), ())
        output = compute(*args)
        if type(output) is not torch.Tensor or output._is_view():
            output = _detach_views(output, args)
        setup_context(ctx, args, output)
        return output

    variant = _variant(cls, forward=forward, backward=wrap(_backward_of(cls, told_what_is_needed)))
    # Two shortcuts past PyTorch's Python code, which dominates the cost of a small layer (pytorch issue 189573): a backward
    # node looks up its Function at each call, and save_for_forward checks tensors, though this variant has no forward mode.
    node: Any = variant._backward_cls
    node.apply = variant.backward
    node.save_for_forward = _save_nothing
    return variant


@functools.cache
def _fused_variant(cls: type[Function]) -> Any:
    """Return the eager variant for calls inside `fused`, whose forward and backward are fused; built on demand."""
    return _eager_variant(cls, _fused.fusing)


@functools.cache
def _in_place_variant(cls: type[Function], is_fused: bool) -> Any:
    """Return the variant for `apply_in_place`; built on demand, since few Functions need it."""

    def forward(ctx: Any, x: torch.Tensor, *others: Any) -> torch.Tensor:
        data = x.data  # mark_dirty increments x's version
        if cls.forward_in_place is None:
            data.copy_(cls.forward(x, *others))
        else:
            cls.forward_in_place(data, *others)
        ctx.mark_dirty(x)
        cls.setup_context(ctx, (x, *others), x)
        return x

    backward = _backward_of(cls, told_what_is_needed)
    variant = _variant(cls, forward=forward, backward=_fused.fusing(backward) if is_fused else backward)
    node: Any = variant._backward_cls
    node.save_for_forward = _save_nothing
    return variant


def _detach_views(output: Any, inputs: tuple[Any, ...]) -> Any:
    """Detach outputs that are views of intermediate results: autograd forbids changing such views in place.

    Views of an input stay views.
    """
    if isinstance(output, tuple):
        return tuple(_detach_views(o, inputs) for o in output)
    if isinstance(output, list):
        raise TypeError(
            "forward of a Function must return a Tensor or a tuple of Tensors, got a list, which would have no gradient"
        )
    if not isinstance(output, torch.Tensor) or not output._is_view():
        return output
    bases = [base for i in inputs if isinstance(i, torch.Tensor) for base in (i, i._base)]
    return output if any(output._base is base for base in bases) else output.detach()


_save_nothing = itertools.chain  # ignores any arguments, without a Python frame


def _transformed_variant(cls: type[Function]) -> type[_PlainFunction]:
    @functools.wraps(cls.forward)  # PyTorch reads the defaults
    def forward(*inputs: Any) -> Any:
        return _detach_views(cls.forward(*inputs), inputs)

    methods: dict[str, Any] = {"forward": forward, "setup_context": cls.setup_context}
    if cls.jvp is not _PlainFunction.jvp:
        methods["jvp"] = _jvp_of(cls)
    if cls.vmap is not _PlainFunction.vmap:
        methods["vmap"] = cls.vmap
    elif cls.generate_vmap_rule:
        methods["vmap"] = vmap_rule(cls, Function)
    return _variant(cls, **methods)


def _jvp_of(cls: type[Function]) -> Callable[..., Any]:
    def jvp(ctx: Any, *tangents: Any) -> Any:
        def rule(tensors: Any) -> Any:
            saved, tangents = tensors
            return cls.jvp(SavedContext(ctx, saved), *tangents)

        return at_the_level_below(inside_the_block(rule), (ctx.saved_tensors, tangents))

    return jvp


def _compiled_variant(cls: type[Function]) -> type[_PlainFunction]:
    compute, setup_context, defaults = cls.forward, cls.setup_context, _defaults_of(cls.forward)

    def forward(ctx: Any, *args: Any) -> Any:
        args += defaults.get(len(args), ())
        output = compute(*args)
        setup_context(TracedContext(ctx), args, output)
        return output

    # Without gradients, Dynamo decides by the number of parameters whether the first one is a ctx.
    parameters = [inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_ONLY)]
    parameters += [p.replace(kind=p.POSITIONAL_ONLY) for p in inspect.signature(compute).parameters.values()]
    forward.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return _variant(cls, forward=forward)


def _backward_of(
    cls: type[Function], wrap: Callable[[Callable[..., Any]], Callable[..., Any]] = lambda method: method
) -> Callable[..., Any]:
    back = wrap(cls.backward if cls.vjp is _PlainFunction.vjp else cls.vjp)
    if cls.constant_slope:
        back = _with_zero_derivatives(back)

    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        # `loss.backward()` may be inside an autocast region, and torch.func.grad runs the backward in it, too.
        if _autocast_is_on():
            device_type = _device_type(grad_outputs)
            if _autocast_is_on_for(device_type):
                with torch.autocast(device_type, enabled=False):
                    return back(ctx, *grad_outputs)
        return back(ctx, *grad_outputs)

    def backward_of_one(ctx: Any, grad_output: Any) -> Any:  # the usual case; faster without a tuple
        return backward(ctx, grad_output) if _autocast_is_on() else back(ctx, grad_output)

    parameters = inspect.signature(back).parameters.values()
    return backward_of_one if [p.kind for p in parameters] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2 else backward


def _with_zero_derivatives(back: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a backward so that recorded gradients have derivative 0 with respect to the saved tensors."""

    @functools.wraps(back)
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        if not torch.is_grad_enabled() or _dynamo_is_tracing() or _transforms_are_active():
            return back(ctx, *grad_outputs)  # torch.func fills in zeros itself
        saved = ctx.saved_tensors  # read once, as torch.utils.checkpoint requires
        found = back(SavedContext(ctx, saved), *grad_outputs)
        recorded = [t for t in saved if t is not None and t.requires_grad]
        gradients = found if isinstance(found, tuple) else (found,)
        gradients = tuple(g if g is None or not recorded else _ConstantInFunction.apply(g, *recorded) for g in gradients)
        return gradients if isinstance(found, tuple) else gradients[0]

    return backward


def _each_once(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Replace a repeated tensor, as in x * x, with a view: Dynamo rejects a "duplicate tensor input"."""
    found: list[Any] = []
    for value in args:
        is_there = isinstance(value, torch.Tensor) and any(value is other for other in found)
        found.append(value.view_as(value) if is_there else value)
    return tuple(found)


# torch.compile with torch.func. Under a transform, Dynamo traces into a Function's `forward`, differentiates that, and
# silently ignores the hand-written rules (pytorch issues 192985, 193279). It does not trace into a class that is allowed
# in the graph. allow_in_graph imports torch._dynamo (about 2 s), so it is called only while Dynamo is tracing.

_not_yet_allowed_in_graph: list[weakref.ref[type[_PlainFunction]]] = []


def _allow_transformed_variants_in_graph() -> None:
    while _not_yet_allowed_in_graph:
        variant = _not_yet_allowed_in_graph.pop()()
        if variant is not None:
            torch.compiler.allow_in_graph(variant)


# The mark of torch.compiler.assume_constant_result, without its import: Dynamo calls the function while tracing.
_allow_transformed_variants_in_graph._dynamo_marked_constant = True  # type: ignore[attr-defined]


# Autocast.


def _device_type(args: tuple[Any, ...]) -> str:
    return next((a.device.type for a in args if isinstance(a, torch.Tensor)), "cpu")


def _autocast_is_on_for(device_type: str) -> bool:
    # torch.is_autocast_enabled raises for a device without autocast, such as "meta".
    return torch.amp.is_autocast_available(device_type) and torch.is_autocast_enabled(device_type)


def _cast(args: tuple[Any, ...], policy: _Policy | dict[str, _Policy], device_type: str) -> tuple[Any, ...]:
    if isinstance(policy, dict):
        policy = policy.get(device_type)
    if policy is None:
        return args
    castable = [isinstance(a, torch.Tensor) and a.is_floating_point() and a.dtype != torch.float64 for a in args]
    any_float32 = any(is_castable and a.dtype == torch.float32 for a, is_castable in zip(args, castable, strict=True))
    if policy == "float32" or (policy == "widest" and any_float32):
        dtype = torch.float32
    else:
        dtype = torch.get_autocast_dtype(device_type)
    return tuple(a.to(dtype) if is_castable else a for a, is_castable in zip(args, castable, strict=True))


class _ConstantInFunction(Function):
    """Copy of the first tensor, whose derivative with respect to the others is 0."""

    @staticmethod
    def forward(gradient: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        return gradient.clone()  # a view could not be changed in place

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        ctx.others = [(t.shape, t.dtype) for t in inputs[1:]]

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return g, *(g.new_zeros(shape, dtype=dtype) for shape, dtype in ctx.others)

    @staticmethod
    def jvp(ctx: Any, dg: torch.Tensor, *_: Any) -> torch.Tensor:
        return dg.clone()

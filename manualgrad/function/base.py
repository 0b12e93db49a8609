"""`Function`: write a derivative once, by hand, and have it run in every mode of PyTorch.

A plain `torch.autograd.Function` has to choose. Written as `forward(ctx, ...)` it is fast, but torch.func refuses it;
written as `forward(...)` with `setup_context` it works under torch.func, but each call costs several times as much
(pytorch issue 189573); with a `jvp` it has forward mode, but torch.compile refuses it (180284); under torch.compile,
torch.func drops its rules without a word (192985, 193279), and forward over forward is 0 (197867); under autocast its backward
meets two dtypes and raises.

So one class is written, and three are run. When `Function` is subclassed, it makes three plain
`torch.autograd.Function`s, the *variants*, that call back into the subclass and differ only in what they show PyTorch:

============== ===================================== =========================================================
variant        runs                                  what it shows
============== ===================================== =========================================================
`_eager`       by default                            `forward(ctx, ...)` and `backward`: the fast style
`_transformed` under torch.func and forward-mode AD  everything: `setup_context`, `jvp`, a vmap rule
`_compiled`    while torch.compile traces            `forward(ctx, ...)` and `backward`, with a context of its own
============== ===================================== =========================================================

`Function.apply` picks the variant, and applies the class's autocast policy. Each variant has the subclass's name, and the
subclass itself as its attribute `wraps`.
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

from manualgrad.function.contexts import SavedContext, TracedContext
from manualgrad.function.functorch import at_the_level_below, batched_if_random, transforms_are_active
from manualgrad.function.in_place import copy_into
from manualgrad.function.vmap import vmap_rule

__all__ = ["Function"]

_PlainFunction = torch.autograd.Function

_autocast_is_on: Callable[[], bool] = torch._C._is_any_autocast_enabled
_transforms_are_active = transforms_are_active
_dynamo_is_tracing = torch.compiler.is_dynamo_compiling


class _FunctionMeta(FunctionMeta):
    """A metaclass only for its type: where `type(cls) is FunctionMeta`, Dynamo ignores an overridden `apply`."""


_Policy = Literal["lower", "float32", "widest"] | None


class Function(_PlainFunction, metaclass=_FunctionMeta):
    """Base class of layers with a hand-written derivative; a `torch.autograd.Function` that works in every mode.

    A subclass writes these static methods, and its users call `apply` with positional arguments:

    - `forward(*inputs)`: the value, without a ctx.
    - `setup_context(ctx, inputs, output)`: `ctx.save_for_backward(...)` what `backward` needs, `ctx.save_for_forward(...)`
      what `jvp` needs. **Save only inputs and outputs**: a tensor that is neither makes second derivatives silently wrong
      (pytorch issues 76185, 104040).
    - `backward(ctx, *grad_outputs)`: one gradient for each input, None where there is none.
    - `jvp(ctx, *tangents)`, for forward mode: one tangent for each output.

    All are made of PyTorch operations, so that they can be vmapped, compiled and differentiated again; a Function that
    is not may set `generate_vmap_rule = False`, or define `vmap` itself, as with `torch.autograd.Function`.

    Class attributes:
        autocast: what happens to the floating-point inputs under `torch.autocast` (float64 is never cast):
            `"lower"` casts them to autocast's dtype, as PyTorch does for matrix products; `"float32"` to float32, as it
            does for losses; `"widest"` to float32 where one of them is, and else to autocast's dtype, as for `torch.cat`; None
            leaves them as they come. A dict has one of these for each type of device, as PyTorch's own lists differ:
            `{"cuda": "float32"}` leaves them as they come elsewhere. `forward`, `backward` and `jvp` run with autocast off.
        constant_slope: set it for a piecewise linear function, whose `backward` is linear in `grad_outputs` and does not change
            with what was saved between the kinks. With `create_graph=True`, the derivative of a gradient by a saved tensor is
            then 0, as of PyTorch's own operators, and not missing.
        generate_vmap_rule: as with `torch.autograd.Function`, but True by default.

    Raises:
        TypeError: when a subclass is defined in the old style, `forward(ctx, ...)`; when `apply` gets keyword arguments.

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

    if TYPE_CHECKING:  # Any signature fits; at run time torch's own definitions stand.

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
            return  # a base class for others
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
        return cls._eager.apply(*args)

    @classmethod
    def apply_in_place(cls, x: torch.Tensor, *others: Any) -> torch.Tensor:
        """Apply the Function and write its output into `x`, which is returned: where that can be had, without a second array.

        For a Function whose backward needs its output, or finds the same with the output in the place of x, and whose output
        has the shape and dtype of x. It may have a static method `forward_in_place`, of forward's arguments, which changes x;
        else x gets a copy of the output.

        Raises:
            RuntimeError: as torch's operators in place do, for a leaf that requires grad and the like.
        """
        if (
            _autocast_is_on()
            or _transforms_are_active()
            or forward_ad._current_level >= 0
            or _dynamo_is_tracing()
            or x.is_leaf
            or x._is_view()
        ):
            # Neither vmap nor torch.compile gets a Function right that marks its input dirty; a leaf must not be written into
            # before the error; and CopySlices, which autograd makes for a view, would hide the Function. The copy is for a
            # Function that saves x.
            return copy_into(cls.apply(x.clone(), *others), x)
        return _in_place_variant(cls).apply(x, *others)

    @classmethod
    def _apply_in_a_mode(cls, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise TypeError(
                f"{cls.__name__}.apply takes positional arguments only, and got {', '.join(f'{k}=' for k in kwargs)}: "
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
            with torch._C.DisableTorchFunction():  # Dynamo traces the backward now: it is not a matter for by_hand
                return cls._compiled.apply(*args)
        return cls._eager.apply(*args)


def _refuse_old_style(cls: type[Function]) -> None:
    parameters = list(inspect.signature(cls.forward).parameters)
    has_setup_context = cls.setup_context is not _PlainFunction.setup_context
    if not has_setup_context or parameters[:1] == ["ctx"]:
        inputs = ", ".join(parameters[1:] if parameters[:1] == ["ctx"] else parameters)
        raise TypeError(
            f"{cls.__name__} is written in the old style, forward(ctx, ...): write `def forward({inputs})` without ctx, "
            "and what it did with ctx in `def setup_context(ctx, inputs, output)` (both static methods)"
        )


def _defaults_of(forward: Callable[..., Any]) -> dict[int, tuple[Any, ...]]:
    """For each number of arguments that leaves only defaults to fill: the defaults that fill them."""
    parameters = list(inspect.signature(forward).parameters.values())
    missing: tuple[Any, ...] = ()
    found = {}
    for i in reversed(range(len(parameters))):
        if parameters[i].default is inspect.Parameter.empty:
            break
        missing = (parameters[i].default, *missing)
        found[i] = missing
    return found


# The variants.


def _variant(cls: type[Function], **methods: Callable[..., Any]) -> type[_PlainFunction]:
    """A plain torch.autograd.Function that runs `cls` under its name."""
    methods = {"backward": _backward_of(cls), **methods}
    attributes: dict[str, Any] = {name: staticmethod(method) for name, method in methods.items()}
    attributes |= {"wraps": cls, "__module__": cls.__module__, "__doc__": cls.__doc__}
    for name in ("clear_saved_tensors_on_access", "boxed_grads_call"):
        attributes[name] = getattr(cls, name, False)
    return type(cls.__name__, (_PlainFunction,), attributes)


def _eager_variant(cls: type[Function]) -> type[_PlainFunction]:
    compute, setup_context, defaults = cls.forward, cls.setup_context, _defaults_of(cls.forward)

    def forward(ctx: Any, *args: Any) -> Any:
        if defaults:
            args += defaults.get(len(args), ())
        output = compute(*args)
        if type(output) is not torch.Tensor or output._is_view():
            output = _detach_views(output, args)
        setup_context(ctx, args, output)
        return output

    variant = _variant(cls, forward=forward)
    # Two shortcuts past PyTorch's Python, which is most of what a small layer costs (pytorch issue 189573): a backward
    # node looks its Function up at each call, and forward mode, whose tensors would be checked, is another variant's work.
    node: Any = variant._backward_cls
    node.apply = variant.backward
    node.save_for_forward = _save_nothing
    return variant


@functools.cache
def _in_place_variant(cls: type[Function]) -> Any:
    """Made when it is wanted: few Functions have one."""

    def forward(ctx: Any, x: torch.Tensor, *others: Any) -> torch.Tensor:
        data = x.data  # as mark_dirty counts the new version
        if cls.forward_in_place is None:
            data.copy_(cls.forward(x, *others))
        else:
            cls.forward_in_place(data, *others)
        ctx.mark_dirty(x)
        cls.setup_context(ctx, (x, *others), x)
        return x

    variant = _variant(cls, forward=forward)
    node: Any = variant._backward_cls
    node.save_for_forward = _save_nothing
    return variant


def _detach_views(output: Any, inputs: tuple[Any, ...]) -> Any:
    """The output, or each of them, but not as a view of what the forward computed, which autograd forbids to change in place.

    What is a view of an input stays one.
    """
    if isinstance(output, tuple):
        return tuple(_detach_views(o, inputs) for o in output)
    if isinstance(output, list):
        raise TypeError(
            "the forward of a Function must return a Tensor or a tuple of them, and returns a list, without gradient"
        )
    if not isinstance(output, torch.Tensor) or not output._is_view():
        return output
    bases = [base for i in inputs if isinstance(i, torch.Tensor) for base in (i, i._base)]
    return output if any(output._base is base for base in bases) else output.detach()


_save_nothing = itertools.chain  # takes any arguments and looks at none, without a frame of Python


def _transformed_variant(cls: type[Function]) -> type[_PlainFunction]:
    @functools.wraps(cls.forward)  # PyTorch reads its defaults
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

        return at_the_level_below(rule, (ctx.saved_tensors, tangents))

    return jvp


def _compiled_variant(cls: type[Function]) -> type[_PlainFunction]:
    compute, setup_context, defaults = cls.forward, cls.setup_context, _defaults_of(cls.forward)

    def forward(ctx: Any, *args: Any) -> Any:
        args += defaults.get(len(args), ())
        output = compute(*args)
        setup_context(TracedContext(ctx), args, output)
        return output

    # Where no gradient is wanted, Dynamo counts the parameters to tell whether the first of them is a ctx.
    parameters = [inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_ONLY)]
    parameters += [p.replace(kind=p.POSITIONAL_ONLY) for p in inspect.signature(compute).parameters.values()]
    forward.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return _variant(cls, forward=forward)


def _backward_of(cls: type[Function]) -> Callable[..., Any]:
    back = cls.backward if cls.vjp is _PlainFunction.vjp else cls.vjp
    if cls.constant_slope:
        back = _with_zero_derivatives(back)

    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        # `loss.backward()` may stand inside an autocast region, and torch.func.grad runs the backward there too.
        if _autocast_is_on():
            device_type = _device_type(grad_outputs)
            if _autocast_is_on_for(device_type):
                with torch.autocast(device_type, enabled=False):
                    return back(ctx, *grad_outputs)
        return back(ctx, *grad_outputs)

    def backward_of_one(ctx: Any, grad_output: Any) -> Any:  # most have one, and Python is quicker without the tuple
        return backward(ctx, grad_output) if _autocast_is_on() else back(ctx, grad_output)

    parameters = inspect.signature(back).parameters.values()
    return backward_of_one if [p.kind for p in parameters] == [inspect.Parameter.POSITIONAL_OR_KEYWORD] * 2 else backward


def _with_zero_derivatives(back: Callable[..., Any]) -> Callable[..., Any]:
    """A backward whose gradients, where they are recorded, have derivatives of 0 by the saved tensors."""

    @functools.wraps(back)
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        if not torch.is_grad_enabled() or _dynamo_is_tracing() or _transforms_are_active():
            return back(ctx, *grad_outputs)  # torch.func gives zeros itself
        saved = ctx.saved_tensors  # once, as torch.utils.checkpoint demands
        found = back(SavedContext(ctx, saved), *grad_outputs)
        recorded = [t for t in saved if t is not None and t.requires_grad]
        gradients = found if isinstance(found, tuple) else (found,)
        gradients = tuple(g if g is None or not recorded else _ConstantInFunction.apply(g, *recorded) for g in gradients)
        return gradients if isinstance(found, tuple) else gradients[0]

    return backward


def _each_once(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """A tensor that is given twice, as in x * x, as a view the second time: Dynamo refuses a "duplicate tensor input"."""
    found: list[Any] = []
    for value in args:
        is_there = isinstance(value, torch.Tensor) and any(value is other for other in found)
        found.append(value.view_as(value) if is_there else value)
    return tuple(found)


# torch.compile and torch.func together. Where a transform is active, Dynamo traces into a Function's `forward` and
# differentiates that, and the hand-written rules are dropped without a word (pytorch issues 192985, 193279). A class
# that is allowed in the graph is not traced into; but saying so imports torch._dynamo, about 2 s, hence only while
# Dynamo itself is tracing.

_not_yet_allowed_in_graph: list[weakref.ref[type[_PlainFunction]]] = []


def _allow_transformed_variants_in_graph() -> None:
    while _not_yet_allowed_in_graph:
        variant = _not_yet_allowed_in_graph.pop()()
        if variant is not None:
            torch.compiler.allow_in_graph(variant)


# As torch.compiler.assume_constant_result marks it, without its import: Dynamo calls it for real while it traces.
_allow_transformed_variants_in_graph._dynamo_marked_constant = True  # type: ignore[attr-defined]


# Autocast.


def _device_type(args: tuple[Any, ...]) -> str:
    return next((a.device.type for a in args if isinstance(a, torch.Tensor)), "cpu")


def _autocast_is_on_for(device_type: str) -> bool:
    # Not every device has autocast, and torch.is_autocast_enabled raises for one that has not ("meta").
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
    """The first of some tensors, as a function of the others, too, by which its derivative is 0."""

    @staticmethod
    def forward(gradient: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
        return gradient.clone()  # not a view, which could not be changed in place

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        ctx.others = [(t.shape, t.dtype) for t in inputs[1:]]

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return g, *(g.new_zeros(shape, dtype=dtype) for shape, dtype in ctx.others)

    @staticmethod
    def jvp(ctx: Any, dg: torch.Tensor, *_: Any) -> torch.Tensor:
        return dg.clone()

"""MLP: a network of fully connected layers as a single autograd node.

In eager mode the whole stack is one node of the autograd graph, `StackFunction`: it saves the activations of its forward pass,
and its backward is that of stack.py. In all other cases (torch.compile, torch.func, autocast, tracing, hooks on a layer, half
precision, a TorchFunctionMode, ...) the layers run one by one, as in a Sequential.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.jit import is_scripting  # type: ignore[attr-defined]
from torch.nn import Module, Sequential
from torch.nn.modules.module import _has_any_global_hook

from manualgrad import nn, product
from manualgrad.functions import LinearFunction, ReLUFunction, SigmoidFunction
from manualgrad.functions.activations.tanh import TanhFunction
from manualgrad.network import stack

__all__ = ["MLP", "StackFunction"]

_ACTIVATIONS: dict[str, type[Module]] = {
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "identity": torch.nn.Identity,
}
_FUNCTIONS: dict[str, Any] = {"sigmoid": SigmoidFunction, "relu": ReLUFunction, "tanh": TanhFunction}
_NAMES: dict[type, str] = {layer: name for name, layer in _ACTIVATIONS.items()}

_autocast_is_on = torch._C._is_any_autocast_enabled
_transforms_are_active = torch._C._are_functorch_transforms_active
_jit_trace = torch._C._get_tracing_state
_function_modes = torch._C._len_torch_function_stack


class StackFunction(torch.autograd.Function):
    """Computes a[L] of stack.py: `StackFunction.apply(x, activations, W_0, b_0, W_1, b_1, ...)`; b_l is None without a bias.

    It saves the activations between the layers, which are neither inputs nor outputs. A differentiable backward
    (`create_graph`) therefore does not use them, but recomputes them, layer by layer, from the inputs.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, activations: tuple[str, ...], *parameters: Tensor | None) -> Tensor:
        a = stack.forward(x, parameters[::2], parameters[1::2], activations)
        ctx.activations = activations
        ctx.save_for_backward(*a, *parameters)
        return a[-1]

    @staticmethod
    def backward(ctx: Any, dC_da: Tensor) -> tuple[Tensor | None, ...]:
        if _autocast_is_on() and torch.amp.is_autocast_available(dC_da.device.type):  # backward() was called under autocast
            with torch.autocast(dC_da.device.type, enabled=False):
                return StackFunction._backward(ctx, dC_da)
        return StackFunction._backward(ctx, dC_da)

    @staticmethod
    def _backward(ctx: Any, dC_da: Tensor) -> tuple[Tensor | None, ...]:
        L = len(ctx.activations)
        saved = ctx.saved_tensors  # read once, because checkpoint recomputes them at each access
        a, parameters = saved[: L + 1], saved[L + 1 :]
        x_needs_grad, _, *need_grad = ctx.needs_input_grad
        if torch.is_grad_enabled():
            return _differentiable_backward(a[0], parameters, ctx.activations, dC_da, ctx.needs_input_grad)
        dC_dx: Tensor | None = None
        gradients: list[Tensor | None] = [None] * (2 * L)
        first = 0 if x_needs_grad else next((i // 2 for i, needs_grad in enumerate(need_grad) if needs_grad), L)
        layers = stack.backward(a, parameters[::2], ctx.activations, dC_da, first=first, frugal=True)
        for l, dC_da, delta in layers:
            if need_grad[2 * l]:
                gradients[2 * l] = product.mm(delta.t(), a[l])
            if need_grad[2 * l + 1]:
                gradients[2 * l + 1] = delta.sum(0)
            if l == 0 and x_needs_grad:
                dC_dx = stack.dC_da_previous(delta, parameters[0])
            del dC_da, delta  # frees each array before the next layer's is computed
        return dC_dx, None, *gradients


def _differentiable_backward(
    x: Tensor, parameters: tuple[Tensor | None, ...], activations: tuple[str, ...], dC_da: Tensor, need_grad: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    """Compute the same gradients with the layers' Functions, which can be differentiated again."""
    # Aliases, because autograd itself calls the hooks of the inputs, once, with the returned gradients.
    inputs: list[Any] = [None if t is None else t.view_as(t) for t in (x, *parameters)]
    a, *aliases = inputs
    for W, b, activation in zip(aliases[::2], aliases[1::2], activations, strict=True):
        a = LinearFunction.apply(a, W, b)
        if activation != "identity":
            a = _FUNCTIONS[activation].apply(a)
    needed = [i for i, needs_grad in enumerate((need_grad[0], *need_grad[2:])) if needs_grad]
    found = dict(zip(needed, torch.autograd.grad(a, [inputs[i] for i in needed], dC_da, create_graph=True), strict=True))
    return found.get(0), None, *(found.get(i) for i in range(1, len(inputs)))


class MLP(Sequential):
    """A network of fully connected layers: Linear, activation, Linear, activation, ...

    The initialization and the state_dict are those of a Sequential of these layers: "0.weight", "0.bias", "2.weight", ...

    Args:
        sizes: the number of neurons in each layer, from the inputs to the outputs: [784, 16, 16, 10].
        activation: "sigmoid", "relu", "tanh" or "identity" (none) after every layer, or a sequence of these, one for each layer
            after the inputs.
        bias: whether the layers have biases.
        device, dtype: the device and dtype of the parameters.

    Shapes:
        [..., sizes[0]] to [..., sizes[-1]].

    Raises:
        ValueError: when `sizes` or `activation` is invalid: `MLP([784, 10], activation='gelu')`.
        RuntimeError: when the input's shape does not match: `MLP([784, 10])(torch.rand(100, 783))`.

    Example:
        >>> model = MLP([784, 16, 16, 10])
        >>> model(torch.rand(100, 784)).shape
        torch.Size([100, 10])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Sequence[str] = "sigmoid",
        bias: bool = True,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        sizes = list(sizes)
        if len(sizes) < 2 or not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ValueError(f"MLP: sizes must be two or more positive integers, such as [784, 16, 10], got {sizes}")
        activations = [activation] * (len(sizes) - 1) if isinstance(activation, str) else list(activation)
        for name in activations:
            if name not in _ACTIVATIONS:
                raise ValueError(f"MLP: activation must be one of {', '.join(_ACTIVATIONS)}, or a sequence, got {name!r}")
        if len(activations) != len(sizes) - 1:
            raise ValueError(
                f"MLP: activation must have one name per layer after the inputs, {len(sizes) - 1}, got {len(activations)}"
            )
        layers: list[torch.nn.Module] = []
        for (inputs, outputs), name in zip(itertools.pairwise(sizes), activations, strict=True):
            layers += [nn.Linear(inputs, outputs, bias, device, dtype), _ACTIVATIONS[name]()]
        super().__init__(*layers)

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, slice):  # Sequential's would call MLP() with these layers
            return Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)

    def forward(self, input: Tensor) -> Tensor:
        if is_scripting():
            for module in self:
                input = module(input)
            return input
        return self._in_eager_mode(input)

    def _in_eager_mode(self, input: Tensor) -> Tensor:
        layers = None if _in_a_mode(input) else self._layers()
        if layers is not None:
            try:
                return StackFunction.apply(input, *layers)
            except RuntimeError:  # running the layers one by one raises a clearer error
                pass
        output: Tensor = Sequential.forward(self, input)  # type: ignore[no-untyped-call]
        return output

    def _layers(self) -> list[Any] | None:
        """Return the activations, then W and b of each layer; None if the layers have been changed or have hooks."""
        activations: list[str] = []
        parameters: list[Any] = []
        for i, module in enumerate(self._modules.values()):
            kind, attributes = type(module), module.__dict__
            if (
                (kind is not nn.Linear if i % 2 == 0 else kind not in _NAMES)
                or attributes["_forward_hooks"]
                or attributes["_forward_pre_hooks"]
                or attributes["_backward_hooks"]
                or attributes["_backward_pre_hooks"]
                or "forward" in attributes
            ):
                return None
            if i % 2:
                activations.append(_NAMES[kind])
            else:
                parameters += attributes["_parameters"].values()
        if len(parameters) != 2 * len(activations) or not all(p is None or _is_plain(p) for p in parameters):
            return None
        return [tuple(activations), *parameters]


def _in_a_mode(input: Any) -> bool:
    """Return whether this call is anything but eager mode on a plain float32 or float64 matrix."""
    return (
        torch.compiler.is_dynamo_compiling()
        or type(input) is not Tensor
        or input.dim() != 2
        or not _is_plain(input)
        or _autocast_is_on()
        or _transforms_are_active()
        or forward_ad._current_level >= 0
        or _jit_trace() is not None
        or _function_modes() > 0
        or _has_any_global_hook()
    )


def _is_plain(t: Tensor) -> bool:
    return t.dtype in _DTYPES and t.layout is torch.strided and not t.is_nested and type(t) in _PLAIN


_DTYPES = (torch.float32, torch.float64)
_PLAIN = (Tensor, torch.nn.Parameter)

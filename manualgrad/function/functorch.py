"""PyTorch's private functions for running a hand-written rule at its level of torch.func's transforms.

Only this module imports them. They exist in PyTorch 2.9.1 to 2.14; if another version lacks one, the first call that needs it
raises, so that no derivative is silently left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

__all__ = [
    "at_the_level_below",
    "batched_if_random",
    "is_differentiated_around",
    "restore_vmap",
    "transforms_are_active",
]

transforms_are_active: Callable[[], bool] = torch._C._are_functorch_transforms_active

try:
    from torch._C._functorch import (
        TransformType,
        _add_batch_dim,
        _unwrap_for_grad,
        _wrap_for_grad,
        get_unwrapped,
        is_batchedtensor,
        is_gradtrackingtensor,
        maybe_get_level,
        unwrap_if_dead,
    )
    from torch._functorch.pyfunctorch import retrieve_current_functorch_interpreter
    from torch._functorch.vmap import restore_vmap
    from torch.autograd.forward_ad import _set_fwd_grad_enabled
except ImportError as error:
    _missing = str(error)

    def _raise(*_: Any, **__: Any) -> Any:
        raise NotImplementedError(
            f"PyTorch {torch.__version__} lacks a name that manualgrad.Function needs under torch.func: {_missing}"
        )

    retrieve_current_functorch_interpreter = restore_vmap = _raise


def at_the_level_below(rule: Callable[..., Any], tensors: Any) -> Any:
    """Return rule(tensors); if the innermost transform is jvp, run it one level below, where it is differentiable.

    PyTorch calls a Function's `jvp` at the level of the transform whose tangent it computes, with forward mode disabled. Outer
    transforms then treat the result as a constant, and forward over forward is 0 (pytorch issue 197867). Here the rule runs as
    an operator's formula does: on the tensors of the level below, in every mode.

    Args:
        rule: takes the tensors, and returns a tensor, None, or a tuple of these.
        tensors: nested tuples of tensors and other values.
    """
    if not transforms_are_active():
        return rule(tensors)  # forward_ad.dual_level, which cannot be nested
    interpreter = retrieve_current_functorch_interpreter()
    if interpreter.key() != TransformType.Jvp:
        return rule(tensors)
    level = interpreter.level()
    unwrapped = tree_map_only(Tensor, lambda t: _unwrap_for_grad(t, level), tensors)
    with torch.enable_grad(), _set_fwd_grad_enabled(True), interpreter.lower():
        result = rule(unwrapped)
    return tree_map_only(Tensor, lambda t: _wrap_for_grad(t, level), result)


def is_differentiated_around(output: Tensor) -> bool:
    """Return whether anything differentiates around the transform that differentiates this output of its function.

    That transform is the innermost one, or its level has ended (in the pullback of torch.func.vjp).
    """
    t = unwrap_if_dead(output)
    if t is output and is_gradtrackingtensor(t) and maybe_get_level(t) == retrieve_current_functorch_interpreter().level():
        t = get_unwrapped(t)
    while is_batchedtensor(t):
        t = get_unwrapped(t)
    return is_gradtrackingtensor(t) or t.requires_grad


def batched_if_random(forward: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Batch the first tensor if the innermost transform is vmap, no input is batched, and the forward draws random numbers.

    PyTorch does not call a vmap rule without batched inputs, so all examples would share random numbers that must differ, or
    that vmap forbids. A trial run of the forward under that vmap detects them: its outputs are batched, or it raises. The trial
    run leaves the generators unchanged.
    """
    interpreter: Any = retrieve_current_functorch_interpreter()
    if interpreter.key() != TransformType.Vmap or interpreter.randomness() == "same":
        return inputs
    level = interpreter.level()
    tensors = [i for i, t in enumerate(inputs) if isinstance(t, Tensor)]
    if not tensors or any(is_batchedtensor(inputs[i]) and maybe_get_level(inputs[i]) == level for i in tensors):
        return inputs
    size = interpreter.batch_size()
    devices = {inputs[i].get_device() for i in tensors if inputs[i].is_cuda}
    with torch.no_grad(), interpreter.lower(), torch.random.fork_rng(devices):
        outputs, dims = restore_vmap(forward, (None,) * len(inputs), size, interpreter.randomness())(*inputs)
    if not any(isinstance(dim, int) for dim in (dims if isinstance(outputs, tuple) else (dims,))):
        return inputs
    first = tensors[0]
    with_examples = _add_batch_dim(inputs[first].expand(size, *inputs[first].shape), 0, level)
    return (*inputs[:first], with_examples, *inputs[first + 1 :])

"""The private names of PyTorch's by which a hand-written rule runs at its level of torch.func's transforms.

They stand here alone. `function.py` is written against PyTorch 2.9.1 to 2.14; where another version lacks one of them, the
first call that needs it raises, so that no derivative is silently left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

__all__ = ["at_the_level_below", "restore_vmap", "transforms_are_active"]

transforms_are_active: Callable[[], bool] = torch._C._are_functorch_transforms_active

try:
    from torch._C._functorch import TransformType, _unwrap_for_grad, _wrap_for_grad
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
    """rule(tensors), run where the transform on top is jvp one level below it, and there differentiable.

    PyTorch calls a Function's `jvp` at the level of the transform that it computes the tangent for, with forward mode switched
    off, so that the transforms around that one would take its result for a constant, and forward over forward be 0 (pytorch
    issue 197867). Here it runs as an operator's formula does: on what the tensors are at the level below, in every mode.

    Args:
        rule: takes the tensors, and returns a tensor, None, or a tuple of these.
        tensors: any nest of tuples of tensors and other values.
    """
    if not transforms_are_active():
        return rule(tensors)  # forward_ad.dual_level, which PyTorch refuses to nest
    interpreter = retrieve_current_functorch_interpreter()
    if interpreter.key() != TransformType.Jvp:
        return rule(tensors)
    level = interpreter.level()
    unwrapped = tree_map_only(Tensor, lambda t: _unwrap_for_grad(t, level), tensors)
    with torch.enable_grad(), _set_fwd_grad_enabled(True), interpreter.lower():
        result = rule(unwrapped)
    return tree_map_only(Tensor, lambda t: _wrap_for_grad(t, level), result)

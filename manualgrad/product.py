"""Matrix products of float32 tensors on a CPU: with PyTorch's default, or with oneDNN where that is faster.

PyTorch's default on x86 is Intel's MKL, which looks at the vendor of the CPU and runs a slower kernel on AMD's (pytorch/builder
issue 504). oneDNN looks at the CPU's instruction set and is faster there; on an Intel CPU the two are equally fast. oneDNN
ships with PyTorch and computes in float32 throughout.

So the vendor decides, once per process: on AMD, oneDNN computes the products from `MIN_FLOP` on, except those of a transposed
matrix and a narrow one, such as the gradient of an output layer's weight. A measurement would usually decide the same, but a
slow moment of the machine would change the library, and with it the last bits of every result.

oneDNN's operator, `torch.ops.mkldnn._linear_pointwise`, is not public, is not differentiable, and is wrong for a bias with
gaps. So it is called only on plain CPU float32 matrices of matching shapes, in eager mode, without a recorded gradient. All
other products use PyTorch's default, which raises PyTorch's errors. The number of threads does not change.

To force one library, set the environment variable MANUALGRAD_PRODUCT=torch or MANUALGRAD_PRODUCT=onednn, or call `using`.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["MIN_FLOP", "addmm_", "linear", "matmul", "mm", "onednn_has", "sum_of_products", "using"]

_SMALL = 50_000  # elements of a product; MKL computes larger ones faster one by one on all threads than one per thread
MIN_FLOP = 4e6  # multiplications and additions of a product; at 2e6, on a Zen 5, oneDNN's setup costs as much as it saves
_MIN_COLUMNS = 1024  # of a product whose first matrix is transposed: oneDNN copies that, which takes longer than it saves here

Library = Literal["torch", "onednn"]

_VARIABLE = "MANUALGRAD_PRODUCT"
_ONEDNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None

_ARRAYS = (Tensor, torch.nn.Parameter)  # other subclasses may override the product

_dynamo_is_tracing = torch.compiler.is_dynamo_compiling
_transforms_are_active = torch._C._are_functorch_transforms_active
_jit_trace = torch._C._get_tracing_state
_dispatch_modes = torch._C._len_torch_dispatch_stack
_function_modes = torch._C._len_torch_function_stack
_is_batched = torch._C._functorch.is_legacy_batchedtensor  # under autograd.grad(is_grads_batched=True)


@contextlib.contextmanager
def using(library: Library) -> Iterator[None]:
    """Use `library` for the products in the `with` block, in this thread, whatever the CPU and the size of the product.

    Args:
        library: "torch", PyTorch's default, or "onednn"; if PyTorch was built without oneDNN, both are the default.

    Raises:
        ValueError: when `library` is neither.

    Example:
        >>> with using("onednn"):
        ...     cost = backprop(model, x, y)
    """
    global _onednn_may_multiply
    token = _min_flop.set(_least_flop(_checked("using: library", library)))
    _onednn_may_multiply |= library == "onednn"
    try:
        yield
    finally:
        _min_flop.reset(token)


def linear(x: Tensor, W: Tensor, b: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Return x Wᵀ + b, like torch.nn.functional.linear. A matrix x allows `out`, which oneDNN ignores: it allocates."""
    if _onednn_may_multiply and _suits(x, W, b):
        return _by_onednn(x, W, b)
    if out is None:
        return F.linear(x, W, b)
    return torch.mm(x, W.t(), out=out) if b is None else torch.addmm(b, x, W.t(), out=out)


def matmul(A: Tensor, B: Tensor) -> Tensor:
    """Return A B, like torch.matmul."""
    if _onednn_may_multiply and _suits(A, B, transposed=True):
        return _by_onednn(A, B.t())
    return A @ B


def mm(A: Tensor, B: Tensor, out: Tensor | None = None) -> Tensor:
    """Return A B of two matrices, like torch.mm. oneDNN ignores `out` and allocates."""
    if _onednn_may_multiply and _suits(A, B, transposed=True):
        return _by_onednn(A, B.t())
    return torch.mm(A, B, out=out)


def addmm_(C: Tensor, A: Tensor, B: Tensor, alpha: float) -> Tensor:
    """Compute C ← C + alpha A B in place, like Tensor.addmm_."""
    if _onednn_may_multiply and _suits(A, B, transposed=True):
        return C.add_(_by_onednn(A, B.t()), alpha=alpha)
    return C.addmm_(A, B, alpha=alpha)


def sum_of_products(A: Tensor, B: Tensor) -> Tensor:
    """Return Σ_n A_n B_n for A [N, n, m] and B [N, m, k]."""
    if _dynamo_is_tracing():
        return torch.bmm(A, B).sum(0)
    if A.is_cpu and (A.shape[1] * B.shape[2] > _SMALL or _suits(A[0], B[0], transposed=True)):
        (first, *others) = zip(A, B, strict=True)
        C = mm(*first)
        for a, b in others:
            addmm_(C, a, b, 1.0)
        return C
    return torch.bmm(A, B).sum(0)


def onednn_has(x: Tensor, inputs: int, outputs: int) -> bool:
    """Return whether oneDNN multiplies a matrix [n, inputs], with the type and the n rows of x, by one [inputs, outputs]."""
    return not _dynamo_is_tracing() and type(x) in _ARRAYS and _is_large_enough(2 * len(x) * inputs * outputs) and _is_plain(x)


def _by_onednn(x: Tensor, W: Tensor, b: Tensor | None = None) -> Tensor:
    return _ONEDNN.default(x, W, b, "none", [], "")


def _suits(x: Tensor, W: Tensor, b: Tensor | None = None, transposed: bool = False) -> bool:
    """Return whether oneDNN computes x Wᵀ + b here; with `transposed`, x W.

    The cheapest checks come first, because a small product takes only a few microseconds: whether oneDNN is in use at all, then
    the size. Callers skip this function if oneDNN is not in use in this process. The size is read only from plain tensors,
    because a tracer records the sizes that it is asked for.
    """
    return (
        not _dynamo_is_tracing()
        and _min_flop.get() is not None
        and type(x) in _ARRAYS
        and type(W) in _ARRAYS
        and W.dim() == 2
        and _is_large_enough(2 * x.numel() * W.shape[1 if transposed else 0])
        and _is_plain(x)
        and _is_plain(W)
        and (b is None or (type(b) in _ARRAYS and _is_plain(b) and b.is_contiguous() and b.shape == W.shape[:1]))
        and x.dim() >= 2
        and x.shape[-1] == W.shape[0 if transposed else 1]
        and (x.is_contiguous() or W.shape[1 if transposed else 0] >= _MIN_COLUMNS or _min_flop.get() == 0)
        and (_is_dense(x) and _is_dense(W))
        and not torch.is_grad_enabled()
        and not _transforms_are_active()
        and not _is_batched(x)
        and not _is_batched(W)
        and forward_ad._current_level < 0
        and _jit_trace() is None
        and _dispatch_modes() == 0
        and _function_modes() == 0
        and torch._C._get_mkldnn_enabled()
    )


def _is_plain(t: Tensor) -> bool:
    return t.dtype is torch.float32 and t.device.type == "cpu" and t.layout is torch.strided and not t.is_neg()


def _is_large_enough(flop: int) -> bool:
    least = _min_flop.get()
    return least is not None and flop > 0 and flop >= least


def _is_dense(t: Tensor) -> bool:
    """Return whether t or its transpose is contiguous."""
    return t.is_contiguous() or (t.dim() == 2 and t.t().is_contiguous())


# The choice of the library.


def _least_flop(library: str | None) -> float | None:
    """Return the size from which oneDNN multiplies; None for never."""
    if _ONEDNN is None or library == "torch":
        return None
    if library == "onednn":
        return 0
    return MIN_FLOP if _mkl_is_slow() else None


def _mkl_is_slow() -> bool:
    return torch.backends.mkl.is_available() and _vendor() == "AuthenticAMD"


def _vendor() -> str:
    """Return the vendor of the CPU, "GenuineIntel" or "AuthenticAMD"; empty if unknown."""
    text = platform.processor() if os.name == "nt" else ""
    with contextlib.suppress(OSError):
        text += Path("/proc/cpuinfo").read_text()  # on Linux
    return next((vendor for vendor in ("GenuineIntel", "AuthenticAMD") if vendor in text), "")


def _checked(name: str, library: str) -> str:
    if library not in ("torch", "onednn"):
        raise ValueError(f"{name} must be 'torch' or 'onednn', got {library!r}")
    return library


_asked_for = os.environ.get(_VARIABLE)
_at_first = _least_flop(_checked(_VARIABLE, _asked_for) if _asked_for else None)
_min_flop: ContextVar[float | None] = ContextVar("_min_flop", default=_at_first)
_onednn_may_multiply = _at_first is not None  # in any thread of this process; never reset

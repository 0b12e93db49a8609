"""The matrix products of float32 arrays on a CPU: by PyTorch's default, or by oneDNN where that is quicker.

PyTorch's default on x86 is Intel's MKL, which looks at the vendor of the CPU and gives AMD's a slower kernel (pytorch/builder
issue 504). oneDNN looks at the instructions that the CPU has, and is the quicker there; on an Intel CPU the two are alike.
It lies within PyTorch, and computes in float32 throughout.

So the vendor decides, once a process, and oneDNN has the products on AMD from `MIN_FLOP` on. A measurement would find the same,
but not each time: a slow moment of the machine would change which library multiplies, and so the last bits of every result.

oneDNN's operator, `torch.ops.mkldnn._linear_pointwise`, is not public, differentiates nothing, and is wrong for a bias with
gaps. So it is called on plain CPU float32 matrices of fitting shapes alone, in eager mode, where no gradient is recorded; all
else is PyTorch's default, which raises PyTorch's errors. Threads are left as they are.

To force either library: the environment variable MANUALGRAD_PRODUCT=torch or MANUALGRAD_PRODUCT=onednn, or `using`.
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

_SMALL = 50_000  # numbers of a product: larger ones MKL has sooner one after another, by all threads, than one by each
MIN_FLOP = 4e6  # multiplications and additions of a product; at 2e6, on a Zen 5, oneDNN's preparations cost what it gains

Library = Literal["torch", "onednn"]

_VARIABLE = "MANUALGRAD_PRODUCT"
_ONEDNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None

_ARRAYS = (Tensor, torch.nn.Parameter)  # others may compute otherwise

_dynamo_is_tracing = torch.compiler.is_dynamo_compiling
_transforms_are_active = torch._C._are_functorch_transforms_active
_jit_trace = torch._C._get_tracing_state
_dispatch_modes = torch._C._len_torch_dispatch_stack
_function_modes = torch._C._len_torch_function_stack
_is_batched = torch._C._functorch.is_legacy_batchedtensor  # as under autograd.grad(is_grads_batched=True)


@contextlib.contextmanager
def using(library: Library) -> Iterator[None]:
    """Have `library` multiply inside the `with` block, in this thread, whatever the CPU and the size of the product.

    Args:
        library: "torch", PyTorch's default, or "onednn", which is the default too where PyTorch was built without oneDNN.

    Raises:
        ValueError: when it is neither.

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
    """x Wᵀ + b, as torch.nn.functional.linear; of a matrix x, written to `out`, or by oneDNN to an array of its own."""
    if _onednn_may_multiply and _suits(x, W, b):
        return _by_onednn(x, W, b)
    if out is None:
        return F.linear(x, W, b)
    return torch.mm(x, W.t(), out=out) if b is None else torch.addmm(b, x, W.t(), out=out)


def matmul(A: Tensor, B: Tensor) -> Tensor:
    """A B, as torch.matmul."""
    if _onednn_may_multiply and _suits(A, B, transposed=True):
        return _by_onednn(A, B.t())
    return A @ B


def mm(A: Tensor, B: Tensor, out: Tensor | None = None) -> Tensor:
    """A B of two matrices, as torch.mm; written to `out`, or by oneDNN to an array of its own."""
    if _onednn_may_multiply and _suits(A, B, transposed=True):
        return _by_onednn(A, B.t())
    return torch.mm(A, B, out=out)


def addmm_(C: Tensor, A: Tensor, B: Tensor, alpha: float) -> Tensor:
    """C ← C + alpha A B, in place, as Tensor.addmm_."""
    if _onednn_may_multiply and _suits(A, B, transposed=True):
        return C.add_(_by_onednn(A, B.t()), alpha=alpha)
    return C.addmm_(A, B, alpha=alpha)


def sum_of_products(A: Tensor, B: Tensor) -> Tensor:
    """Σ_n A_n B_n, of [N, n, m] and [N, m, k]."""
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
    """Whether oneDNN is to multiply a matrix [n, inputs], of x's kind and number of rows n, and one [inputs, outputs]."""
    return not _dynamo_is_tracing() and type(x) in _ARRAYS and _is_large_enough(2 * len(x) * inputs * outputs) and _is_plain(x)


def _by_onednn(x: Tensor, W: Tensor, b: Tensor | None = None) -> Tensor:
    return _ONEDNN.default(x, W, b, "none", [], "")


def _suits(x: Tensor, W: Tensor, b: Tensor | None = None, transposed: bool = False) -> bool:
    """Whether oneDNN is to compute x Wᵀ + b here; with `transposed`, x W.

    First whether oneDNN has any products here, then the size: a small product, which takes a few microseconds, waits for the
    answer; where oneDNN has none in this process, nothing is asked. The size is asked of arrays alone, as a tracer writes down
    what the sizes of its tensors are asked.
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
    """Whether t, or its transpose, lies in memory row by row without gaps."""
    return t.is_contiguous() or (t.dim() == 2 and t.t().is_contiguous())


# Which library.


def _least_flop(library: str | None) -> float | None:
    """From what size on oneDNN multiplies; None for never."""
    if _ONEDNN is None or library == "torch":
        return None
    if library == "onednn":
        return 0
    return MIN_FLOP if _mkl_is_slow() else None


def _mkl_is_slow() -> bool:
    return torch.backends.mkl.is_available() and _vendor() == "AuthenticAMD"


def _vendor() -> str:
    """What the CPU calls its maker, "GenuineIntel" or "AuthenticAMD"; empty where that cannot be told."""
    text = platform.processor() if os.name == "nt" else ""
    with contextlib.suppress(OSError):
        text += Path("/proc/cpuinfo").read_text()  # on Linux
    return next((vendor for vendor in ("GenuineIntel", "AuthenticAMD") if vendor in text), "")


def _checked(name: str, library: str) -> str:
    if library not in ("torch", "onednn"):
        raise ValueError(f"{name} must be 'torch' or 'onednn', and is {library!r}")
    return library


_asked_for = os.environ.get(_VARIABLE)
_at_first = _least_flop(_checked(_VARIABLE, _asked_for) if _asked_for else None)
_min_flop: ContextVar[float | None] = ContextVar("_min_flop", default=_at_first)
_onednn_may_multiply = _at_first is not None  # anywhere in this process, from now on

"""Compare the half-precision errors of manualgrad and PyTorch: writes docs/half-precision.md.

    python docs/half_precision.py

Runs on the CPU. The inputs are half-precision numbers; the exact results are computed from the same numbers in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from catalogue import table
from torch import Tensor

from manualgrad import by_hand

DOCUMENT = Path(__file__).with_name("half-precision.md")
DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}
CLOSER = 0.8  # an error of at most this share of the other one is marked as closer
DRAWS = 5

LABELS = torch.arange(64) % 10

# Each call, and the shapes of its inputs, all of which require grad.
CALLS: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "linear": (F.linear, ((64, 96), (48, 96), (48,))),
    "matmul": (torch.matmul, ((4, 32, 48), (48, 40))),
    "conv2d": (lambda x, K, b: F.conv2d(x, K, b, padding=1), ((4, 16, 14, 14), (24, 16, 3, 3), (24,))),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), ((8, 16, 14, 14), (16,), (16,))),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (96,), w, b), ((64, 96), (96,), (96,))),
    "rms_norm": (lambda x, w: F.rms_norm(x, (96,), w), ((64, 96), (96,))),
    "group_norm": (lambda x, w, b: F.group_norm(x, 4, w, b), ((4, 16, 14, 14), (16,), (16,))),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1), ((4, 16, 15, 15),)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 2, 1), ((4, 16, 15, 15),)),
    "relu": (F.relu, ((64, 96),)),
    "sigmoid": (torch.sigmoid, ((64, 96),)),
    "tanh": (torch.tanh, ((64, 96),)),
    "gelu": (F.gelu, ((64, 96),)),
    "silu": (F.silu, ((64, 96),)),
    "hardswish": (F.hardswish, ((64, 96),)),
    "softplus": (F.softplus, ((64, 96),)),
    "softmax": (lambda x: F.softmax(x, -1), ((64, 96),)),
    "log_softmax": (lambda x: F.log_softmax(x, -1), ((64, 96),)),
    "cross_entropy": (lambda x: F.cross_entropy(3 * x, LABELS), ((64, 10),)),
    "cross_entropy, with a class that is almost certain": (
        lambda x: F.cross_entropy(x + 9 * F.one_hot(LABELS, 10), LABELS),
        ((64, 10),),
    ),
    "mse_loss": (F.mse_loss, ((64, 96), (64, 96))),
    "smooth_l1_loss": (F.smooth_l1_loss, ((64, 96), (64, 96))),
    "binary_cross_entropy_with_logits": (F.binary_cross_entropy_with_logits, ((64, 96), (64, 96))),
    "attention": (F.scaled_dot_product_attention, ((2, 4, 40, 16),) * 3),
    "attention, causal": (lambda *t: F.scaled_dot_product_attention(*t, is_causal=True), ((2, 4, 40, 16),) * 3),
    "embedding": (lambda W: F.embedding(torch.arange(400) % 20, W), ((20, 16),)),
    "cosine_similarity": (F.cosine_similarity, ((64, 96), (64, 96))),
    "logsumexp": (lambda x: torch.logsumexp(x, -1), ((64, 96),)),
    "std": (lambda x: torch.std(x, -1), ((64, 96),)),
    "norm": (lambda x: torch.linalg.vector_norm(x, 2, -1), ((64, 96),)),
    "prod": (lambda x: torch.prod(1 + x / 8, -1), ((64, 24),)),
    "cumsum": (lambda x: torch.cumsum(x, -1), ((64, 96),)),
    "x * y + x / y": (lambda x, y: x * y + x / (2 + y * y), ((64, 96), (64, 96))),
}


def results(call: Callable[..., Tensor], inputs: list[Tensor], block: Any) -> list[Tensor]:
    """Return the output y, and the gradients of Σ cos(i) y_i, where i is the flat index."""
    inputs = [t.clone().requires_grad_() for t in inputs]
    with block():
        y = call(*inputs)
    g = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).to(torch.bfloat16).view(y.shape)  # exact in each dtype
    return [y.detach(), *torch.autograd.grad(y, inputs, g.to(y.dtype))]


def errors(name: str, dtype: torch.dtype) -> list[list[float]]:
    """Return the relative errors [manualgrad, PyTorch] of the output and of all gradients together."""
    call, shapes = CALLS[name]
    squares = torch.zeros(2, 2)
    lengths = torch.zeros(2)
    for seed in range(DRAWS):
        generator = torch.Generator().manual_seed(seed)
        inputs = [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]
        exact = results(call, [t.double() for t in inputs], nullcontext)
        for i, t in enumerate(exact):
            lengths[min(i, 1)] += t.square().sum()
        for side, block in enumerate((by_hand, nullcontext)):
            for i, (found, t) in enumerate(zip(results(call, inputs, block), exact, strict=True)):
                squares[min(i, 1), side] += (found.double() - t).square().sum()
    return (squares / lengths[:, None]).sqrt().tolist()


def verdict(ours: float, torchs: float) -> str:
    if max(ours, torchs) == 0:
        return ""
    if ours <= CLOSER * torchs:
        return "closer"
    return "further" if torchs <= CLOSER * ours else ""


def document() -> str:
    rows = []
    for name in CALLS:
        row = [f"`{name}`" if name.replace("_", "").isalnum() else name]
        for dtype in DTYPES.values():
            for ours, torchs in errors(name, dtype):
                row.append(f"{ours * 1e3:.2f} / {torchs * 1e3:.2f} {verdict(ours, torchs)}".strip())
        rows.append(row)
    head = ["", *(f"{what}, {name}" for name in DTYPES for what in ("output", "gradients"))]
    return f"""# In half precision

Generated by `python docs/half_precision.py`.

Relative error × 1000 (Euclidean norm): manualgrad / PyTorch, on the CPU. Rounding a number once gives about 1.6 in bfloat16 and
0.2 in float16. "closer" and "further" mark results where the smaller error is at most {CLOSER:.0%} of the larger one.

{table(head, rows)}

On PyTorch's own operator samples, the tests bound the error by the effect of rounding every intermediate number, whatever
PyTorch's error is: `tests/helpers/rounding.py`.
"""


if __name__ == "__main__":
    text = document()
    DOCUMENT.write_text(text, encoding="utf-8")
    print(text)

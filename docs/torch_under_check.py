"""Run check_function on PyTorch's own functions and modules: writes docs/torch-under-check.md.

    python docs/torch_under_check.py

Every failed check must be explained by a fault in `torch_faults.py`, which has a program for each. If one is not, the script
exits with code 1: the failure is a false alarm, or a fault that has not been investigated.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from rich.progress import track
from torch import nn
from torch_faults import FAULTS

from manualgrad.testing import CHECKS, Report, check_function

DOCUMENT = Path(__file__).with_name("torch-under-check.md")
SHOWN = [name for name in CHECKS if name != "compile"]  # that check is about torch.compile's support of a Function

_random = torch.Generator().manual_seed(0)


def s(*shape: int) -> torch.Tensor:
    """Return numbers of either sign."""
    return torch.randn(shape, generator=_random, dtype=torch.float64)


def p(*shape: int) -> torch.Tensor:
    """Return positive numbers from 0.5 to 1.5."""
    return torch.rand(shape, generator=_random, dtype=torch.float64) + 0.5


def u(*shape: int) -> torch.Tensor:
    """Return numbers between 0.2 and 0.8."""
    return 0.2 + 0.6 * torch.rand(shape, generator=_random, dtype=torch.float64)


def i(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers)


Subject = tuple[Callable[..., Any], tuple[Any, ...]]

SUBJECTS: dict[str, Subject] = {
    # activations
    "torch.sigmoid": (torch.sigmoid, (s(3, 2),)),
    "torch.tanh": (torch.tanh, (s(3, 2),)),
    "F.relu": (F.relu, (s(3, 2),)),
    "F.leaky_relu": (F.leaky_relu, (s(3, 2),)),
    "F.elu": (F.elu, (s(3, 2),)),
    "F.selu": (F.selu, (s(3, 2),)),
    "F.celu": (F.celu, (s(3, 2),)),
    "F.gelu": (F.gelu, (s(3, 2),)),
    "F.gelu, tanh": (lambda x: F.gelu(x, approximate="tanh"), (s(3, 2),)),
    "F.silu": (F.silu, (s(3, 2),)),
    "F.mish": (F.mish, (s(3, 2),)),
    "F.softplus": (F.softplus, (s(3, 2),)),
    "F.softsign": (F.softsign, (s(3, 2),)),
    "F.logsigmoid": (F.logsigmoid, (s(3, 2),)),
    "F.hardtanh": (F.hardtanh, (s(3, 2),)),
    "F.hardsigmoid": (F.hardsigmoid, (s(3, 2),)),
    "F.hardswish": (F.hardswish, (s(3, 2),)),
    "F.glu": (F.glu, (s(3, 4),)),
    "F.prelu": (F.prelu, (s(3, 2), p(2))),
    "F.softmax": (lambda x: F.softmax(x, -1), (s(3, 4),)),
    "F.log_softmax": (lambda x: F.log_softmax(x, -1), (s(3, 4),)),
    "F.tanhshrink": (F.tanhshrink, (s(3, 2),)),
    "F.softshrink": (F.softshrink, (s(3, 2),)),
    # normalization
    "F.layer_norm": (lambda x, weight, bias: F.layer_norm(x, (3,), weight, bias), (s(4, 3), p(3), s(3))),
    "F.rms_norm": (lambda x, weight: F.rms_norm(x, (3,), weight), (s(4, 3), p(3))),
    "F.batch_norm, training": (
        lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias, training=True),
        (s(4, 3), p(3), s(3)),
    ),
    "F.batch_norm, evaluation": (
        lambda x, weight, bias: F.batch_norm(x, torch.zeros_like(bias).detach(), torch.ones_like(bias).detach(), weight, bias),
        (s(4, 3), p(3), s(3)),
    ),
    "F.instance_norm": (lambda x, weight: F.instance_norm(x, weight=weight), (s(2, 3, 4), p(3))),
    "F.group_norm": (lambda x, weight: F.group_norm(x, 2, weight), (s(2, 4, 3), p(4))),
    "F.local_response_norm": (lambda x: F.local_response_norm(x, 2), (s(2, 3, 4),)),
    "F.normalize": (lambda x: F.normalize(x, dim=-1), (s(3, 4),)),
    # losses
    "F.mse_loss": (F.mse_loss, (s(3, 2), s(3, 2))),
    "F.l1_loss": (F.l1_loss, (s(3, 2), s(3, 2))),
    "F.smooth_l1_loss": (F.smooth_l1_loss, (s(3, 2), s(3, 2))),
    "F.huber_loss": (F.huber_loss, (s(3, 2), s(3, 2))),
    "F.cross_entropy": (F.cross_entropy, (s(3, 4).requires_grad_(), i(1, 0, 3))),
    "F.cross_entropy, probabilities": (F.cross_entropy, (s(3, 4), u(3, 4))),
    "F.nll_loss": (F.nll_loss, (s(3, 4), i(1, 0, 3))),
    "F.binary_cross_entropy": (F.binary_cross_entropy, (u(3, 2), u(3, 2))),
    "F.binary_cross_entropy_with_logits": (F.binary_cross_entropy_with_logits, (s(3, 2), u(3, 2))),
    "F.kl_div": (lambda x, target: F.kl_div(x, target, reduction="batchmean"), (s(3, 2), u(3, 2))),
    "F.poisson_nll_loss": (F.poisson_nll_loss, (s(3, 2), p(3, 2))),
    "F.soft_margin_loss": (F.soft_margin_loss, (s(3, 2).requires_grad_(), s(3, 2).sign())),
    "F.cosine_similarity": (F.cosine_similarity, (s(3, 4), s(3, 4))),
    "F.cosine_embedding_loss": (F.cosine_embedding_loss, (s(3, 4), s(3, 4), i(1, -1, 1))),
    # linear and convolutional
    "F.linear": (F.linear, (s(4, 3), s(2, 3), s(2))),
    "F.bilinear": (F.bilinear, (s(4, 3), s(4, 2), s(2, 3, 2))),
    "F.conv1d": (lambda x, weight, bias: F.conv1d(x, weight, bias, padding=1), (s(2, 2, 4), s(3, 2, 3), s(3))),
    "F.conv2d": (lambda x, weight: F.conv2d(x, weight, stride=2, padding=1), (s(1, 2, 4, 4), s(2, 2, 3, 3))),
    "F.conv_transpose1d": (F.conv_transpose1d, (s(2, 2, 3), s(2, 2, 2))),
    "F.embedding": (F.embedding, (i(0, 2, 1), s(4, 2))),
    "F.embedding, padding_idx": (
        lambda index, weight, padding_idx: F.embedding(index, weight, padding_idx),
        (i(0, 2, 1), s(4, 2), 2),
    ),
    "F.embedding_bag": (lambda index, weight: F.embedding_bag(index.view(1, -1), weight), (i(0, 2, 1), s(4, 2))),
    "F.scaled_dot_product_attention": (F.scaled_dot_product_attention, (s(1, 3, 2), s(1, 3, 2), s(1, 3, 2))),
    # pooling and resampling
    "F.max_pool1d": (lambda x: F.max_pool1d(x, 2), (s(2, 2, 4),)),
    "F.max_pool2d": (lambda x: F.max_pool2d(x, 2), (s(1, 2, 4, 4),)),
    "F.avg_pool2d": (lambda x: F.avg_pool2d(x, 2), (s(1, 2, 4, 4),)),
    "F.adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, 2), (s(1, 2, 4, 4),)),
    "F.lp_pool1d": (lambda x: F.lp_pool1d(x, 2, 2), (s(2, 2, 4),)),
    "F.interpolate, bilinear": (lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), (s(1, 2, 3, 3),)),
    "F.grid_sample": (lambda x, grid: F.grid_sample(x, grid, align_corners=False), (s(1, 2, 3, 3), s(1, 2, 2, 2) / 3)),
    "F.pad, reflect": (lambda x: F.pad(x, (1, 1), mode="reflect"), (s(2, 2, 4),)),
    "F.pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), (s(1, 4, 2, 2),)),
    # arithmetic
    "torch.exp": (torch.exp, (s(3, 2),)),
    "torch.log": (torch.log, (p(3, 2),)),
    "torch.sqrt": (torch.sqrt, (p(3, 2),)),
    "torch.rsqrt": (torch.rsqrt, (p(3, 2),)),
    "torch.pow": (torch.pow, (p(3, 2), s(3, 2))),
    "torch.erf": (torch.erf, (s(3, 2),)),
    "torch.lgamma": (torch.lgamma, (p(3, 2),)),
    "torch.atan2": (torch.atan2, (s(3, 2), s(3, 2))),
    "torch.hypot": (torch.hypot, (s(3, 2), s(3, 2))),
    "torch.sinc": (torch.sinc, (s(3, 2),)),
    "torch.logaddexp": (torch.logaddexp, (s(3, 2), s(3, 2))),
    "torch.lerp": (torch.lerp, (s(3, 2), s(3, 2), u(3, 2))),
    "torch.prod": (lambda x: x.prod(-1), (s(3, 3),)),
    "torch.cumprod": (lambda x: x.cumprod(-1), (s(3, 3),)),
    "torch.cumsum": (lambda x: x.cumsum(-1), (s(3, 3),)),
    "torch.logcumsumexp": (lambda x: x.logcumsumexp(-1), (s(3, 3),)),
    "torch.logsumexp": (lambda x: x.logsumexp(-1), (s(3, 3),)),
    "torch.var": (lambda x: x.var(-1), (s(3, 3),)),
    "torch.std": (lambda x: x.std(-1), (s(3, 3),)),
    "torch.linalg.vector_norm": (lambda x: torch.linalg.vector_norm(x, dim=-1), (s(3, 3),)),
    "torch.cdist": (torch.cdist, (s(3, 2), s(4, 2))),
    "torch.linalg.det": (torch.linalg.det, (s(3, 3),)),
    "torch.linalg.inv": (torch.linalg.inv, (s(3, 3),)),
    "torch.matmul": (torch.matmul, (s(3, 4), s(4, 2))),
    "torch.gather": (lambda x, index: x.gather(0, index.expand(2, 2)), (s(3, 2), i(0, 2))),
    "torch.where": (lambda x, y: torch.where(x > y, x, y * y), (s(3, 2), s(3, 2))),
    "torch.sort": (lambda x: x.sort(-1)[0], (s(3, 4),)),
    # modules
    "nn.Linear": (nn.Linear(3, 2), (s(4, 3),)),
    "nn.LayerNorm": (nn.LayerNorm(3), (s(4, 3),)),
    "nn.BatchNorm1d, without statistics": (nn.BatchNorm1d(3, track_running_stats=False), (s(4, 3),)),
    "nn.PReLU": (nn.PReLU(), (s(4, 3),)),
    "nn.Conv1d": (nn.Conv1d(2, 3, 2), (s(2, 2, 4),)),
    "nn.MultiheadAttention": (nn.MultiheadAttention(4, 2, batch_first=True), (s(1, 3, 4), s(1, 3, 4), s(1, 3, 4))),
    "nn.GRUCell": (nn.GRUCell(3, 2), (s(4, 3), s(4, 2))),
    "nn.RNN": (nn.RNN(3, 2), (s(2, 1, 3),)),
}


def check(name: str) -> Report:
    torch.manual_seed(0)
    fn, inputs = SUBJECTS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return check_function(fn, inputs, checks=SHOWN, raise_exception=False)


def table(reports: dict[str, Report]) -> str:
    """Return a row per subject: the checks that find a fault, and those that do not apply."""
    explained = {cell: n for n, fault in enumerate(FAULTS, 1) for cell in fault.explains}
    lines = ["| function or module | faults | checks that do not apply |", "| --- | --- | --- |"]
    for name, report in reports.items():
        found = [(check_name, explained.get((name, check_name))) for check_name in report.failures]
        links = [f"{_words(check_name)}: " + (f"[fault {n}](#fault-{n})" if n else "**?**") for check_name, n in found]
        lines.append(f"| `{name}` | {', '.join(links) or '–'} | {', '.join(map(_words, report.skipped)) or '–'} |")
    return "\n".join(lines)


def _words(check_name: str) -> str:
    return check_name.replace("_", " ")


def summary() -> str:
    rows = [f"| [fault {n}](#fault-{n}) | {fault.what} |" for n, fault in enumerate(FAULTS, 1)]
    return "\n".join(["| program | fault |", "| --- | --- |", *rows])


def faults() -> str:
    sections = []
    for n, fault in enumerate(FAULTS, 1):
        address = f"https://github.com/pytorch/pytorch/issues/{fault.issue}"
        issue = f" [pytorch issue {fault.issue}]({address})." if fault.issue else ""
        found: dict[str, Any] = {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(fault.program, found)
        got, wanted = (str(found[name]).replace("\n", " ") for name in ("got", "wanted"))
        sections.append(
            f"### Fault {n}\n\n{fault.what}{issue}\n\n```python\n{fault.program.strip()}\n```\n\n"
            f"- got: `{' '.join(got.split())}`\n- wanted: `{' '.join(wanted.split())}`\n\n"
            f"Reference: {fault.known}\n"
        )
    return "\n".join(sections)


def unexplained(reports: dict[str, Report]) -> list[str]:
    explained = {cell for fault in FAULTS for cell in fault.explains}
    failed = [(name, check_name) for name, report in reports.items() for check_name in report.failures + report.not_checked]
    return [
        f"{name}, {check_name}: {reports[name][check_name]}"
        for name, check_name in failed
        if (name, check_name) not in explained
    ]


def document(reports: dict[str, Report]) -> str:
    ours, missing = [f for f in FAULTS if f.by_hand], [f for f in FAULTS if not f.by_hand]
    functions = ", ".join(dict.fromkeys(fault.what.partition(":")[0] for fault in missing))
    return f"""# PyTorch under the same checks

{len(FAULTS)} faults of PyTorch's own functions, each with a small program that reproduces it: PyTorch {torch.__version__}, CPU.

{summary()}

Inside `with manualgrad.by_hand():`, {len(ours)} of the programs give the wanted result; {functions} does not have a
hand-written derivative. `manualgrad.testing.check_function` found most faults, in
[{len(reports)} functions and modules](#functions-and-modules-under-check). `python docs/torch_under_check.py` generates this
page, and requires a program for every failed check; `tests/test_torch_under_check.py` runs the programs.

## The faults

{faults()}
## Functions and modules under check

The results of {len(SHOWN)} checks on {len(reports)} functions and modules. A check does not apply if, for example, PyTorch does
not have the derivative and raises.

{table(reports)}
"""


def main() -> int:
    reports: dict[str, Report] = {}
    for name in track(SUBJECTS, description="checking PyTorch", transient=True):
        reports[name] = check(name)
    strangers = unexplained(reports)
    for line in strangers:
        print(f"torch_under_check.py: no program in torch_faults.py explains {line}", file=sys.stderr)
    if strangers:
        return 1
    DOCUMENT.write_text(document(reports), encoding="utf-8")
    failed = sum(bool(report.failures) for report in reports.values())
    print(f"{len(reports)} subjects, {failed} with a fault, {len(FAULTS)} programs: {DOCUMENT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Faults of PyTorch, each with a small program that reproduces it and a reference for the correct result.

Each program defines `got` and `wanted`; tests/test_torch_under_check.py runs them all.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FAULTS", "Fault"]


@dataclass(frozen=True)
class Fault:
    """A fault of PyTorch.

    Attributes:
        what: the fault in one sentence.
        explains: the (subject, check) cells of the table that it explains; empty if it needs other inputs than the table's.
        known: where the correct result comes from.
        program: source code that defines `got` and `wanted`.
        issue: the number of the PyTorch issue, if there is one.
        by_hand: whether the program gives the wanted result inside `manualgrad.by_hand()`.
    """

    what: str
    explains: tuple[tuple[str, str], ...]
    known: str
    program: str
    issue: int | None = None
    by_hand: bool = True


_LAYER_NORM = """
def by_hand(x):
    d = x - x.mean()
    return d / (d.square().mean() + 1e-5).sqrt()

def layer_norm(x):
    return torch.nn.functional.layer_norm(x, (3,))
"""

_BATCH_NORM = """
def by_hand(x):
    d = x - x.mean(0)
    return d / (d.square().mean(0) + 1e-5).sqrt()

def batch_norm(x):
    return torch.nn.functional.batch_norm(x, None, None, training=True)
"""

_INSTANCE_NORM = """
def by_hand(x):
    d = x - x.mean(-1, keepdim=True)
    return d / (d.square().mean(-1, keepdim=True) + 1e-5).sqrt()

instance_norm = torch.nn.functional.instance_norm
"""

_TWICE = """
def tangent_of_tangent(f):
    return jvp(lambda x: jvp(f, (x,), (v,))[1], (x,), (v,))[1]
"""

_ALIKE = "The elementary operations, by the same transforms and by reverse mode twice, which agree with finite differences."

FAULTS = [
    Fault(
        "layer_norm: forward over forward mode (jvp of jvp) is silently wrong.",
        (("F.layer_norm", "forward_over_forward"), ("nn.LayerNorm", "forward_over_forward")),
        _ALIKE,
        f"""import torch
from torch.func import jvp

x, v = torch.tensor([[0.0, 1.0, 3.0], [1.0, 0.5, 0.0]], dtype=torch.float64)
{_LAYER_NORM}{_TWICE}
got, wanted = tangent_of_tangent(layer_norm), tangent_of_tangent(by_hand)
""",
        196700,
    ),
    Fault(
        "layer_norm: the weight-input block of the Hessian is silently wrong in forward over reverse mode.",
        (("F.layer_norm", "func_transforms"), ("nn.LayerNorm", "func_transforms")),
        "Reverse mode twice through the elementary operations, and finite differences of the weight's gradient.",
        """import torch
from torch.func import jacfwd, jacrev

x = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64)
weight = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)

def layer_norm(x, weight):
    return torch.nn.functional.layer_norm(x, (3,), weight).pow(2).sum()

def by_hand(x, weight):
    d = x - x.mean()
    return (weight * d / (d.square().mean() + 1e-5).sqrt()).pow(2).sum()

got = jacfwd(jacrev(layer_norm, argnums=1), argnums=0)(x, weight)
wanted = jacrev(jacrev(by_hand, argnums=1), argnums=0)(x, weight)
""",
        196700,
    ),
    Fault(
        "layer_norm: the third derivative in reverse mode is silently wrong.",
        (("F.layer_norm", "third_derivative"), ("nn.LayerNorm", "third_derivative")),
        "The elementary operations, by reverse mode three times, which agree with finite differences of the second derivative.",
        f"""import torch

x = torch.tensor([0.0, 1.0, 3.0], dtype=torch.float64, requires_grad=True)
v = torch.tensor([1.0, 0.5, 0.0], dtype=torch.float64)
{_LAYER_NORM}
def third(f):
    value = f(x)[0]
    for _ in range(3):
        (gradient,) = torch.autograd.grad(value, x, create_graph=True)
        value = gradient @ v
    return value.detach()

got, wanted = third(layer_norm), third(by_hand)
""",
        175754,
    ),
    Fault(
        "batch_norm in training: forward over forward mode (jvp of jvp) is silently wrong.",
        (
            ("F.batch_norm, training", "forward_over_forward"),
            ("nn.BatchNorm1d, without statistics", "forward_over_forward"),
        ),
        _ALIKE,
        f"""import torch
from torch.func import jvp

x = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
v = torch.tensor([[1.0], [0.5], [0.0]], dtype=torch.float64)
{_BATCH_NORM}{_TWICE}
got, wanted = tangent_of_tangent(batch_norm), tangent_of_tangent(by_hand)
""",
        196699,
    ),
    Fault(
        "batch_norm in training: the weight-input block of the Hessian is silently wrong in forward over reverse mode.",
        (("F.batch_norm, training", "func_transforms"), ("nn.BatchNorm1d, without statistics", "func_transforms")),
        "Reverse mode twice through the elementary operations, and finite differences of the weight's gradient.",
        """import torch
from torch.func import jacfwd, jacrev

x = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
weight = torch.tensor([2.0], dtype=torch.float64)
w = torch.tensor([[1.0], [2.0], [4.0]], dtype=torch.float64)

def batch_norm(x, weight):
    return (w * torch.nn.functional.batch_norm(x, None, None, weight, training=True)).sum()

def by_hand(x, weight):
    d = x - x.mean(0)
    return (w * weight * d / (d.square().mean(0) + 1e-5).sqrt()).sum()

got = jacfwd(jacrev(batch_norm, argnums=1), argnums=0)(x, weight)
wanted = jacrev(jacrev(by_hand, argnums=1), argnums=0)(x, weight)
""",
        196699,
    ),
    Fault(
        "batch_norm on the CPU: with a non-contiguous weight, the gradient of the input is silently wrong.",
        (("F.batch_norm, training", "memory_layout"), ("F.batch_norm, evaluation", "memory_layout")),
        "The gradient with the same weight made contiguous.",
        """import torch

weight = torch.tensor([[1.0, 5.0], [2.0, 7.0], [3.0, 9.0]], dtype=torch.float64)[:, 0]  # 1, 2 and 3

def gradient(weight):
    x = torch.tensor([[0.0, 1.0, 2.0], [1.0, 3.0, 1.0]], dtype=torch.float64, requires_grad=True)
    mean, var = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    torch.nn.functional.batch_norm(x, mean, var, weight).pow(2).sum().backward()
    return x.grad

got, wanted = gradient(weight), gradient(weight.contiguous())
""",
    ),
    Fault(
        "instance_norm: forward over forward mode (jvp of jvp) is silently wrong.",
        (("F.instance_norm", "forward_over_forward"),),
        _ALIKE,
        f"""import torch
from torch.func import jvp

x = torch.tensor([[[0.0, 1.0, 3.0]]], dtype=torch.float64)
v = torch.tensor([[[1.0, 0.5, 0.0]]], dtype=torch.float64)
{_INSTANCE_NORM}{_TWICE}
got, wanted = tangent_of_tangent(instance_norm), tangent_of_tangent(by_hand)
""",
        196699,
    ),
    Fault(
        "instance_norm: the weight-input block of the Hessian is silently wrong in forward over reverse mode.",
        (("F.instance_norm", "func_transforms"),),
        "Reverse mode twice through the elementary operations, and finite differences of the weight's gradient.",
        """import torch
from torch.func import jacfwd, jacrev

x = torch.tensor([[[0.0, 1.0, 3.0]]], dtype=torch.float64)
weight = torch.tensor([2.0], dtype=torch.float64)
w = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)

def instance_norm(x, weight):
    return (w * torch.nn.functional.instance_norm(x, weight=weight)).sum()

def by_hand(x, weight):
    d = x - x.mean(-1, keepdim=True)
    return (w * weight * d / (d.square().mean(-1, keepdim=True) + 1e-5).sqrt()).sum()

got = jacfwd(jacrev(instance_norm, argnums=1), argnums=0)(x, weight)
wanted = jacrev(jacrev(by_hand, argnums=1), argnums=0)(x, weight)
""",
        196699,
    ),
    Fault(
        "linalg.det: forward over forward mode (jvp of jvp) is silently wrong.",
        (("torch.linalg.det", "forward_over_forward"),),
        "The determinant of [[a, b], [c, d]] is a d − b c, whose second derivative along v twice is 2 (v_a v_d − v_b v_c).",
        f"""import torch
from torch.func import jvp

x = torch.tensor([[2.0, 1.0], [0.5, 3.0]], dtype=torch.float64)
v = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
{_TWICE}
got, wanted = tangent_of_tangent(torch.linalg.det), torch.tensor(2 * (1.0 * 4.0 - 2.0 * 3.0), dtype=torch.float64)
""",
        196696,
        by_hand=False,
    ),
    Fault(
        "linalg.det: a third derivative (reverse over forward over reverse mode) is silently wrong.",
        (("torch.linalg.det", "third_derivative"),),
        "The determinant of [[a, b], [c, d]] is a d − b c, whose third derivative is 0.",
        """import torch
from torch.func import grad, jvp

x = torch.tensor([[2.0, 1.0], [0.5, 3.0]], dtype=torch.float64)
v = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)

def first(x):
    return (grad(torch.linalg.det)(x) * v).sum()

def second(x):
    return jvp(first, (x,), (v,))[1]

got, wanted = (grad(second)(x) * v).sum(), torch.tensor(0.0, dtype=torch.float64)
""",
        196696,
        by_hand=False,
    ),
    Fault(
        "cosine_embedding_loss: a third derivative (forward over reverse over forward mode) is silently wrong.",
        (("F.cosine_embedding_loss", "third_derivative"),),
        "The elementary operations, by the same transforms and by triple reverse mode, which agree with finite differences.",
        """import torch
from torch.func import grad, jvp

x = torch.tensor([[1.0, 2.0, -1.0]], dtype=torch.float64)
y = torch.tensor([[-0.5, -1.0, 0.3]], dtype=torch.float64)
v = torch.tensor([[1.0, -0.5, 0.25]], dtype=torch.float64)
alike = torch.ones(1)

def loss(x):
    return torch.nn.functional.cosine_embedding_loss(x, y, alike)

def by_hand(x):
    return 1 - (x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()

def third(f):
    tangent = lambda x: jvp(f, (x,), (v,))[1]
    return jvp(lambda x: (grad(tangent)(x) * v).sum(), (x,), (v,))[1]

got, wanted = third(loss), third(by_hand)
""",
    ),
    Fault(
        "embedding with padding_idx: under vmap over index and table, the gradient of row padding_idx is not 0.",
        (("F.embedding, padding_idx", "vmap"),),
        "A loop over the examples: by definition, row padding_idx does not get a gradient.",
        """import torch

index = torch.tensor([[0, 2], [1, 2]])

def gradient(look_up):
    table = torch.ones(2, 3, 2, dtype=torch.float64, requires_grad=True)
    look_up(index, table).sum().backward()
    return table.grad

def one(index, table):
    return torch.nn.functional.embedding(index, table, padding_idx=2)

got = gradient(torch.vmap(one))
wanted = gradient(lambda index, table: torch.stack([one(i, t) for i, t in zip(index, table)]))
""",
    ),
    Fault(
        "pixel_shuffle with an empty batch: the backward raises.",
        (("F.pixel_shuffle", "shapes"),),
        "The gradient of a [0, 4, 2, 2] tensor has the same shape.",
        """import torch

x = torch.zeros(0, 4, 2, 2, dtype=torch.float64, requires_grad=True)
wanted = torch.zeros_like(x).detach()
try:
    torch.nn.functional.pixel_shuffle(x, 2).sum().backward()
    got = x.grad
except RuntimeError as error:
    got = error
""",
    ),
    Fault(
        "soft_margin_loss: log(1 + e⁻ᶻ) overflows in float32 for z below −88.",
        (("F.soft_margin_loss", "extreme_values"),),
        "log(1 + e¹⁰⁰) is 100 + 4e-44.",
        """import torch

z = torch.tensor([-100.0], requires_grad=True)
got = torch.nn.functional.soft_margin_loss(z, torch.tensor([1.0])).detach()
wanted = torch.tensor(100.0)
""",
    ),
    Fault(
        "layer_norm: the backward through vmap(grad) with respect to the weight is silently wrong.",
        (),
        "A loop over the examples, and finite differences.",
        """import torch
from torch.func import grad, vmap

weight = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)

def loss(weight, x):
    return torch.nn.functional.layer_norm(x, (3,), weight).pow(2).sum()

def of_the_first_weight(weight_gradients):
    x = torch.tensor([[0.0, 1.0, 3.0], [2.0, 0.0, 1.0]], dtype=torch.float64, requires_grad=True)
    weight_gradients(x)[:, 0].sum().backward()
    return x.grad

got = of_the_first_weight(vmap(lambda x: grad(loss)(weight, x)))
wanted = of_the_first_weight(lambda rows: torch.stack([grad(loss)(weight, x) for x in rows]))
""",
    ),
    Fault(
        "layer_norm over a single element on the CPU, with AVX2: the gradient of the weight is silently not 0.",
        (),
        "A number minus its mean is 0, so the weight is multiplied by 0.",
        """import torch

x = torch.full((8, 1), 123456.7)
weight = torch.ones(1, requires_grad=True)
torch.nn.functional.layer_norm(x, (1,), weight).sum().backward()
got, wanted = weight.grad, torch.zeros(1)
""",
        188372,
    ),
    Fault(
        "scaled_dot_product_attention on the CPU: a float64 query with a float32 mask gives silently wrong values.",
        (),
        "The formula, in elementary operations; it is also the result for the same mask in float64.",
        """import torch

x = torch.linspace(0, 1, 16, dtype=torch.float64).view(1, 1, 16, 1).requires_grad_()
mask = torch.linspace(0, 4, 16).expand(16, 16)  # float32
got = torch.nn.functional.scaled_dot_product_attention(x, x, x, mask)[0, 0, 0].detach()
wanted = (torch.softmax(x @ x.mT + mask, -1) @ x)[0, 0, 0].detach()
""",
    ),
    Fault(
        "hardsigmoid: in float64, the slope is 1/6 rounded to float32.",
        (),
        "The derivative of z/6 + 1/2 is 1/6.",
        """import torch

z = torch.tensor(0.0, dtype=torch.float64, requires_grad=True)
torch.nn.functional.hardsigmoid(z).backward()
got, wanted = z.grad.item(), 1 / 6
""",
    ),
]

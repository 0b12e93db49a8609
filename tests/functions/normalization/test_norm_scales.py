"""Norms of numbers of any size that float32 holds: value, first and second derivatives, and forward mode's tangent.

The bound. x − m is off by a rounding of the mean in float32, in proportion to the spread s of x by eps |mean| / s. All else
that the formulas compute is off by some roundings of its own size, and the result by one in its dtype. So the relative error of
each is a small number of these.
"""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from samples import inside
from torch.autograd import forward_ad

MEANS = (0, 1, 1e3, 1e6)
SCALES = [10.0**k for k in range(-18, 19, 4)]
GRADIENTS = (1, 1e-6)
EPS = 1e-5
NORMS = {
    "layer": (F.layer_norm, lambda w, b: ((32,), w, b)),
    "group": (F.group_norm, lambda w, b: (4, w, b)),
    "batch": (F.batch_norm, lambda w, b: (None, None, w, b, True)),
    "instance": (F.instance_norm, lambda w, b: (None, None, w, b)),
    "rms": (F.rms_norm, lambda w, b: ((32,), w, EPS)),
}


def draw(name, mean, scale, size):
    """x, w, b, the gradient of the value, and a direction of x."""
    parameters = 32 if name in ("layer", "rms") else 8
    x = torch.randn(8, 8, 32, dtype=torch.float64) * scale + mean
    w, b = torch.rand(parameters, dtype=torch.float64) + 0.5, torch.randn(parameters, dtype=torch.float64)
    return x, w, b, torch.randn_like(x) * size, torch.randn_like(x)


def derivatives(norm, arguments, x, w, b, g, v):
    x, w, b, g = (t.clone().requires_grad_() for t in (x, w, b, g))
    y = norm(x, *arguments(w, b))
    dC_dx, dC_dw = torch.autograd.grad(y, (x, w), g, create_graph=True)
    (unrecorded,) = torch.autograd.grad(norm(x, *arguments(w, b)), x, g.detach())
    second = torch.autograd.grad(dC_dx, (x, w, g), v, allow_unused=True)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(norm(forward_ad.make_dual(x.detach(), v), *arguments(w.detach(), b.detach()))).tangent
    return {
        "y": y,
        "∂C/∂x": dC_dx,
        "∂C/∂x, which nothing records": unrecorded,
        "∂C/∂w": dC_dw,
        **dict(zip(("∂²C/∂x²", "∂²C/∂x∂w", "∂²C/∂x∂g"), second, strict=True)),
        "dy": tangent,
    }


def least_spread(name, x):
    """Of a set of numbers that are brought to mean 0."""
    sets = {"layer": x, "group": x.reshape(8, 4, 64), "batch": x.transpose(0, 1).reshape(8, 256), "instance": x}
    return sets[name].std(-1).min().item()


@pytest.mark.few(8)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("name", NORMS)
def test_a_norm_is_right_at_every_mean_scale_and_size_of_the_gradient(name, channels_last, dtype):
    (norm, arguments), wrong = NORMS[name], []
    eps, eps_of_sums = (torch.finfo(t).eps for t in (dtype, torch.float32))
    for mean, scale, size in itertools.product(MEANS, SCALES, GRADIENTS):
        x, *others = (t.to(dtype) for t in draw(name, mean, scale, size))
        x = x.mT.contiguous().mT if channels_last else x
        found = derivatives(inside(norm), arguments, x, *others)
        exact = derivatives(norm, arguments, x.double(), *(t.double() for t in others))
        spread = math.inf if name == "rms" else least_spread(name, x.double())
        bound = 32 * (eps + (eps_of_sums * mean / spread if spread else math.inf))
        for what, e in exact.items():
            off = (found[what].double() - e).norm() / e.norm() if e.norm() else found[what].norm()
            if e.norm() > 1e-30 and not off <= bound:
                wrong.append(
                    f"{what} of mean {mean:g}, scale {scale:g}, gradient {size:g}: off by {off:.1e}, allowed {bound:.1e}"
                )
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"


FUNCTIONS = {
    "normalize": lambda x: F.normalize(x, dim=1),
    "vector_norm": lambda x: torch.linalg.vector_norm(x, dim=1),
    "std": lambda x: x.std(1),
    "logsumexp": lambda x: torch.logsumexp(x, 1),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_norms_are_made_of_is_as_near_as_torchs_at_every_mean_and_scale(name, dtype):
    """Within twice PyTorch's own error and 16 roundings: the value that enters the derivatives is PyTorch's, rounded."""
    f, wrong = FUNCTIONS[name], []
    for mean, scale in itertools.product(MEANS, SCALES):
        x, v = (t.to(dtype) for t in (torch.randn(6, 16).double() * scale + mean, torch.randn(6, 16)))
        results = [along(f, *t) for f, t in ((inside(f), (x, v)), (f, (x, v)), (f, (x.double(), v.double())))]
        for what, (ours, theirs, exact) in enumerate(zip(*results, strict=True)):
            exact = exact.to(dtype).double()
            off, theirs_off = ((t.double() - exact).norm() for t in (ours, theirs))
            if exact.isfinite().all() and not off <= 2 * theirs_off + 16 * torch.finfo(dtype).eps * exact.norm():
                wrong.append(f"{what} of mean {mean:g}, scale {scale:g}: off by {off:.1e}, torch's by {theirs_off:.1e}")
    assert not wrong, f"{len(wrong)}: {wrong[:5]}"


def along(f, x, v):
    """The value, the gradient, its derivative along v, and the tangent along v."""
    x = x.clone().requires_grad_()
    y = f(x)
    (gradient,) = torch.autograd.grad(y, x, torch.linspace(0.5, 2, y.numel(), dtype=y.dtype).view_as(y), create_graph=True)
    (second,) = torch.autograd.grad(gradient, x, v)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(f(forward_ad.make_dual(x.detach(), v))).tangent
    return y, gradient, second, tangent

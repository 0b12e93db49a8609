"""Right functions whose derivatives vanish: by cancellation, by symmetry, or where they are saturated.

Each is a function and what makes its inputs; the numbers are drawn anew for each seed.
"""

import torch
import torch.nn.functional as F


def normal(*shapes, scale=1.0):
    return lambda: tuple(scale * torch.randn(s, dtype=torch.float64) for s in shapes)


def integers(*shapes):
    return lambda: tuple(torch.randint(-3, 4, s).double() for s in shapes)


def complex_normal(*shapes):
    return lambda: tuple(torch.randn(s, dtype=torch.complex128) for s in shapes)


def rank_one():
    a, b = torch.randn(3, 1).double(), torch.randn(1, 3).double()
    return (a @ b,)


def at(*values):
    return lambda: (torch.tensor(values, dtype=torch.float64),)


def spread(exponent):
    """Numbers whose sizes lie up to 10^exponent apart."""
    return lambda: (torch.randn(5, dtype=torch.float64) * 10.0 ** torch.linspace(-exponent, exponent, 5).double(),)


ROWS = ((4, 3), (4, 1))  # x, and one number for each row
COLUMNS = ((4, 3), (3,))  # x, and one number for each column


def with_target():
    return (*normal(*ROWS)(), torch.tensor([0, 1, 2, 0]))


def norm(x, *dims):
    """PyTorch's own norms have wrong third derivatives."""
    return (x - x.mean(dims, keepdim=True)) / (x.var(dims, unbiased=False, keepdim=True) + 1e-5).sqrt()


def det(x):
    """PyTorch's own is wrong at higher orders."""
    return (x[0] * torch.linalg.cross(x[1], x[2])).sum()


def regular(x):
    return x + torch.diag_embed(x.new_full((3,), 4.0))


def attention(q, k, b):
    return torch.softmax(q @ k.t() + b, -1) @ k


def cosine(x, y):
    return F.cosine_similarity(x, y, dim=-1)


def standardized(x):
    return (x - x.mean(0)) / x.std(0)


def correlation(x, y):
    x, y = x - x.mean(), y - y.mean()
    return (x * y).sum() / (x.norm() * y.norm())


def pairwise(x, b):
    z = x + b
    return z[:, None] - z[None]


def distances(x, b):
    z = x + b
    return (z[:3, None] - z[None, 3:]).square().sum(-1)


def eigenvalues(x):
    return torch.linalg.eigvalsh(x + x.t())


def sphere(x):
    return F.normalize(x, dim=-1).square().sum(-1)


def rotated(x, angle):
    c, s = angle.cos(), angle.sin()
    return torch.stack([c * x[0] - s * x[1], s * x[0] + c * x[1]]).square().sum(0)


def double_centered(x, r, c):
    z = x + r + c
    return z - z.mean(0) - z.mean(1, keepdim=True) + z.mean()


def in_float32(x):
    return (x.float() * torch.tensor(0.1)).double()


def telescoping(x):
    return torch.diff(x, append=x[:1]).sum()


def two_outputs(x, b):
    return torch.softmax(x + b, 1), (x + b).sum(0)


def far_apart(x, y):
    return 1e8 * x.sin(), 1e-8 * y.sin()


def sorted_differences(x, b):
    return torch.diff((x + b).sort(0).values, dim=0)


SYMMETRIC = {
    # zero by cancellation: a shift
    "softmax(x + b)": (lambda x, b: torch.softmax(x + b, 1), normal(*ROWS)),
    "softmax(x + b), large": (lambda x, b: torch.softmax(x + b, 1), normal(*ROWS, scale=30.0)),
    "softmax(x + b), small": (lambda x, b: torch.softmax(x + b, 1), normal(*ROWS, scale=1e-6)),
    "softmax of softmax": (lambda x, b: torch.softmax(torch.softmax(x + b, 1) + b, 1), normal(*ROWS)),
    "log_softmax(x + b)": (lambda x, b: F.log_softmax(x + b, 1), normal(*ROWS)),
    "log_softmax, summed": (lambda x, b: F.log_softmax(x + b, 1).sum(1), normal(*ROWS)),
    "cross_entropy(x + b)": (lambda x, b, t: F.cross_entropy(x + b, t), with_target),
    "attention, shifted scores": (attention, normal((2, 3), (4, 3), (2, 1))),
    "logsumexp(x + b) - b": (lambda x, b: torch.logsumexp(x + b, 1) - b[:, 0], normal(*ROWS)),
    "layer_norm(x + b)": (lambda x, b: norm(x + b, 1), normal(*ROWS)),
    "batch_norm(x + b)": (lambda x, b: norm(x + b, 0), normal(*COLUMNS)),
    "instance_norm(x + b)": (lambda x, b: norm(x + b, 2), normal((2, 2, 4), (2, 1))),
    "group_norm(x + b)": (lambda x, b: norm((x + b).reshape(2, 2, 6), 2), normal((2, 4, 3), (2, 1, 1))),
    "x - mean": (lambda x, b: (x + b) - (x + b).mean(0), normal(*COLUMNS)),
    "var(x + b)": (lambda x, b: (x + b).var(0), normal(*COLUMNS)),
    "std(x + b)": (lambda x, b: (x + b).std(0), normal(*COLUMNS)),
    "double centering": (double_centered, normal((4, 3), (4, 1), (1, 3))),
    "pairwise differences": (pairwise, normal((4, 2), (2,))),
    "pairwise distances": (distances, normal((5, 3), (3,))),
    "sorted differences": (sorted_differences, normal(*COLUMNS)),
    "telescoping sum": (telescoping, normal((5,))),
    "sum of centered": (lambda x: (x - x.mean()).sum(), normal((4, 3))),
    "two outputs, one shifted": (two_outputs, normal(*ROWS)),
    # a scale
    "cosine similarity": (cosine, normal((4, 3), (4, 3))),
    "cosine, scaled": (lambda x, a: F.cosine_similarity(a * x, x.flip(1), dim=-1), normal(*ROWS)),
    "normalize(a x)": (lambda x, a: F.normalize(a * x, dim=1), normal(*ROWS)),
    "rms_norm(a x)": (lambda x, a: a * x / (a * x).square().mean(1, keepdim=True).sqrt(), normal(*ROWS)),
    "batch_norm(a x), almost": (lambda x, a: norm(x * a, 0), normal((6, 3), (3,))),
    "correlation": (correlation, normal((6,), (6,))),
    "a p / sum(a p)": (lambda x, a: (a * (1 + x * x)) / (a * (1 + x * x)).sum(1, keepdim=True), normal(*ROWS)),
    "standardized": (standardized, normal((5, 2))),
    # outputs that are constant
    "sum of softmax": (lambda x: torch.softmax(x, 1).sum(1), normal((4, 3))),
    "1 - sum of softmax": (lambda x: 1 - torch.softmax(x, 1).sum(1), normal((4, 2))),
    "sin² + cos²": (lambda x: x.sin() ** 2 + x.cos() ** 2, normal((4, 3))),
    "sigmoid(x) + sigmoid(-x)": (lambda x: torch.sigmoid(x) + torch.sigmoid(-x), normal((4, 3))),
    "norm of normalize": (sphere, normal((4, 3))),
    "length, rotated": (rotated, normal((2, 3), ())),
    "x - x": (lambda x: x - x, normal((4, 3))),
    "0 x": (lambda x, y: 0 * x + y, normal((4, 3), (4, 3))),
    "x³ / x³": (lambda x: x**3 / x**3, normal((4,))),
    "a constant": (lambda x, y: torch.ones_like(x) * y, normal((4, 3), (4, 3))),
    # flat, saturated, selected
    "floor": (lambda x: x.floor() + 0 * x, normal((4, 3))),
    "sign": (lambda x: x.sign() * x.detach().abs().clamp_min(1) ** 0, normal((4, 3))),
    "clamp, saturated": (lambda x: x.clamp(-0.1, 0.1), normal((4, 3))),
    "relu, mostly dead": (lambda x: torch.relu(x - 1), normal((4, 3))),
    "hardsigmoid": (F.hardsigmoid, normal((4, 3), scale=5.0)),
    "tanh, saturated": (torch.tanh, normal((4, 3), scale=30.0)),
    "sigmoid, saturated": (torch.sigmoid, normal((4, 3), scale=100.0)),
    "softmax, saturated": (lambda x: torch.softmax(x, 1), normal((4, 3), scale=200.0)),
    "gelu, saturated": (F.gelu, normal((4, 3), scale=20.0)),
    "amax": (lambda x: x.amax(1), normal((4, 3))),
    "selected by argmax": (lambda x, t: t[x.argmax(1)] + 0 * x.sum(1, keepdim=True), normal((4, 3), (3, 2))),
    "sorted": (lambda x: x.sort(0).values, normal((5, 2))),
    "masked": (lambda x: torch.tril(x) @ torch.tril(x).t(), normal((3, 3))),
    "median": (lambda x: x.median(1).values, normal((4, 3))),
    # even and odd functions at their centre, integers
    "cos at 0": (torch.cos, at(0.0, 1.0, -2.0)),
    "x² at 0": (lambda x: x * x, at(0.0, 1.0, 0.0)),
    "(x - 1)² at 1": (lambda x: (x - 1) ** 2, at(1.0, 2.0, 1.0)),
    "all at their minimum": (lambda x: (x - 1) ** 2, at(1.0, 1.0, 1.0)),
    "mse of equal": (lambda x: F.mse_loss(x, x.detach().round()), integers((4, 3))),
    "products of integers": (lambda x, y: (x * y)[0] * (x * y)[1] * (x * y)[2], integers((3, 2), (3, 2))),
    "matmul of integers": (lambda x, y: x @ y, integers((3, 4), (4, 2))),
    "cubes of integers": (lambda x: x**3 - 3 * x, integers((5,))),
    # matrices
    "determinant, rank 1": (det, rank_one),
    "determinant, rank 2": (lambda x: det(x @ x.t()), normal((3, 2))),
    "determinant": (det, normal((3, 3))),
    "eigenvalues, symmetric": (eigenvalues, normal((3, 3))),
    "skew part of symmetric": (lambda x: (x @ x.t()) - (x @ x.t()).t(), normal((3, 3))),
    "x inverse(x)": (lambda x: torch.linalg.inv(regular(x)) @ regular(x), normal((3, 3))),
    "trace of a commutator": (lambda x, y: torch.trace(x @ y - y @ x), normal((3, 3), (3, 3))),
    "cross(x, x)": (lambda x: torch.linalg.cross(x, 2 * x), normal((4, 3))),
    # complex
    "modulus, rotated": (lambda x, a: (x * torch.exp(1j * a)).abs(), lambda: (*complex_normal((3,))(), *normal((3,))())),
    "phase, scaled": (lambda x, a: torch.angle(x * a.exp()), lambda: (*complex_normal((3,))(), *normal((3,))())),
    "real part": (lambda x: x.real, complex_normal((4,))),
    "x + conj(x)": (lambda x: x + x.conj(), complex_normal((4,))),
    # far away, far apart
    "x + 1e8": (lambda x: x + 1e8, normal((4, 3))),
    "outputs far apart": (far_apart, normal((3,), (3,))),
    "inputs far apart": (lambda x: x**3, spread(9)),
    "sums of numbers far apart": (lambda x: x.cumsum(0), spread(6)),
    "softmax of numbers far apart": (lambda x: torch.softmax(x, 0), spread(3)),
}

NAIVE = {  # right in float64, and not in float32, as extreme_values says
    "cosh² - sinh²": (lambda x: x.cosh() ** 2 - x.sinh() ** 2, normal((4,))),
    "log(exp(x)) - x": (lambda x: x.exp().log() - x, normal((4, 3))),
    "(x + 1e8) - 1e8": (lambda x: (x + 1e8) - 1e8, normal((4, 3))),
    "(x + 1e12) - 1e12": (lambda x: (x + 1e12) - 1e12, normal((4, 3))),
    "(x + 1e14) - 1e14": (lambda x: (x + 1e14) - 1e14, normal((4, 3))),
    "variance, far away": (lambda x: (x + 1e6).var(0), normal((5, 2))),
    "float32 inside": (in_float32, normal((4, 3))),
}

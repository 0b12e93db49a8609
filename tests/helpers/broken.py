"""Functions that are broken, each in one way that people have met, and correct ones in as many styles."""

import threading

import numpy
import torch
from torch.autograd.function import once_differentiable

from manualgrad import Function, functions

PlainFunction = torch.autograd.Function


def numbers(*shape, dtype=torch.float64):
    """From 0.5 to 1.5, all different, always the same."""
    generator = torch.Generator().manual_seed(3)
    return torch.rand(shape, generator=generator, dtype=torch.float64).add(0.5).to(dtype)


class Square(PlainFunction):
    """Correct; the broken ones override what is wrong with them."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g


class SquareInCtxStyle(PlainFunction):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g


class Product(PlainFunction):
    """x y, correct."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y):
        return x * y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y.conj(), g * x.conj()


# forward_is_pure


class ChangesItsInput(SquareInCtxStyle):
    """forward works in place and says nothing (ctx.mark_dirty is missing)."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x.clone())
        return x.mul_(x).clone()


class ChangesGradOutput(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g.mul_(2 * x)


class ChangesSavedTensor(SquareInCtxStyle):
    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        with torch.no_grad():
            return x.mul_(2).mul(g)


class ReturnsData(PlainFunction):
    """A no-op in the forward, whose output is its input behind autograd's back."""

    @staticmethod
    def forward(ctx, x):
        return x.data

    @staticmethod
    def backward(ctx, g):
        return g.clone()


# backward


class WrongFactor(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x * g


class SwappedGradients(Product):
    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * x, g * y


class ForgetsAnInput(Product):
    @staticmethod
    def backward(ctx, g):
        _, y = ctx.saved_tensors
        return g * y, None


class ForgetsToConjugate(Product):
    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y, g * x


class WrongNumberOfGradients(Product):
    @staticmethod
    def backward(ctx, g):
        _, y = ctx.saved_tensors
        return g * y


class ForgetsTheMean(PlainFunction):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x * x).mean()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g


class WrongSign(Square):
    @staticmethod
    def forward(x):
        return x.cos()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return x.sin() * g


class TransposedGradient(Product):
    @staticmethod
    def forward(a, W):
        return a @ W.t()

    @staticmethod
    def backward(ctx, g):
        a, W = ctx.saved_tensors
        return g @ W, a.t() @ g


class SwappedMatrices(Product):
    @staticmethod
    def forward(a, b):
        return a @ b

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return a.t() @ g, g @ b.t()


class BiasedVariance(Square):
    @staticmethod
    def forward(x):
        return x.var(0)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * (x - x.mean(0)) * g / len(x)


# double_backward


class SavesAnIntermediate(PlainFunction):
    """tanh(x)², of which tanh(x) is saved: neither an input nor an output (pytorch issues 76185, 104040)."""

    @staticmethod
    def forward(ctx, x):
        t = x.tanh()
        ctx.save_for_backward(t)
        return t * t

    @staticmethod
    def backward(ctx, g):
        (t,) = ctx.saved_tensors
        return 2 * t * (1 - t * t) * g


class ReadsData(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x.data * g


class DetachesGradOutput(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g.detach()


class ComputesInNumpy(SquareInCtxStyle):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.from_numpy(numpy.square(x.detach().numpy()).reshape(x.shape))

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return torch.from_numpy((2 * x.detach().numpy() * g.detach().numpy()).reshape(g.shape))


class BackwardWithoutGrad(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        with torch.no_grad():
            return 2 * x * g


# needs_input_grad


class AsksForTheWrongInput(Product):
    """Both gradients hang on ctx.needs_input_grad[0]."""

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return (g * y, g * x) if ctx.needs_input_grad[0] else (None, None)


class SavesForTheWrongInput(Product):
    """y is needed for the gradient of x, and saved where y itself requires grad."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y = inputs
        ctx.save_for_backward(x if ctx.needs_input_grad[0] else None, y if ctx.needs_input_grad[1] else None)

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y if ctx.needs_input_grad[0] else None, g * x if ctx.needs_input_grad[1] else None


# undefined_gradients


class SinAndCos(PlainFunction):
    """Correct."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.sin(), x.cos()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx, g_sin, g_cos):
        (x,) = ctx.saved_tensors
        return g_sin * x.cos() - g_cos * x.sin()


class AddsNone(SinAndCos):
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.set_materialize_grads(False)


class DropsAGradient(SinAndCos):
    """It returns None as soon as one of the two grad_outputs is None."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, g_sin, g_cos):
        (x,) = ctx.saved_tensors
        return None if g_sin is None or g_cos is None else g_sin * x.cos() - g_cos * x.sin()


class MultipliesNone(Square):
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.set_materialize_grads(False)


# memory_layout


class ViewsGradOutput(Square):
    """view raises for the expanded grad_output of .sum().backward()."""

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return (2 * x.reshape(-1) * g.view(-1)).reshape(x.shape)


class ReadsTheStorage(SquareInCtxStyle):
    """As a kernel that is handed data_ptr() and thinks it contiguous."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        flat = torch.as_strided(x, (x.numel(),), (1,))
        return (flat * flat).view(x.shape)


# shapes


class ForgetsToSum(PlainFunction):
    """x + b, with b broadcast."""

    @staticmethod
    def forward(ctx, x, b):
        return x + b

    @staticmethod
    def backward(ctx, g):
        return g, g.clone()


class FailsOnNothing(Square):
    """The largest element of an empty tensor."""

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        largest = x.detach().abs().max()
        return 2 * (x / largest) * g * largest


class FailsOnASingleNumber(PlainFunction):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return torch.stack([2 * x[i] * g[i] for i in range(len(x))]) if x.numel() else g * 0


# dtypes


class ComputesInFloat32(PlainFunction):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x * x).float()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g.to(x.dtype)


class ReturnsAFloat32Gradient(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return (2 * x * g).float()


class OverflowsInHalfPrecision(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * (x * 1e6) * g / 1e6


# saved_tensors


class KeepsTheInputOnCtx(SquareInCtxStyle):
    @staticmethod
    def forward(ctx, x):
        ctx.x = x
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * ctx.x * g


class KeepsAListOnCtx(KeepsTheInputOnCtx):
    @staticmethod
    def forward(ctx, x):
        ctx.kept = [x, {"again": x}]
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * ctx.kept[0] * g


class KeepsTheOutputOnCtx(PlainFunction):
    """A reference cycle: the output holds its node, and the node the output (pytorch forum's commonest leak)."""

    @staticmethod
    def forward(ctx, x):
        ctx.y = x.exp()
        return ctx.y

    @staticmethod
    def backward(ctx, g):
        return ctx.y * g


class KeepsTheInputInAGlobal(SquareInCtxStyle):
    cache: list = []

    @staticmethod
    def forward(ctx, x):
        KeepsTheInputInAGlobal.cache[:] = [x]
        ctx.save_for_backward(x)
        return x * x


class KeepsTheInputInAClosure(KeepsTheInputInAGlobal):
    @staticmethod
    def forward(ctx, x):
        ctx.gradient = lambda g: 2 * x * g
        return x * x

    @staticmethod
    def backward(ctx, g):
        return ctx.gradient(g)


class HoldsItsOutputInAClosure(PlainFunction):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.gradient = lambda g: y * g
        return y

    @staticmethod
    def backward(ctx, g):
        return ctx.gradient(g)


class SavesData(SquareInCtxStyle):
    """.data has a version counter of its own: changes of x go unnoticed."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x.data)
        return x * x

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g


# repeatable


class Counts(SquareInCtxStyle):
    calls = 0

    @staticmethod
    def forward(ctx, x):
        Counts.calls += 1
        ctx.save_for_backward(x)
        return x * x * Counts.calls


class ForgetsInBackward(SquareInCtxStyle):
    @staticmethod
    def forward(ctx, x):
        ctx.factors = [2.0]
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return ctx.factors.pop() * x * g


class KeepsStateInAThread(SquareInCtxStyle):
    state = threading.local()

    @staticmethod
    def forward(ctx, x):
        KeepsStateInAThread.state.factor = 2.0
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return KeepsStateInAThread.state.factor * x * g


class AsksForTheGradMode(SquareInCtxStyle):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return (2.5 if torch.is_grad_enabled() else 2) * x * g


def square_unless_without_grad(x):
    return Square.apply(x) if torch.is_grad_enabled() else x


class DrawsInBackward(SquareInCtxStyle):
    """A gradient with noise of its own."""

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g * (1 + 1e-3 * torch.rand_like(x))


# vmap


class WrongVmapRule(Square):
    generate_vmap_rule = False

    @staticmethod
    def vmap(info, in_dims, x):
        return WrongVmapRule.apply(x.movedim(in_dims[0], -1)), 0


class ReadsANumber(Square):
    """.item() in a forward that claims a generated vmap rule."""

    @staticmethod
    def forward(x):
        return x * x if x.sum().item() < 1e9 else x


# func_transforms


class RecomputesByAutograd(PlainFunction):
    """The backward by autograd over a second forward, as checkpoints do; torch.func allows no requires_grad_ inside."""

    @staticmethod
    def forward(x):
        return x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad(x * x, x, g)[0]


class OtherwiseInTransforms(Square):
    """A shortcut for torch.func that is not the same."""

    generate_vmap_rule = False

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return (3 if torch._C._are_functorch_transforms_active() else 2) * x * g


# forward_ad


class SquareWithJvp(Square):
    """Correct."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.save_for_forward(inputs[0])

    @staticmethod
    def jvp(ctx, dx):
        (x,) = ctx.saved_tensors
        return 2 * x * dx


class ForgetsToSaveForForward(SquareWithJvp):
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])


class WritesIntoZeros(Square):
    """In torch.func.jacrev grad_output is batched, and zeros like the saved x are not."""

    @staticmethod
    def forward(x):
        return x[1:] * 1

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        gradient = torch.zeros_like(x)
        gradient[1:] = g
        return gradient


class WrongJvp(SquareWithJvp):
    @staticmethod
    def jvp(ctx, dx):
        (x,) = ctx.saved_tensors
        return x * dx


class JvpForgetsAnInput(Product):
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def jvp(ctx, dx, dy):
        _, y = ctx.saved_tensors
        return dx * y


# compile


class OtherwiseWhenCompiled(Square):
    @staticmethod
    def forward(x):
        return x * x * (2 if torch.compiler.is_compiling() else 1)


class StraightThrough(PlainFunction):
    """Rounds, and passes the gradient on: right as it is meant, and dropped by torch.func inside torch.compile (193279)."""

    @staticmethod
    def forward(x):
        return x.round()

    @staticmethod
    def setup_context(ctx, inputs, output): ...

    @staticmethod
    def backward(ctx, g):
        return g.clone()


# autocast


class LinearWithoutAutocast(PlainFunction):
    """Its product is cast to bfloat16 in the forward; the backward meets two dtypes (pytorch issue 132388)."""

    @staticmethod
    def forward(ctx, a, W):
        ctx.save_for_backward(a, W)
        return torch.nn.functional.linear(a, W)

    @staticmethod
    def backward(ctx, delta):
        a, W = ctx.saved_tensors
        return torch.einsum("nj,jk->nk", delta, W) if delta.dtype == W.dtype else delta @ W, delta.T.mm(a)


# meta_device


class MakesOnesOnTheCpu(Square):
    @staticmethod
    def forward(x):
        return x * x * torch.ones(x.shape, dtype=x.dtype, device="cpu")


class MakesAGradientOnTheCpu(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g * torch.ones(x.shape, dtype=x.dtype, device="cpu")


# gradient_scale


class IgnoresGradOutput(PlainFunction):
    """A cost that takes itself for the last one."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x * x).sum()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * torch.ones_like(g)


class SquaresGradOutput(IgnoresGradOutput):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g * g


class ClipsGradOutput(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g.clamp(-100, 100)


class SpreadsInf(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g + 0 * g.sum()


# third_derivative, forward_over_forward, vmap: wrong in nestings alone


class Cube(Function):
    """Correct."""

    @staticmethod
    def forward(x):
        return x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x * x * g

    @staticmethod
    def jvp(ctx, dx):
        (x,) = ctx.saved_tensors
        return 3 * x * x * dx


class PlainCube(PlainFunction):
    """Correct, but for forward over forward, which PyTorch makes 0 (issue 197867)."""

    generate_vmap_rule = True
    forward, setup_context = staticmethod(Cube.forward), staticmethod(Cube.setup_context)
    backward, jvp = staticmethod(Cube.backward), staticmethod(Cube.jvp)


class JvpDetaches(Cube):
    @staticmethod
    def jvp(ctx, dx):
        (x,) = ctx.saved_tensors
        return 3 * x.detach() ** 2 * dx


class JvpSavesAnIntermediate(Cube):
    @staticmethod
    def setup_context(ctx, inputs, output):
        (x,) = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward((x * x).detach())

    @staticmethod
    def jvp(ctx, dx):
        (square,) = ctx.saved_tensors
        return 3 * square * dx


class Slope(Cube):
    """3x², correct but for its second derivative."""

    @staticmethod
    def forward(x):
        return 3 * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 6 * x.detach() * g

    @staticmethod
    def jvp(ctx, dx):
        (x,) = ctx.saved_tensors
        return 6 * x * dx


class WrongThird(Cube):
    """Its backward is right, and so is the backward's; that one's is 0."""

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return Slope.apply(x) * g


class SlopeAskedTwice(Slope):
    """3x², whose jvp is right, and its jvp's is not."""

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 6 * x * g

    @staticmethod
    def jvp(ctx, dx):
        (x,) = ctx.saved_tensors
        return 6 * x.detach() * dx


class WrongThirdInForwardMode(Cube):
    """Forward mode twice over the backward, or over its tangent, drops a term."""

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return SlopeAskedTwice.apply(x) * g


class CountsForEachExample(PlainFunction):
    """PyTorch's generated rule counts what comes back to the second output, the same for all, once for each example."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, w):
        return x * w, x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g, h):
        x, w = ctx.saved_tensors
        return g * w + 2 * x * h, g * x


# backward, double_backward, forward_ad: wrong by little


class RoundedPi(Square):
    @staticmethod
    def forward(x):
        return torch.sin(torch.pi * x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3.1416 * torch.cos(torch.pi * x) * g


class OffByThreeInTenThousand(Square):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2.0006 * x * g


class OneSmallEntryOff(Square):
    """By a factor of 1 + 1e-6 in the smallest entry, which is 2e-4 of the largest or so."""

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g * (1 + 1e-6 * (x.abs() < 1e-3).to(x.dtype))


class TangentOff(Cube):
    @staticmethod
    def jvp(ctx, dx):
        (x,) = ctx.saved_tensors
        return 3.000006 * x * x * dx


class RoundedConstant(Square):
    """gelu's tanh form, with √(2/π) rounded to five digits in the backward."""

    @staticmethod
    def forward(x):
        return torch.nn.functional.gelu(x, approximate="tanh")

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        t = torch.tanh(0.79788 * (x + 0.044715 * x**3))
        return (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.79788 * (1 + 3 * 0.044715 * x * x)) * g


class SlopeOff(Slope):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 6.00001 * x * g


class SecondDerivativeOff(Cube):
    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return SlopeOff.apply(x) * g


# extreme_values


class SoftplusByLog(Square):
    @staticmethod
    def forward(x):
        return torch.log(1 + x.exp())

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return torch.sigmoid(x) * g


class SoftplusByDivision(Square):
    """Its value is right everywhere, its gradient ∞/∞ for large x."""

    @staticmethod
    def forward(x):
        return torch.nn.functional.softplus(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return x.exp() / (1 + x.exp()) * g


def softmax_without_its_maximum(x):
    return x.exp() / x.exp().sum(-1, keepdim=True)


def log_of_sigmoid(x):
    return torch.log(torch.sigmoid(x))


def variance_as_a_difference(x):
    return (x * x).mean(-1) - x.mean(-1) ** 2


def tanh_by_exponentials(x):
    return (x.exp() - (-x).exp()) / (x.exp() + (-x).exp())


def log_of_one_and(x):
    return torch.log(1 + x)


# What is let pass, and a fault beside it.


def rows(index, weight, padding_idx):
    return torch.nn.functional.embedding(index, weight, padding_idx)


class ForgetsARow(PlainFunction):
    """Beside the row that padding_idx freezes, row 1 has no gradient."""

    @staticmethod
    def forward(ctx, index, weight, padding_idx):
        ctx.save_for_backward(index)
        ctx.n, ctx.padding_idx = len(weight), padding_idx
        return weight[index]

    @staticmethod
    def backward(ctx, g):
        (index,) = ctx.saved_tensors
        keep = ((index != ctx.padding_idx) & (index != 1)).to(g.dtype)
        return None, g.new_zeros(ctx.n, g.shape[-1]).index_add(0, index, g * keep[:, None]), None


class TimesATable(PlainFunction):
    """A forward that makes do with a table of nothing, as some of PyTorch's do, beside a backward that does not. Correct."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w if len(w) else x * 1

    @staticmethod
    def backward(ctx, g):
        x, w = ctx.saved_tensors
        return g * w.view(1, x.shape[1]), (g * x).sum(0)


class StatisticsInFloat32(PlainFunction):
    """x less its mean, and the mean, kept in float32 beside half-precision numbers. Correct."""

    @staticmethod
    def forward(ctx, x):
        mean = x.to(torch.promote_types(x.dtype, torch.float32)).mean()
        return (x - mean).to(x.dtype), mean

    @staticmethod
    def backward(ctx, g, h):
        return (g - g.mean() + (h / g.numel()).to(g.dtype)).to(g.dtype)


class StatisticsAlone(StatisticsInFloat32):
    """Its only differentiable output is in float32."""

    @staticmethod
    def forward(ctx, x):
        ctx.n, ctx.dtype, ctx.shape = x.numel(), x.dtype, x.shape
        return x.to(torch.promote_types(x.dtype, torch.float32)).mean()

    @staticmethod
    def backward(ctx, h):
        return (h / ctx.n).to(ctx.dtype).expand(ctx.shape)


# name -> Function, inputs, the check that must find it, words of its advice, and checks that may find the same fault
X = (numbers(4, 3),)
XY = (numbers(4, 3), numbers(4, 3).flip(0))
COMPLEX = (torch.complex(numbers(3), numbers(3).flip(0)), torch.complex(numbers(3) + 1, numbers(3)))

BROKEN = [
    (ChangesItsInput, X, "forward_is_pure", "mark_dirty", set()),
    (ChangesGradOutput, X, "forward_is_pure", "out of place", set()),
    (ChangesSavedTensor, X, "forward_is_pure", "out of place", set()),
    (ReturnsData, X, "forward_is_pure", "clone it", set()),
    (WrongFactor, X, "backward", "times 0.666667 is correct", set()),
    (SwappedGradients, XY, "backward", "in the order of forward's arguments: x, y", set()),
    (ForgetsAnInput, XY, "backward", "return the gradient of y", set()),
    (ForgetsToConjugate, COMPLEX, "backward", "times the conjugate", set()),
    (WrongNumberOfGradients, XY, "backward", "one gradient for each input", set()),
    (ForgetsTheMean, X, "backward", "divide by 12", set()),
    (SavesAnIntermediate, X, "double_backward", "save only inputs and outputs", set()),
    (ReadsData, X, "double_backward", "once_differentiable", {"vmap"}),  # which refuses .data, loudly
    (DetachesGradOutput, X, "double_backward", "once_differentiable", set()),
    (ComputesInNumpy, X, "double_backward", "numpy", set()),
    (BackwardWithoutGrad, X, "double_backward", "once_differentiable", set()),
    (AsksForTheWrongInput, XY, "needs_input_grad", r"needs_input_grad\[i\]", set()),
    (SavesForTheWrongInput, XY, "needs_input_grad", r"needs_input_grad\[i\]", set()),
    (AddsNone, X, "undefined_gradients", "treat None as zeros", set()),
    (DropsAGradient, X, "undefined_gradients", "treat None as zeros", set()),
    (MultipliesNone, X, "undefined_gradients", "treat None as zeros", set()),
    (ViewsGradOutput, X, "memory_layout", "reshape instead of view", set()),
    (ReadsTheStorage, X, "memory_layout", "contiguous", set()),
    (ForgetsToSum, (numbers(4, 3), numbers(3)), "shapes", "sum_to_size", set()),
    (FailsOnNothing, X, "shapes", "sizes of 0", set()),
    (FailsOnASingleNumber, X, "shapes", "no dimensions", set()),
    (ComputesInFloat32, X, "dtypes", "keep the dtype", set()),
    (ReturnsAFloat32Gradient, X, "dtypes", "keep the dtype", set()),
    (OverflowsInHalfPrecision, X, "dtypes", "accumulate in float32", set()),
    (KeepsTheInputOnCtx, X, "saved_tensors", "only with ctx.save_for_backward", set()),
    (KeepsAListOnCtx, X, "saved_tensors", "only with ctx.save_for_backward", set()),
    (KeepsTheOutputOnCtx, X, "saved_tensors", "only with ctx.save_for_backward", set()),
    (KeepsTheInputInAGlobal, X, "saved_tensors", "only with ctx.save_for_backward", set()),
    (KeepsTheInputInAClosure, X, "saved_tensors", "only with ctx.save_for_backward", set()),
    (HoldsItsOutputInAClosure, X, "saved_tensors", "save outputs with ctx.save_for_backward", {"double_backward"}),
    (SavesData, X, "saved_tensors", "only with ctx.save_for_backward", set()),
    (Counts, X, "repeatable", "no counter", set()),
    (ForgetsInBackward, X, "repeatable", "do not free or change", set()),
    (KeepsStateInAThread, X, "repeatable", "thread-locals", set()),
    (AsksForTheGradMode, X, "repeatable", "grad mode in backward", {"double_backward"}),
    (square_unless_without_grad, X, "repeatable", "grad mode in forward", set()),
    (DrawsInBackward, X, "repeatable", "no counter", set()),
    (WrongVmapRule, X, "vmap", "correct the vmap rule", set()),
    (ReadsANumber, X, "vmap", r"do not use \.item\(\)", set()),
    (RecomputesByAutograd, X, "func_transforms", "by its formula", set()),
    (OtherwiseInTransforms, X, "func_transforms", "not on who calls them", set()),
    (WrongJvp, X, "forward_ad", "derive jvp again", set()),
    (JvpForgetsAnInput, XY, "forward_ad", "derive jvp again", set()),
    (OtherwiseWhenCompiled, X, "compile", "compiler cannot see", set()),
    (StraightThrough, X, "compile", "manualgrad.Function", {"backward"}),
    (LinearWithoutAutocast, (numbers(4, 3), numbers(2, 3)), "autocast", "custom_fwd", set()),
    (MakesOnesOnTheCpu, X, "meta_device", "device=input.device", set()),
    (MakesAGradientOnTheCpu, X, "meta_device", "device=input.device", set()),
    (IgnoresGradOutput, X, "backward", "multiply by grad_output exactly once", set()),
    (SquaresGradOutput, X, "backward", "multiply by grad_output exactly once", set()),
    (ClipsGradOutput, X, "gradient_scale", "multiply by grad_output exactly once", set()),
    (SpreadsInf, X, "gradient_scale", "do not normalize", set()),
    # whose cure is not the one that the check names first
    (WrongSign, X, "backward", "change the sign", set()),
    (TransposedGradient, (numbers(4, 3), numbers(2, 3)), "backward", r"return its \.t\(\)", set()),
    (TransposedGradient, (numbers(4, 3), numbers(3, 3)), "backward", r"return its \.t\(\)", {"autocast"}),
    (SwappedMatrices, (numbers(3, 5), numbers(5, 3)), "backward", "in the order of forward's arguments: a, b", set()),
    (BiasedVariance, (numbers(5, 3),), "backward", "a biased variance by 5, an unbiased one by 4", {"shapes"}),
    (ForgetsToSaveForForward, X, "forward_ad", r"ctx\.save_for_forward", set()),
    (WritesIntoZeros, X, "func_transforms", "new_zeros", set()),
    # in nestings alone
    (PlainCube, X, "forward_over_forward", r"subclass manualgrad\.Function", set()),
    (JvpDetaches, X, "forward_over_forward", "differentiable operations", {"third_derivative"}),
    (JvpSavesAnIntermediate, X, "forward_over_forward", "intermediate results of the forward", {"third_derivative"}),
    (WrongThird, X, "third_derivative", "differentiable operations", set()),
    (WrongThirdInForwardMode, X, "third_derivative", "differentiable operations", set()),
    (CountsForEachExample, XY, "vmap", "vmap rule", set()),
    # by little
    (RoundedPi, X, "backward", "derive the gradient again", set()),
    (OffByThreeInTenThousand, X, "backward", "derive the gradient again", set()),
    (OneSmallEntryOff, (torch.tensor([1.0, 0.7, 3e-4, -0.5]),), "backward", "derive the gradient again", set()),
    (RoundedConstant, X, "backward", "derive the gradient again", set()),
    (TangentOff, X, "forward_ad", "derive jvp again", set()),
    (SecondDerivativeOff, X, "double_backward", "differentiable operations", set()),
    # at extreme values
    (SoftplusByLog, X, "extreme_values", "log1p", set()),
    (SoftplusByDivision, X, "extreme_values", "overflows", set()),
    (softmax_without_its_maximum, X, "extreme_values", "subtract the maximum", set()),
    (log_of_sigmoid, X, "extreme_values", "logsigmoid", set()),
    (variance_as_a_difference, X, "extreme_values", "before squaring", set()),
    (tanh_by_exponentials, X, "extreme_values", "overflows", set()),
    (log_of_one_and, X, "extreme_values", "log1p", set()),
    # beside what is let pass
    (ForgetsARow, (torch.tensor([0, 1, 2, 1]), numbers(3, 2), 2), "backward", "derive the gradient again", set()),
    (StatisticsAlone, X, "dtypes", "keep the dtype", {"autocast"}),
]


# Correct ones, of various styles.


class Scaled(PlainFunction):
    """Arguments that are no tensors."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, factor, mode, shape):
        return x * factor if mode == "times" else x / factor

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.factor, ctx.mode, _ = inputs

    @staticmethod
    def backward(ctx, g):
        return g * ctx.factor if ctx.mode == "times" else g / ctx.factor, None, None, None


class WithOptionalBias(PlainFunction):
    @staticmethod
    def forward(ctx, x, b=None):
        ctx.has_bias = b is not None
        return x * 1 if b is None else x + b

    @staticmethod
    def backward(ctx, g):
        return g.clone(), g.clone() if ctx.has_bias else None


class ExpInPlace(PlainFunction):
    @staticmethod
    def forward(ctx, x):
        x.exp_()
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return y * g


class SquareOnce(SquareInCtxStyle):
    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * x * g


class Rows(PlainFunction):
    """table[index], with an index of integers."""

    @staticmethod
    def forward(ctx, table, index):
        ctx.save_for_backward(index)
        ctx.n = len(table)
        return table[index]

    @staticmethod
    def backward(ctx, g):
        (index,) = ctx.saved_tensors
        return torch.zeros(ctx.n, *g.shape[1:], dtype=g.dtype, device=g.device).index_add(0, index, g), None


class Sorted(PlainFunction):
    """Two outputs, of which one has no gradient."""

    @staticmethod
    def forward(ctx, x):
        values, order = x.sort(dim=0)
        ctx.mark_non_differentiable(order)
        ctx.save_for_backward(order)
        return values, order

    @staticmethod
    def backward(ctx, g, _):
        (order,) = ctx.saved_tensors
        return torch.zeros_like(g).scatter(0, order, g)


class SinInNumpy(PlainFunction):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.from_numpy(numpy.asarray(numpy.sin(x.detach().numpy())))

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return torch.from_numpy(numpy.asarray(numpy.cos(x.numpy()) * g.numpy()))


class Reshaped(PlainFunction):
    """Its output is a view of its input."""

    @staticmethod
    def forward(ctx, x):
        ctx.shape = x.shape
        return x.reshape(-1)

    @staticmethod
    def backward(ctx, g):
        return g.reshape(ctx.shape)


class Identity(PlainFunction):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x

    @staticmethod
    def setup_context(ctx, inputs, output): ...

    @staticmethod
    def backward(ctx, g):
        return g


class Dropout(PlainFunction):
    @staticmethod
    def forward(ctx, x):
        mask = (torch.rand_like(x) > 0.5).to(x.dtype)
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx, g):
        (mask,) = ctx.saved_tensors
        return g * mask


class NoneForUnused(SinAndCos):
    """It takes undefined gradients as they come."""

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, g_sin, g_cos):
        (x,) = ctx.saved_tensors
        parts = [] if g_sin is None else [g_sin * x.cos()]
        parts += [] if g_cos is None else [-g_cos * x.sin()]
        return sum(parts[1:], parts[0]) if parts else None


class MatrixProduct(PlainFunction):
    """A Linear that asks ctx.needs_input_grad, and obeys autocast."""

    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(ctx, a, W):
        ctx.save_for_backward(a if ctx.needs_input_grad[1] else None, W if ctx.needs_input_grad[0] else None)
        return a @ W.t()

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx, delta):
        a, W = ctx.saved_tensors
        return delta @ W if ctx.needs_input_grad[0] else None, delta.t() @ a if ctx.needs_input_grad[1] else None


CORRECT = [
    (SquareInCtxStyle, X),
    (Square, X),
    (SinAndCos, X),
    (NoneForUnused, X),
    (Scaled, [(*X, 3.0, "times", (2, 3)), (*X, 2, "over", None)]),
    (WithOptionalBias, [(*X, None), XY]),
    (ExpInPlace, X),
    (SquareOnce, X),
    (Rows, (numbers(4, 3), torch.tensor([0, 2, 2, 1, 0]))),
    (Sorted, X),
    (SinInNumpy, X),
    (Product, COMPLEX),
    (Reshaped, X),
    (Identity, X),
    (Dropout, X),
    (MatrixProduct, (numbers(4, 3), numbers(2, 3))),
]

# Hard to judge: at kinks, ill-conditioned, steep, large, small, infinite by right.

SIGNED = torch.tensor([[0.0, 1e-6, -1e-4, 2.0], [-3.0, 0.0, 1e-12, -0.5]])
HARD = {  # by every check but torch.compile's
    "ReLU at its kink": (functions.ReLUFunction, (SIGNED,)),
    "abs at its kink": (torch.abs, (SIGNED,)),
    "max with ties": (lambda x: x.amax(-1), (torch.tensor([[1.0, 1.0, 0.5], [2.0, 2.0 + 1e-9, -1.0]]),)),
    "clamp at its edge": (lambda x: x.clamp(0.0, 2.0), (SIGNED,)),
    "large inputs": (Cube, (1e8 * numbers(4, 3),)),
    "small inputs": (Cube, (1e-8 * numbers(4, 3),)),
    "inputs of all sizes": (Cube, (torch.tensor([1e-9, 1e-3, 1.0, 1e3, 1e9]),)),
    "steep": (lambda x: torch.exp(50 * x), X),
    "oscillating": (lambda x: torch.sin(1000 * x), X),
    "oscillating fast": (lambda x: torch.sin(x), (1e9 * numbers(4),)),
    "near the edge of the domain": (lambda x: x.sqrt() + x.log(), (torch.tensor([1e-7, 1e-3, 1.0, 50.0]),)),
    "near a pole": (torch.reciprocal, (torch.tensor([1e-5, -1e-3, 4.0]),)),
    "complex": (torch.reciprocal, COMPLEX[:1]),
    "infinite by right": (torch.exp, X),
    "stable": (torch.nn.functional.softplus, (10 * SIGNED,)),
    "integers": (lambda index, weight: weight[index], (torch.tensor([2, 0, 2]), numbers(3, 2))),
    "views": (lambda x: (x.t(), x[1:], x.reshape(-1)), X),
    "ill-conditioned": (torch.linalg.inv, (torch.tensor([[1.0, 1.0], [1.0, 1.0 + 1e-6]]),)),
    "flat": (torch.floor, X),
}

ROUNDED = {  # in float32 these are 0, which other checks rightly say
    "rounding hides it": (lambda x: (x + 1e8) - 1e8, X),
    "rounding hides it altogether": (lambda x: (x + 1e8) - 1e8, (1e-9 * numbers(4),)),
}

# What the operator rightly does, and a check lets pass: what it says then, and in which check.
LET_PASS = {
    "padding": (
        torch.nn.functional.conv1d,
        (numbers(2, 2, 4), numbers(3, 2, 3), None, 1, 1),
        "gradient_scale",
        "multiplies by a 0",
    ),
    "padding_idx": (rows, (torch.tensor([0, 2, 2, 1]), numbers(3, 2), 2), "backward", "row 2, which padding_idx freezes"),
    "nn.Embedding": (
        torch.nn.Embedding(4, 2, padding_idx=1),
        (torch.tensor([0, 1, 3]),),
        "backward",
        "row 1, which padding_idx",
    ),
    "statistics": (StatisticsInFloat32, X, "dtypes", "output 1, which is float32"),
    "parameters of size 0": (TimesATable, (numbers(4, 3), numbers(3)), "shapes", "w of size 0, as parameters"),
}

"""A Function under vmap: several outputs, of which some are the same for all examples; views; what is marked on ctx."""

import gc
import weakref

import pytest
import torch
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.testing import assert_close

from manualgrad import Function

DOUBLE = torch.float64


class ProductAndCube(Function):
    """The second output depends on x alone, is saved, and is the same for all examples where x is."""

    @staticmethod
    def forward(x, w):
        return x * w, x**3

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, output[1])
        ctx.save_for_forward(*inputs, output[1])

    @staticmethod
    def backward(ctx, g, h):
        x, w, cube = ctx.saved_tensors
        return g * w + 3 * cube / x * h, (g * x).sum_to_size(w.shape)

    @staticmethod
    def jvp(ctx, dx, dw):
        x, w, cube = ctx.saved_tensors
        return dx * w + x * dw, 3 * cube / x * dx


def elementary(x, w):
    return x * w, x**3


def x_and_w():
    generator = torch.Generator().manual_seed(1)
    return torch.rand(4, generator=generator, dtype=DOUBLE) + 0.5, torch.rand(3, 4, generator=generator, dtype=DOUBLE) + 0.5


def of_both(F):
    """A number from both outputs, of x shared and w batched, and of x batched and w shared."""

    def cost(x, w):
        product, cube = vmap(F, (None, 0), (0, None))(x, w)
        other, _ = vmap(F, (0, None))(w, x)
        return (product * cube.sin()).sum() ** 2 + cube.pow(2).sum() + other.pow(3).sum()

    return cost


ORDERS = {
    "gradient": lambda cost, x, w: grad(cost, (0, 1))(x, w),
    "tangent": lambda cost, x, w: jvp(cost, (x, w), (w[0], w.flip(0)))[1],
    "reverse twice": lambda cost, x, w: jacrev(jacrev(cost))(x, w),
    "forward over reverse": lambda cost, x, w: hessian(cost, (0, 1))(x, w),
    "reverse over forward": lambda cost, x, w: jacrev(jacfwd(cost))(x, w),
    "forward twice": lambda cost, x, w: jacfwd(jacfwd(cost))(x, w),
    "within another vmap": lambda cost, x, w: vmap(lambda s: grad(cost)(s * x, w))(w[:, 0]),
    "third": lambda cost, x, w: jacfwd(jacrev(jacfwd(cost)))(x, w),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_an_output_that_is_one_for_all_examples_counts_once(order):
    x, w = x_and_w()
    assert_close(order(of_both(ProductAndCube.apply), x, w), order(of_both(elementary), x, w), rtol=1e-9, atol=1e-9)


def test_what_comes_back_to_it_from_outside_the_vmap_counts_once_or_for_each_example_as_out_dims_say():
    x, w = x_and_w()
    x.requires_grad_()
    for out_dims, times in (((0, None), 1), ((0, 0), 3)):
        _, cube = vmap(ProductAndCube.apply, (None, 0), out_dims)(x, w)
        (gradient,) = torch.autograd.grad(cube.sum(), x)
        assert_close(gradient, times * 3 * x.detach() ** 2)


def test_an_infinite_gradient_of_it_makes_no_nan():
    x, w = x_and_w()
    _, pullback = torch.func.vjp(lambda x: vmap(ProductAndCube.apply, (None, 0), (0, None))(x, w)[1], x)
    (gradient,) = pullback(torch.full_like(x, torch.inf))
    assert (gradient == torch.inf).all()


class Transposed(Function):
    """Its output is a view of what it computes, or, of a shared input, of the input itself."""

    @staticmethod
    def forward(x, times):
        return (x * times if times != 1 else x).t()

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.times = inputs

    @staticmethod
    def backward(ctx, g):
        return g.t() * ctx.times, None

    @staticmethod
    def jvp(ctx, dx, _):
        return dx.t() * ctx.times


IN_PLACE = {
    "eager": lambda f, x: torch.autograd.grad(f(x.requires_grad_()), x)[0],
    "grad": lambda f, x: grad(f)(x),
    "vmap(grad)": lambda f, x: vmap(grad(f))(torch.stack([x, 2 * x])),
    "grad(vmap)": lambda f, x: grad(lambda x: vmap(f)(x).sum())(torch.stack([x, 2 * x])),
    "vmap, differentiated from outside": lambda f, x: torch.autograd.grad(
        vmap(f)(torch.stack([x.requires_grad_(), x])).sum(), x
    ),
    "jvp": lambda f, x: jvp(f, (x,), (2 * x,)),
    "jvp(vmap)": lambda f, x: jvp(vmap(f), (torch.stack([x, x]),), (torch.stack([x, 2 * x]),)),
    "vmap(vmap(grad))": lambda f, x: vmap(vmap(grad(f)))(torch.stack([x, 2 * x])[None]),
    "jacfwd(jacfwd)": lambda f, x: jacfwd(jacfwd(f))(x),
}


class ProductAndSquare(ProductAndCube):
    """It saves no output, which could not be changed then."""

    @staticmethod
    def forward(x, w):
        return x * w, x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g, h):
        x, w = ctx.saved_tensors
        return g * w + 2 * x * h, g * x

    @staticmethod
    def jvp(ctx, dx, dw):
        x, w = ctx.saved_tensors
        return dx * w + x * dw, 2 * x * dx


OUTPUTS = {
    "a view of what was computed": (lambda x: Transposed.apply(x, 2), lambda x: 2 * x.t()),
    "one of two": (lambda x: ProductAndSquare.apply(x, x + 1)[1], lambda x: x**2),
    "one of two, shared": (lambda x: ProductAndSquare.apply(torch.ones_like(x), x)[1].mul_(2) * x * x, lambda x: x * x * 2),
    "the other of two": (lambda x: ProductAndSquare.apply(x, x + 1)[0], lambda x: x * (x + 1)),
}


@pytest.mark.parametrize("mode", IN_PLACE.values(), ids=IN_PLACE)
@pytest.mark.parametrize(("ours", "theirs"), OUTPUTS.values(), ids=OUTPUTS)
def test_an_output_may_be_changed_in_place(ours, theirs, mode):
    def cost(F):
        return lambda x: F(x).mul_(3).sin_().sum()

    x = torch.rand(2, 3, generator=torch.Generator().manual_seed(2), dtype=DOUBLE)
    assert_close(mode(cost(ours), x.clone()), mode(cost(theirs), x.clone()), rtol=1e-9, atol=1e-9)


def test_an_output_that_is_a_view_of_the_input_stays_one():
    x = torch.rand(2, 3, requires_grad=True)
    output = Transposed.apply(x, 1)
    assert output._base is x
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        output.mul_(2)


class Sorted(Function):
    """The order is marked as not differentiable."""

    @staticmethod
    def forward(x):
        values, order = x.sort()
        return values, order.to(x.dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, order = output
        ctx.mark_non_differentiable(order)
        ctx.save_for_backward(order)
        ctx.save_for_forward(order)

    @staticmethod
    def backward(ctx, g, _):
        (order,) = ctx.saved_tensors
        return torch.zeros_like(g).scatter(0, order.long(), g)

    @staticmethod
    def jvp(ctx, dx):
        (order,) = ctx.saved_tensors
        return dx.gather(0, order.long()), None


@pytest.mark.parametrize("in_dim", [0, 1])
def test_what_is_marked_non_differentiable_is_so_in_a_batch(in_dim):
    x = torch.rand(3, 3, dtype=DOUBLE, requires_grad=True)
    values, order = vmap(Sorted.apply, in_dim)(x)
    assert values.requires_grad
    assert not order.requires_grad
    weights = torch.arange(9, dtype=DOUBLE).view(3, 3)
    expected = (torch.sort(x, 1 - in_dim)[0].movedim(in_dim, 0) * weights).sum()
    assert_close(torch.autograd.grad((values * weights).sum(), x), torch.autograd.grad(expected, x))
    assert_close(jvp(lambda x: vmap(Sorted.apply, in_dim)(x)[0].movedim(0, in_dim), (x,), (x,))[1], x.sort(1 - in_dim)[0])


class Power(Function):
    """It reads back what it has written on ctx, in setup_context and in the backward."""

    @staticmethod
    def forward(x, n):
        return x**n

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.n = inputs
        ctx.less = ctx.n - 1
        assert hasattr(ctx, "less")
        assert not hasattr(ctx, "more")
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return ctx.n * x**ctx.less * g, None

    @staticmethod
    def jvp(ctx, dx, _):
        (x,) = ctx.saved_tensors
        return ctx.n * x**ctx.less * dx


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("in_dims", [(), (0,), (0, 1)])
def test_ctx_can_be_read_back(in_dims, compiled):
    def cubes(x):
        function = lambda x: Power.apply(x, 3)  # noqa: E731
        for in_dim in in_dims:
            function = vmap(function, in_dim, in_dim)
        return function(x)

    torch._dynamo.reset()
    run = torch.compile(cubes, fullgraph=True, backend="aot_eager") if compiled else cubes
    x = torch.rand(2, 3, 4, dtype=DOUBLE, requires_grad=True)
    assert_close(torch.autograd.grad(run(x).sum(), x)[0], 3 * x.detach() ** 2)


def test_a_subclass_vmapped_in_many_ways_keeps_no_batch_alive():
    x, w = x_and_w()
    storage = torch.multiprocessing.reductions.StorageWeakRef(w.untyped_storage())
    vmap(ProductAndCube.apply, (None, 0))(x, w)
    del w
    assert storage.expired()


class Dropped(Function):
    """Draws random numbers."""

    @staticmethod
    def forward(x):
        return x * torch.rand_like(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y / x


@pytest.mark.parametrize("shared", [False, True])
def test_each_example_draws_as_randomness_says(shared):
    x = torch.ones(3, 2, dtype=DOUBLE)

    def drawn(randomness):
        return vmap((lambda _: Dropped.apply(x[0])) if shared else Dropped.apply, randomness=randomness)(x)

    assert len(drawn("different").unique()) == 6
    assert len(drawn("same").unique()) == 2
    with pytest.raises(RuntimeError, match="called random operation while in randomness error mode"):
        drawn("error")


def test_what_draws_keeps_its_other_inputs():
    class Scaled(Function):
        @staticmethod
        def forward(x, scale, shift):
            return torch.rand_like(x) * 0 + x * scale + shift

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

    x, scale = torch.rand(3), torch.rand(3)
    found = vmap(lambda _: Scaled.apply(x, scale, 2.0), randomness="different")(torch.rand(4))
    assert_close(found, (x * scale + 2).expand(4, 3))


@pytest.mark.parametrize("randomness", ["same", "different"])
@pytest.mark.parametrize("in_dim", [0, None])
def test_the_numbers_drawn_are_those_that_torchs_operations_draw(in_dim, randomness):
    x = torch.ones(3, 2, dtype=DOUBLE)
    results = []
    for function in (Dropped.apply, Dropped.forward):
        torch.manual_seed(4)
        results.append(vmap(lambda x, _, f=function: f(x), (in_dim, 0), randomness=randomness)(x, x))
        results.append(torch.rand(1))
    assert_close(results[:2], results[2:])


def test_random_examples_of_a_shared_input_have_their_own_gradients():
    x = torch.ones(2, dtype=DOUBLE, requires_grad=True)
    drawn = vmap(lambda _: Dropped.apply(x), randomness="different")(torch.ones(3))
    assert_close(torch.autograd.grad(drawn.sum(), x)[0], drawn.detach().sum(0))


class MoreNones(Transposed):
    @staticmethod
    def backward(ctx, g):
        return g.t() * ctx.times, None, None, None


def test_a_backward_may_return_more_nones_as_in_eager_mode():
    x = torch.rand(3, 2, 2, requires_grad=True)
    assert_close(torch.autograd.grad(vmap(lambda x: MoreNones.apply(x, 2))(x).sum(), x)[0], torch.full_like(x, 2))


class InAList(Transposed):
    @staticmethod
    def forward(x, times):
        return [x * times]


@pytest.mark.parametrize("transform", [lambda f: f, vmap, jacrev, jacfwd])
def test_a_forward_that_returns_a_list_is_refused(transform):
    with pytest.raises(TypeError, match="must return a Tensor or a tuple of Tensors, got a list"):
        transform(lambda x: InAList.apply(x, 2))(torch.rand(2, 2, requires_grad=True))


def test_a_class_that_is_no_longer_used_is_freed():
    def one():
        class Local(Transposed):
            pass

        vmap(lambda x: Local.apply(x, 2))(torch.rand(3, 2, 2))
        return weakref.ref(Local)

    local = one()
    gc.collect()
    assert local() is None

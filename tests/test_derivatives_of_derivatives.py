"""Inside by_hand, derivatives of derivatives are by hand too: of create_graph, torch.func and forward mode, in any order."""

import threading

import pytest
import torch
from operators import DOUBLE, OPS, is_torchs, run, their_warnings, tree_of
from samples import copy_of, random_like, spread
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves

from manualgrad import Function, audit, by_hand, nn

pytestmark = their_warnings


# Programs that differentiate derivatives. Each returns numbers that are to be differentiated once more.


def network(layers=torch.nn, norm=torch.nn.LayerNorm):
    torch.manual_seed(0)
    return torch.nn.Sequential(layers.Linear(3, 5), layers.Tanh(), norm(5), layers.Linear(5, 1)).double()


class InElementaryOperations(torch.nn.LayerNorm):
    """Layer norm whose derivatives PyTorch has right in forward mode, too."""

    def forward(self, x):
        deviation = x - x.mean(-1, keepdim=True)
        return deviation / (deviation.square().mean(-1, keepdim=True) + self.eps).sqrt() * self.weight + self.bias


X = torch.linspace(-1, 1, 12, dtype=DOUBLE).view(4, 3)


def leaf():
    return X.clone().requires_grad_()


def gradient_penalty(net):
    (g,) = torch.autograd.grad(net(x := leaf()).sum(), x, create_graph=True)
    return (g.norm(dim=1) - 1).square().mean()


def pinn(net):
    """The residual of u_tt = u_xx + u_yy."""
    (du,) = torch.autograd.grad(net(x := leaf()).sum(), x, create_graph=True)
    second = [torch.autograd.grad(du[:, i].sum(), x, create_graph=True)[0][:, i] for i in range(3)]
    return (second[0] - second[1] - second[2]).square().mean()


def maml(net):
    parameters = dict(net.named_parameters())

    def cost(parameters):
        return functional_call(net, parameters, (X,)).square().mean()

    for _ in range(2):
        gradients = torch.autograd.grad(cost(parameters), [*parameters.values()], create_graph=True)
        parameters = {name: p - 0.1 * g for (name, p), g in zip(parameters.items(), gradients, strict=True)}
    return cost(parameters)


def maml_by_func(net):
    def cost(parameters):
        return functional_call(net, parameters, (X,)).square().mean()

    parameters = dict(net.named_parameters())
    gradients = grad(cost)(parameters)
    return cost({name: p - 0.1 * gradients[name] for name, p in parameters.items()})


def backward_twice(net):
    x = leaf()
    net(x).sum().backward(create_graph=True)
    return x.grad.square().sum()


def hutchinson(net):
    """The divergence of a field, estimated by one random vector."""
    x, v = leaf(), torch.ones_like(X)
    field = net(x) * x
    (vJ,) = torch.autograd.grad(field, x, v, create_graph=True)
    return (vJ * v).sum()


def third_derivative(net):
    y = net(x := leaf())
    for _ in range(3):
        (y,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    return y.square().sum()


def total(f):
    return lambda x: f(x).sum()


def tangent(f):
    return lambda x: jvp(f, (x,), (torch.ones_like(x),))[1]


def by_dual_numbers(net):
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(net(forward_ad.make_dual(leaf(), torch.ones_like(X)))).tangent.square().sum()


PROGRAMS = {
    "gradient penalty": gradient_penalty,
    "PINN": pinn,
    "MAML": maml,
    "MAML by torch.func": maml_by_func,
    "backward": backward_twice,
    "Hutchinson's trace": hutchinson,
    "third derivative": third_derivative,
    "hessian": lambda net: vmap(hessian(total(net)))(leaf()).square().sum(),
    "jacrev of jacrev": lambda net: jacrev(jacrev(total(net)))(leaf()).square().sum(),
    "jacfwd of jacfwd": lambda net: jacfwd(jacfwd(total(net)))(leaf()).square().sum(),
    "jacrev of jacfwd": lambda net: jacrev(jacfwd(total(net)))(leaf()).square().sum(),
    "jvp of jvp": lambda net: tangent(tangent(total(net)))(leaf()).square().sum(),
    "jvp of grad": lambda net: tangent(grad(total(net)))(leaf()).square().sum(),
    "pullback": lambda net: vjp(net, leaf())[1](torch.ones(4, 1, dtype=DOUBLE))[0].square().sum(),
    "functional.hessian": lambda net: torch.autograd.functional.hessian(total(net), leaf(), create_graph=True).square().sum(),
    "dual numbers": by_dual_numbers,
}


def derivatives(program, net):
    loss = program(net)
    return [loss, *torch.autograd.grad(loss, [*net.parameters()], materialize_grads=True)]


@pytest.mark.parametrize("layers", [torch.nn, nn], ids=["torch", "hand-written"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_loss_made_of_derivatives_is_by_hand(name, layers):
    with by_hand():
        found = derivatives(PROGRAMS[name], network(layers, layers.LayerNorm))
    assert audit(found[0]).coverage == 1, audit(found[0])
    assert audit(found[0]).manual
    assert_close(found, derivatives(PROGRAMS[name], network(norm=InElementaryOperations)))


# What runs in the block, and what does not.


def modes():
    return torch._C._len_torch_function_stack()


class Watched(torch.autograd.Function):
    """Another author's square, whose backward is written in operators."""

    seen = []

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        Watched.seen.append(modes())
        return 2 * x * g


def test_another_authors_function_and_hooks_run_in_the_block_where_their_derivative_is_recorded():
    x, seen = leaf(), []
    Watched.seen.clear()
    with by_hand():
        y = Watched.apply(x)
        y.register_hook(lambda g: seen.append(modes()) or g.exp())
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        assert modes() == 1
    assert (seen, Watched.seen) == ([1], [1])
    assert not audit(g).native
    assert audit(g).manual["MulFunction"] == 2
    assert_close(g, 2 * x * torch.e)


def test_nothing_runs_in_the_block_where_no_derivative_is_recorded():
    x = leaf()
    Watched.seen.clear()
    with by_hand():
        Watched.apply(x).sum().backward()
    assert Watched.seen == [0]


class SeenByTorchFunc(Function):
    seen = []

    @staticmethod
    def forward(x):
        return x * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        SeenByTorchFunc.seen.append(modes())
        (x,) = ctx.saved_tensors
        return 2 * x * g

    @staticmethod
    def jvp(ctx, dx):
        (x,) = ctx.saved_tensors
        return 2 * x * dx


@pytest.mark.parametrize(
    ("program", "around"),
    [
        (lambda f, x: vmap(grad(f))(x.detach()), 0),
        (lambda f, x: jacrev(f)(x.detach()), 0),
        (lambda f, x: vjp(f, x.detach())[1](torch.ones((), dtype=DOUBLE)), 0),
        (lambda f, x: vmap(grad(f))(x), 1),
        (lambda f, x: jacrev(f)(x), 1),
        (lambda f, x: vjp(f, x.detach())[1](leaf().sum()), 1),
        (lambda f, x: jacfwd(grad(f))(x.detach()), 1),
        (lambda f, x: grad(lambda x: torch.autograd.grad(f(x), x, create_graph=True)[0].sum())(x.detach()), 1),
    ],
)
def test_a_backward_of_torch_func_runs_in_the_block_if_something_around_differentiates_it(program, around):
    SeenByTorchFunc.seen.clear()
    with by_hand():
        program(lambda x: SeenByTorchFunc.apply(x).sum(), leaf())
    assert SeenByTorchFunc.seen[0] == around


def test_an_error_in_a_backward_leaves_the_block_as_it_was():
    class Raises(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            raise ArithmeticError("no gradient")

    with by_hand():
        with pytest.raises(ArithmeticError):
            Raises.apply(leaf()).sum().backward(create_graph=True)
        assert modes() == 1
        with pytest.raises(RuntimeError, match="does not require grad"):
            torch.autograd.grad(torch.ones(()), leaf(), create_graph=True)
        assert modes() == 1
    assert modes() == 0


def test_the_engines_accumulation_is_named_and_a_users_addition_is_torchs():
    x = leaf()
    with by_hand():
        (g,) = torch.autograd.grad((x.exp() + x.sin()).sum(), x, create_graph=True)
    assert audit(g).other["accumulation of gradients"] == 1
    assert audit(g).coverage == 1
    assert audit((g + x).sum()).native == {"AddBackward0": 1, "SumBackward0": 1}


def test_a_block_in_another_thread_differentiates_its_own_gradients():
    found = []

    def work():
        net = network()
        with by_hand():
            found.append(audit(gradient_penalty(net)).coverage)

    threads = [threading.Thread(target=work) for _ in range(4)]
    with by_hand():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [1] * 4


def test_gradients_in_a_batch_are_recorded_by_torch():
    x = leaf()
    with by_hand():
        (g,) = torch.autograd.grad(x.exp(), x, torch.ones(2, 4, 3, dtype=DOUBLE), create_graph=True, is_grads_batched=True)
    assert_close(g, x.exp().expand(2, 4, 3))


# Every operator: the derivatives of its derivative.


@pytest.mark.few(40)
@pytest.mark.parametrize("name", [name for name, op in OPS.items() if DOUBLE in op.supported_backward_dtypes("cpu")])
def test_second_and_third_derivatives_of_an_operator_are_by_hand_and_right(name):
    op = OPS[name]
    samples = [s for s in op.sample_inputs("cpu", DOUBLE, requires_grad=True) if not is_torchs(op, s)]
    for sample in spread(samples, 3):
        with by_hand():
            found = two_more_derivatives(op, tree_of(sample))
        for order in found:
            for t in differentiable(order):
                assert t.grad_fn is None or not audit(t).native, (sample, audit(t))
        try:
            expected = two_more_derivatives(op, tree_of(sample))
        except (RuntimeError, NotImplementedError):
            continue  # PyTorch's own has no second derivative
        for ours, torchs in zip(found, expected, strict=False):
            for a, b in zip(ours, torchs, strict=False):
                if a is not None and b is not None:
                    assert_close(a, b, equal_nan=True)


def two_more_derivatives(op, tree):
    """The gradients, and their derivatives by all that they depend on, including the incoming gradients."""
    torch.manual_seed(0)
    tree = copy_of(tree)
    inputs = [t for t in tree_leaves(tree) if isinstance(t, torch.Tensor) and t.requires_grad]
    outputs, orders = differentiable(tree_leaves(run(op, tree))), []
    for _ in range(2):
        if not outputs:
            break
        cotangents = [random_like(t).requires_grad_() for t in outputs]
        orders.append(torch.autograd.grad(outputs, inputs, cotangents, create_graph=True, allow_unused=True))
        inputs, outputs = [*inputs, *cotangents], differentiable(orders[-1])
    return orders


def differentiable(values):
    return [t for t in values if isinstance(t, torch.Tensor) and t.requires_grad]

"""Which derivative runs, in each mode: `Mark` computes 2x, and claims 7 in its backward and 11 in its jvp.

2 would mean that PyTorch differentiated the forward itself, and dropped the hand-written rule.
"""

import gc
import weakref

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.testing import assert_close

from manualgrad import Function


class Mark(Function):
    @staticmethod
    def forward(x, factor=2):
        return factor * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.factor = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx, grad_output):
        return 7 * grad_output, None

    @staticmethod
    def jvp(ctx, tangent, _):
        return 11 * tangent


def compiled(function):
    torch._dynamo.reset()
    return torch.compile(function, fullgraph=True, backend="aot_eager")


def backward_of(function, x):
    x = x.clone().requires_grad_()
    function(x).sum().backward()
    return x.grad


def forward_mode(x):
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        return forward_ad.unpack_dual(Mark.apply(dual)).tangent


TRANSFORMS = {
    "grad": (lambda x: grad(lambda u: Mark.apply(u).sum())(x), 7),
    "vmap(grad)": (lambda x: vmap(grad(lambda u: Mark.apply(u).sum()))(x), 7),
    "grad(vmap)": (lambda x: grad(lambda u: vmap(Mark.apply)(u).sum())(x), 7),
    "vjp": (lambda x: vjp(Mark.apply, x)[1](torch.ones_like(x))[0], 7),
    "jacrev": (lambda x: jacrev(Mark.apply)(x[0]).sum(0), 7),
    "vmap(jacrev)": (lambda x: vmap(jacrev(Mark.apply))(x).sum(1), 7),
    "jvp": (lambda x: jvp(Mark.apply, (x,), (torch.ones_like(x),))[1], 11),
    "vmap(jvp)": (lambda x: vmap(lambda u: jvp(Mark.apply, (u,), (torch.ones_like(u),))[1])(x), 11),
    "jacfwd": (lambda x: jacfwd(Mark.apply)(x[0]).sum(0), 11),
    "hessian of a square": (lambda x: hessian(lambda u: (Mark.apply(u) ** 2).sum())(x[0]).sum(0), 2 * 7 * 11),
    "vmap": (lambda x: vmap(Mark.apply)(x) / x, 2),
    "forward_ad": (forward_mode, 11),
}


@pytest.fixture
def x():
    return torch.rand(4, 3) + 1


@pytest.mark.parametrize(("transform", "claimed"), TRANSFORMS.values(), ids=TRANSFORMS)
def test_a_transform_runs_the_hand_written_rule(transform, claimed, x):
    torch.testing.assert_close(transform(x), torch.full_like(transform(x), claimed))


@pytest.mark.parametrize(("transform", "claimed"), TRANSFORMS.values(), ids=TRANSFORMS)
def test_a_transform_inside_torch_compile_runs_the_hand_written_rule(transform, claimed, x):
    result = compiled(transform)(x)
    torch.testing.assert_close(result, torch.full_like(result, claimed))


def test_a_plain_function_fails_that_test(x):
    class Plain(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x):
            return 2 * x

        @staticmethod
        def setup_context(ctx, inputs, output): ...

        @staticmethod
        def backward(ctx, grad_output):
            return 7 * grad_output

    result = compiled(lambda x: grad(lambda u: Plain.apply(u).sum())(x))(x)
    if (result == 7).all():
        pytest.skip("this PyTorch has fixed issue 193279")
    torch.testing.assert_close(result, torch.full_like(x, 2))


def test_backward_runs_the_hand_written_rule_in_eager_mode(x):
    torch.testing.assert_close(backward_of(Mark.apply, x), torch.full_like(x, 7))


def test_backward_runs_the_hand_written_rule_when_compiled(x):
    torch.testing.assert_close(backward_of(compiled(Mark.apply), x), torch.full_like(x, 7))


def test_compiled_without_gradients_it_computes_the_forward(x):
    for wanted in (torch.no_grad(), torch.inference_mode(), torch.enable_grad()):
        with wanted:
            torch.testing.assert_close(compiled(lambda x: Mark.apply(x, 2))(x), 2 * x)


def test_a_dynamic_batch_size_is_compiled_once():
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    torch._dynamo.reset()
    function = torch.compile(lambda x: Mark.apply(x), fullgraph=True, backend=counter, dynamic=True)
    for n in (4, 7, 9):
        torch.testing.assert_close(backward_of(function, torch.rand(n, 3)), torch.full((n, 3), 7.0))
    assert counter.frame_count == 1


def test_inductor_compiles_forward_and_backward(x):
    torch._dynamo.reset()
    try:
        torch.compile(lambda x: x + 1)(x)
    except Exception as error:
        pytest.skip(f"Inductor has no working compiler here: {type(error).__name__}")
    function = torch.compile(Mark.apply, fullgraph=True)
    torch.testing.assert_close(function(x), 2 * x)
    torch.testing.assert_close(backward_of(function, x), torch.full_like(x, 7))


def test_eager_calls_use_the_fast_style(x):
    node = Mark.apply(x.requires_grad_()).grad_fn
    plain = node._forward_cls
    assert plain.setup_context is torch.autograd.Function.setup_context
    assert plain.wraps is Mark


def test_the_node_has_the_name_of_the_class(x):
    assert Mark.apply(x.requires_grad_()).grad_fn.name() == "MarkBackward"


def test_it_is_a_torch_function():
    assert issubclass(Mark, torch.autograd.Function)


class Recorded(Function):
    """Notes the dtypes that each of its methods meets, and whether autocast was on."""

    met: list

    @staticmethod
    def forward(x, W):
        Recorded.note("forward", x, W)
        return x @ W

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, delta):
        x, W = ctx.saved_tensors
        Recorded.note("backward", delta, W)
        return delta @ W.T, x.T @ delta

    @staticmethod
    def jvp(ctx, dx, dW):
        x, W = ctx.saved_tensors
        Recorded.note("jvp", dx, W)
        return dx @ W + x @ dW

    @staticmethod
    def note(method, *tensors):
        Recorded.met.append((method, [t.dtype for t in tensors], torch.is_autocast_enabled("cpu")))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("lower", None),
        ("float32", torch.float32),
        ("widest", torch.float32),
        (None, torch.float32),
        ({"cpu": "lower", "cuda": "float32"}, None),
        ({"cuda": "lower"}, torch.float32),
    ],
    ids=str,
)
def test_autocast_casts_by_policy_and_is_off_inside(policy, expected, dtype, monkeypatch):
    monkeypatch.setattr(Recorded, "autocast", policy)
    Recorded.met = []
    x, W = torch.rand(2, 3, requires_grad=True), torch.rand(3, 3, requires_grad=True)
    with torch.autocast("cpu", dtype):
        Recorded.apply(x, W).sum().backward()
        grad(lambda x: Recorded.apply(x, W).float().sum())(x.detach())
        jvp(lambda x: Recorded.apply(x, W.detach()), (x.detach(),), (torch.ones_like(x),))
    assert {method for method, *_ in Recorded.met} == {"forward", "backward", "jvp"}
    for _, dtypes, autocast in Recorded.met:
        assert dtypes == [expected or dtype] * 2
        assert not autocast
    assert x.grad.dtype == W.grad.dtype == torch.float32


@pytest.mark.parametrize("dtypes", [("half", "half"), ("half", "float"), ("float", "double"), ("half", "double")])
def test_the_widest_dtype_is_torch_cats(dtypes):
    class Cat(Function):
        autocast = "widest"

        @staticmethod
        def forward(x, y):
            return torch.cat([x, y])

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

    half = torch.bfloat16
    x, y = (torch.rand(3, dtype=half if name == "half" else getattr(torch, name)) for name in dtypes)
    with torch.autocast("cpu", half):
        assert Cat.apply(x, y).dtype == torch.cat([x, y]).dtype


def test_autocast_leaves_float64_and_other_devices_alone(monkeypatch):
    monkeypatch.setattr(Recorded, "autocast", "lower")
    Recorded.met = []
    with torch.autocast("cpu", torch.bfloat16):
        assert Recorded.apply(torch.rand(2, 3).double(), torch.rand(3, 3).double()).dtype == torch.float64
        assert Recorded.apply(torch.rand(2, 3, device="meta"), torch.rand(3, 3, device="meta")).dtype == torch.float32


def test_the_old_style_is_refused_in_a_sentence_that_says_what_to_write():
    with pytest.raises(TypeError, match=r"Old is written in the old style.*def forward\(x, y\).*setup_context"):

        class Old(Function):
            @staticmethod
            def forward(ctx, x, y):
                return x * y


def test_a_ctx_beside_setup_context_is_refused_too():
    with pytest.raises(TypeError, match=r"def forward\(x\)"):

        class Both(Function):
            @staticmethod
            def forward(ctx, x):
                return x

            @staticmethod
            def setup_context(ctx, inputs, output): ...


def test_keyword_arguments_are_refused_in_a_sentence_that_says_what_to_write(x):
    with pytest.raises(TypeError, match=r"got factor=: write Mark.apply\(x, factor\)"):
        Mark.apply(x, factor=3)


def test_a_default_argument_reaches_setup_context_in_every_variant(x):
    for function in (Mark.apply, compiled(lambda x: Mark.apply(x)), vmap(Mark.apply)):
        torch.testing.assert_close(function(x), 2 * x)
        torch.testing.assert_close(backward_of(function, x), torch.full_like(x, 7))


def test_a_vjp_serves_as_the_backward(x):
    class Vjp(Function):
        forward, setup_context = staticmethod(Mark.forward), staticmethod(Mark.setup_context)

        @staticmethod
        def vjp(ctx, grad_output):
            return 5 * grad_output, None

    torch.testing.assert_close(backward_of(Vjp.apply, x), torch.full_like(x, 5))


def test_a_subclass_inherits_what_it_does_not_override(x):
    class Louder(Mark):
        @staticmethod
        def backward(ctx, grad_output):
            return 70 * grad_output, None

    torch.testing.assert_close(backward_of(Louder.apply, x), torch.full_like(x, 70))
    torch.testing.assert_close(jvp(Louder.apply, (x,), (torch.ones_like(x),))[1], torch.full_like(x, 11))


def test_a_vmap_rule_of_ones_own_is_used(x):
    class Vmapped(Mark):
        @staticmethod
        def vmap(info, in_dims, x, factor):
            return 100 * x, in_dims[0]

    torch.testing.assert_close(vmap(Vmapped.apply)(x), 100 * x)


class SavesTwice(Function):
    """x w, saving w alone for the backward, and both for forward mode."""

    @staticmethod
    def forward(x, w):
        return x * w

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[1])
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, grad_output):
        (w,) = ctx.saved_tensors
        return grad_output * w, None

    @staticmethod
    def jvp(ctx, dx, dw):
        x, w = ctx.saved_tensors
        return dx * w + x * dw


@pytest.mark.parametrize("in_dims", [(0, None), (None, 0), (0, 0)])
def test_what_is_saved_for_backward_may_differ_from_what_is_saved_for_forward_mode(in_dims):
    """Under vmap PyTorch remembers one list of batch dimensions for the two."""
    x, w = torch.rand(2, 3)
    ours, theirs = (backward_of(lambda x, f=f: vmap(f, in_dims=in_dims)(x, w), x) for f in (SavesTwice.apply, torch.mul))
    torch.testing.assert_close(ours, theirs)
    tangent = vmap(lambda x, w: jvp(SavesTwice.apply, (x, w), (x, w))[1], in_dims=in_dims)(x, w)
    torch.testing.assert_close(tangent, 2 * vmap(torch.mul, in_dims=in_dims)(x, w))


def test_without_jvp_forward_mode_raises_torchs_error(x):
    class NoJvp(Function):
        forward, setup_context = staticmethod(Mark.forward), staticmethod(Mark.setup_context)
        backward = staticmethod(Mark.backward)

    with pytest.raises(RuntimeError, match=r"forward (mode )?AD.*NoJvp|NoJvp.*forward|implement the jvp"):
        jvp(NoJvp.apply, (x,), (torch.ones_like(x),))


def test_the_base_class_itself_cannot_be_applied(x):
    with pytest.raises(NotImplementedError, match="forward"):
        Function.apply(x)


def test_freeing_the_output_frees_what_was_saved():
    gc.disable()
    try:
        x = torch.rand(3).requires_grad_().clone()
        saved = weakref.ref(x)
        output = Mark.apply(x)
        del x
        assert saved() is not None
        del output
        assert saved() is None
    finally:
        gc.enable()


def test_changing_a_saved_input_in_place_is_detected():
    class Square(Function):
        @staticmethod
        def forward(x):
            return x * x

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, grad_output):
            return 2 * ctx.saved_tensors[0] * grad_output

    x = torch.rand(3, requires_grad=True).clone()
    output = Square.apply(x)
    x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


class Product(Function):
    """a b, whose derivatives are claimed to be 7 times theirs."""

    @staticmethod
    def forward(a, b):
        return a * b

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return 7 * b * g, 7 * a * g


@pytest.mark.parametrize("around", [lambda f: f, compiled], ids=["eager", "compiled"])
def test_one_tensor_may_be_given_twice(around):
    assert torch.equal(backward_of(around(lambda x: Product.apply(x, x)), torch.tensor([1.0, 3.0])), torch.tensor([14.0, 42.0]))


# In place: exp, whose derivative is its output, and claimed to be 7 times it.


class Exp(Function):
    @staticmethod
    def forward(x):
        return torch.exp(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return 7 * y * g

    @staticmethod
    def jvp(ctx, dx):
        (y,) = ctx.saved_tensors
        return 7 * y * dx


def in_place(x):
    return Exp.apply_in_place(x * 1)


def test_in_place_the_output_is_the_input_and_the_one_array_that_is_kept():
    kept = []
    z = torch.rand(3, requires_grad=True) * 1
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.data_ptr()), lambda _: None):
        version, data = z._version, z.data_ptr()
        assert Exp.apply_in_place(z) is z
    assert z._version == version + 1
    assert kept == [data]


def test_in_place_a_function_may_have_an_operation_of_its_own():
    class OfItsOwn(Exp):
        forward_in_place = staticmethod(torch.exp_)

    x = torch.rand(3, requires_grad=True)
    z = x * 1
    version, data = z._version, z.data_ptr()
    assert OfItsOwn.apply_in_place(z) is z
    assert (z._version, z.data_ptr()) == (version + 1, data)
    assert torch.equal(z, x.exp())
    assert torch.equal(torch.autograd.grad(z.sum(), x)[0], 7 * x.exp())


@pytest.mark.parametrize("around", [lambda f: f, compiled, vmap], ids=["eager", "compiled", "vmap"])
@pytest.mark.parametrize("part", [lambda z: z, lambda z: z[1:]], ids=["whole", "view"])
def test_in_place_the_rule_runs(around, part):
    x = torch.rand(3, 2, requires_grad=True)

    def call(x):
        z = x * 1
        Exp.apply_in_place(part(z))
        return z * z

    y = around(call)(x)
    expected = (x * 1).detach()
    part(expected).exp_() if around is not vmap else [part(row).exp_() for row in expected]
    assert torch.allclose(y, expected**2)
    changed = ~torch.isclose(expected, x)
    assert torch.allclose(torch.autograd.grad(y.sum(), x)[0], torch.where(changed, 14 * expected**2, 2 * x))


def test_in_place_under_the_transforms_the_rule_runs():
    x = torch.tensor(0.5, dtype=torch.float64)
    assert torch.allclose(grad(in_place)(x), 7 * x.exp())
    assert torch.allclose(jacfwd(in_place)(x), 7 * x.exp())
    assert torch.allclose(jacfwd(jacfwd(in_place))(x), 49 * x.exp())


def test_in_place_on_a_leaf_is_torchs_error_and_changes_nothing():
    leaf = torch.zeros(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        Exp.apply_in_place(leaf)
    assert not leaf.any()


def test_in_place_a_later_change_of_what_is_kept_is_torchs_error():
    y = in_place(torch.rand(3, requires_grad=True)).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


# What the engine asks for.


class ScaledProduct(Function):
    """x W, which says which of its gradients it computes."""

    computed = []

    @staticmethod
    def forward(x, factor, W):
        return factor * x @ W

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.factor, W = inputs
        ctx.save_for_backward(x, W)

    @staticmethod
    def backward(ctx, g):
        x, W = ctx.saved_tensors
        ScaledProduct.computed.append(ctx.needs_input_grad)
        x_needs_grad, _, W_needs_grad = ctx.needs_input_grad
        return ctx.factor * g @ W.mT if x_needs_grad else None, None, ctx.factor * x.mT @ g if W_needs_grad else None


@pytest.mark.parametrize(
    ("rows", "create_graph", "is_leaf"), [(1 << 13, False, False), (2, True, False), (2, True, True), (1 << 13, True, True)]
)
@pytest.mark.parametrize("asked", [(0,), (1,), (0, 1)])
def test_only_the_gradients_that_are_asked_for_are_computed(asked, is_leaf, rows, create_graph):
    """PyTorch's own Functions compute all (pytorch issue 174017)."""
    leaves = [torch.rand(rows, 3, requires_grad=True), torch.rand(3, 4, requires_grad=True)]
    inputs = leaves if is_leaf else [t * 1 for t in leaves]
    y = ScaledProduct.apply(inputs[0], 2.0, inputs[1]).sum()
    ScaledProduct.computed.clear()
    found = torch.autograd.grad(y, [inputs[i] for i in asked], retain_graph=True, create_graph=create_graph)
    assert ScaledProduct.computed == [(0 in asked, False, 1 in asked)]
    expected = torch.autograd.grad((2 * inputs[0] @ inputs[1]).sum(), [inputs[i] for i in asked])
    assert_close(found, expected)
    y.backward()
    assert ScaledProduct.computed[1:] == [(True, False, True)]


def test_a_backward_may_be_an_object_that_is_called():
    class Backward:
        def __call__(self, ctx, g):
            return 3 * g

    class Tripled(Function):
        @staticmethod
        def forward(x):
            return 3 * x

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        backward = staticmethod(Backward())

    x = torch.rand(3, requires_grad=True)
    Tripled.apply(x).sum().backward()
    assert_close(x.grad, torch.full((3,), 3.0))


def test_what_needs_no_gradient_is_not_computed():
    x, W = torch.rand(2, 3), torch.rand(3, 4, requires_grad=True)
    ScaledProduct.computed.clear()
    ScaledProduct.apply(x, 2.0, W).sum().backward()
    assert ScaledProduct.computed == [(False, False, True)]

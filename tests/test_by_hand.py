"""`with by_hand():` what is differentiated inside is so by hand, and nothing else is other than torch's."""

import itertools
import threading
from contextlib import nullcontext
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from samples import inside
from torch.autograd import forward_ad
from torch.func import grad, jacfwd, jacrev, jvp, vjp, vmap
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

import manualgrad
from manualgrad import Function, audit, by_hand, swap
from manualgrad.torch_api import catalogue as _catalogue

DOUBLE = torch.float64

pytestmark = pytest.mark.filterwarnings("default:Using a target size")


def outcome(call):
    """The type of the value, or the error with its text."""
    try:
        return (type(call()),)
    except Exception as error:
        return type(error), str(error)


OUT_OF_PLACE = {
    "+": lambda x, y: x + y + 1 + (2 + x),
    "-": lambda x, y: x - y - 1 - (2 - x),
    "*": lambda x, y: x * y * 2 * (3 * x),
    "/": lambda x, y: x / y / 2 + 1 / x,
    "**": lambda x, y: x**2 + x**y + 2**x + x**0,
    "-x": lambda x, y: -x,
    "@": lambda x, y: x @ y.mT,
    "add with alpha": lambda x, y: torch.add(x, y, alpha=3),
    "sum over dims": lambda x, y: x.sum((0, 2)) + y.mean(1, keepdim=True).sum(),
    "cat of broadcast": lambda x, y: torch.cat([x, y, x[:, :1]], 1),
    "a number by keyword": lambda x, y: torch.mul(input=x, other=3.0),
}


@pytest.mark.parametrize("function", OUT_OF_PLACE.values(), ids=OUT_OF_PLACE)
def test_an_expression_has_torchs_values_and_derivatives(function):
    x, y = (torch.rand(2, 3, 4, dtype=DOUBLE, requires_grad=True) for _ in range(2))
    assert not audit(inside(function)(x, y)).native
    assert torch.equal(inside(function)(x, y), function(x, y))
    torch.autograd.gradcheck(inside(function), (x, y), check_forward_ad=True, check_batched_grad=True)
    torch.autograd.gradgradcheck(inside(function), (x, y), check_fwd_over_rev=True)


IN_PLACE = {
    "+=": lambda x, y: x.__iadd__(y),
    "-=": lambda x, y: x.__isub__(y),
    "*=": lambda x, y: x.__imul__(y),
    "/=": lambda x, y: x.__itruediv__(y),
    "**=": lambda x, y: x.__ipow__(2),
    "add_": lambda x, y: x.add_(y, alpha=2),
    "mul_ by a number": lambda x, y: x.mul_(3),
    "neg_": lambda x, y: x.neg_(),
    "relu_": lambda x, y: x.relu_(),
    "F.relu": lambda x, y: F.relu(x, inplace=True),
    "sigmoid_": lambda x, y: x.sigmoid_(),
    "clamp_": lambda x, y: x.clamp_(0.2, 0.9),
    "clamp_min_": lambda x, y: torch.clamp_min_(x, 0.4),
    "abs_": lambda x, y: x.abs_(),
    "masked_fill_": lambda x, y: x.masked_fill_(y > 0.5, 0.3),
    "addcmul_": lambda x, y: x.addcmul_(y, y, value=2),
    "lerp_": lambda x, y: x.lerp_(y, y * 0.5),
    "exp_": lambda x, y: x.exp_(),
    "sqrt_": lambda x, y: x.sqrt_(),
    "log_": lambda x, y: x.log_(),
    "sin_": lambda x, y: torch.sin_(x),
    "dropout": lambda x, y: F.dropout(x, 0.5, inplace=True),
}


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize("change", IN_PLACE.values(), ids=IN_PLACE)
def test_an_operation_in_place_stays_in_place_also_on_a_view(change, view):
    results = []
    for block in (by_hand, nullcontext):
        torch.manual_seed(0)
        x, y = (torch.rand(3, 4, dtype=DOUBLE, requires_grad=True) for _ in range(2))
        with block():
            whole = x * 2
            torch.manual_seed(1)
            changed = whole[1:] if view else whole
            version = changed._version
            result = change(changed, y[1:] if view else y)
            loss = (whole * whole).sum()
        assert result is changed
        assert changed._version == version + 1
        results.append((whole, *torch.autograd.grad(loss, (x, y), allow_unused=True, materialize_grads=True)))
        if block is by_hand:
            assert not audit(loss).native
    assert_close(*results)


def test_torchs_own_operation_on_a_view_is_still_arithmetic():
    x = torch.rand(3, requires_grad=True)
    z = x * 2
    z[1:].atan_()
    assert audit(z).native["CopySlices"] == 1


ERRORS = {
    "a leaf": lambda: torch.rand(3, requires_grad=True).add_(1),
    "a shape that does not broadcast": lambda: torch.rand(3, requires_grad=True) + torch.rand(4),
    "a result that does not fit": lambda: (torch.rand(1, requires_grad=True) * 1).add_(torch.rand(3)),
    "no operand": lambda: torch.rand(3, requires_grad=True) + "a",
    "an integer in place": lambda: torch.arange(3).add_(torch.rand(3, requires_grad=True)),
    "a boolean": lambda: torch.rand(3, requires_grad=True) - torch.ones(3, dtype=torch.bool) * True,
    "out": lambda: torch.add(torch.rand(3, requires_grad=True), 1, out=torch.empty(3)),
    "a dimension": lambda: torch.rand(3, requires_grad=True).sum(5),
    "a dimension twice": lambda: torch.rand(3, requires_grad=True).sum((0, 0)),
    "matrices": lambda: torch.rand(3, 4, requires_grad=True) @ torch.rand(3, 4),
    "cat": lambda: torch.cat([torch.rand(3, 4, requires_grad=True), torch.rand(3)]),
    "nothing to stack": lambda: torch.stack([]),
}


@pytest.mark.parametrize("wrong", ERRORS.values(), ids=ERRORS)
def test_what_is_wrong_is_said_by_torch(wrong):
    assert outcome(inside(wrong)) == outcome(wrong)


INDICES = {
    "a tensor": (torch.tensor([2, 0, 2]),),
    "two tensors": (torch.tensor([2, 0]), torch.tensor([1, 1])),
    "a list": ([2, 0],),
    "a mask": (torch.tensor([True, False, True]),),
    "a mask of two dimensions": (torch.arange(12).view(3, 4) % 5 == 0,),
    "after a slice": (slice(1, None), torch.tensor([3, 0, 0])),
    "after an ellipsis": (Ellipsis, torch.tensor([3, 0, 0])),
    "with a new dimension": (None, torch.tensor([2, 0]), slice(None, None, 2)),
    "with a number": (1, torch.tensor([2, 0])),
    "apart": (torch.tensor([2, 0]), slice(None), torch.tensor([1, 4])),
    "before an ellipsis": (torch.tensor([[2, 0], [1, 1]]), Ellipsis, 2),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_an_index_with_tensors_in_it_picks_what_torch_picks(index):
    x = torch.rand(3, 4, 5, dtype=DOUBLE, requires_grad=True)
    y = inside(lambda: x[index if len(index) > 1 else index[0]])()
    assert not audit(y).native
    expected = x[index if len(index) > 1 else index[0]]
    assert torch.equal(y, expected)
    g = torch.rand_like(y)
    assert_close(torch.autograd.grad(y, x, g), torch.autograd.grad(expected, x, g))


DROPOUTS = [F.dropout, F.dropout2d, lambda x: F.dropout1d(x.flatten(2)), torch.nn.Dropout(0.3), torch.nn.Dropout3d(0.3)]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("drop", DROPOUTS)
def test_dropout_draws_torchs_numbers_from_the_same_seed(drop, memory_format):
    x = torch.rand(6, 5, 4, 4, dtype=DOUBLE).to(memory_format=memory_format).requires_grad_()
    results = []
    for block in (by_hand, nullcontext):
        torch.manual_seed(3)
        with block():
            y = drop(x)
        results.append((y, *torch.autograd.grad((y * y).sum(), x)))
        if block is by_hand:
            assert not audit(y).native
    assert all(map(torch.equal, *results))


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_dropout_of_nothing_and_of_all(p):
    x = torch.rand(6, 5, requires_grad=True)
    assert torch.equal(inside(F.dropout)(x, p), F.dropout(x, p))
    assert torch.equal(inside(F.dropout)(x, 0.5, training=False), x)


class Wrong(Function):
    """sin, whose derivative is claimed to be 7."""

    @staticmethod
    def forward(x):
        return torch.sin(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return 7 * g

    @staticmethod
    def jvp(ctx, dx):
        return 7 * dx


@pytest.fixture
def wrong_sin(monkeypatch):
    monkeypatch.setitem(_catalogue.CATALOGUE, torch.sin, Wrong.apply)


LETTERS = {"f": jacfwd, "r": jacrev, "v": lambda f: lambda x: vmap(f)(x.expand(2, *x.shape))}
WORDS = ["".join(word) for n in (1, 2, 3) for word in itertools.product("frv", repeat=n) if set(word) != {"v"}]


@pytest.mark.parametrize("word", WORDS)
def test_a_wrong_rule_shows_in_each_nesting(word, wrong_sin):
    """The first derivative is 7 wherever it is taken, and a second one of it is 0."""
    function = inside(torch.sin)
    for letter in reversed(word):
        function = LETTERS[letter](function)
    value = function(torch.tensor(0.3, dtype=DOUBLE))
    assert_close(value, torch.full_like(value, 7 if sum(letter != "v" for letter in word) == 1 else 0))


P = torch.linspace(0.3, 1.2, 6, dtype=DOUBLE)
NESTED = {  # but batch norm, of which torch's own reverse mode is wrong
    "add": lambda p: p + 2 * p[0],
    "sub": lambda p: 1 - p - p[1],
    "mul": lambda p: p * p[2] * 3,
    "div": lambda p: p / (p[1] + p) / 2,
    "pow": lambda p: p**3 + p ** p[0] + 2**p,
    "neg": lambda p: -p * p,
    "elementary": lambda p: p.exp() * p.log() + p.sqrt().sin() * p.cos() + p.rsqrt() * p.reciprocal(),
    "others elementary": lambda p: p.expm1() * p.log1p() + p.square().erf(),
    "sum and mean": lambda p: (p * p).view(2, 3).sum(0) * p.mean(),
    "cat and stack": lambda p: torch.cat([p * p, p[:2]]).sum() * torch.stack([p, p * p]).sum(),
    "matmul": lambda p: p.view(2, 3) @ p.view(3, 2),
    "a vector": lambda p: p.view(2, 3) @ p[:3] * (p[:3] @ p[3:]),
    "batches": lambda p: p.view(1, 2, 3) @ p.view(3, 2).expand(4, 3, 2),
    "addmm": lambda p: torch.addmm(p[0], p.view(2, 3), p.view(3, 2), beta=2, alpha=3),
    "abs and clamp": lambda p: (p - 0.7).abs() * p.clamp(0.5, 1) * p.clamp_min(p[2]),
    "maximum": lambda p: torch.maximum(p * p, p.flip(0)) * torch.minimum(p, p[3] * p),
    "where": lambda p: torch.where(p > 0.6, p * p, p[0]) * p.masked_fill(p > 1, 0),
    "movement": lambda p: F.pad(p * p, (1, 2)).roll(2).flip(0)[:6] * p,
    "gather": lambda p: (p * p).gather(0, torch.tensor([0, 0, 3])) * p.index_select(0, torch.tensor([1, 4, 4])),
    "index": lambda p: (p * p)[torch.tensor([0, 0, 3])] * p[torch.tensor([True, False, True, False, False, True])],
    "var and std": lambda p: p.view(2, 3).var(1) * (p * p).std(),
    "logsumexp": lambda p: p.view(2, 3).logsumexp(0) * p[:3],
    "convolution": lambda p: F.conv1d((p * p).view(1, 2, 3), p.view(3, 2, 1), p[:3]).sum(),
    "transposed convolution": lambda p: F.conv_transpose1d(p.view(1, 2, 3), (p * p).view(2, 1, 3), stride=2)[0, 0, :4],
    "max pool": lambda p: F.max_pool1d((p * p).view(1, 6), 3, 1)[0] * p[:4],
    "average pool": lambda p: F.avg_pool2d((p * p).view(1, 2, 3), 2, 1).sum() * F.adaptive_avg_pool1d(p.view(1, 6), 4)[0],
    "softmax": lambda p: torch.softmax(p * p, 0) * p.view(2, 3).log_softmax(1).view(6),
    "cross entropy": lambda p: F.cross_entropy(p.view(2, 3) ** 2, torch.tensor([2, 0]), p[:3].detach()) * p,
    "activations": lambda p: p.tanh() * F.silu(p) * F.gelu(p) + F.leaky_relu(p - 0.7) * F.hardswish(p) + F.softplus(p) * p,
    "attention": lambda p: F.scaled_dot_product_attention(p.view(3, 2), (p * p).view(3, 2), p.view(3, 2), is_causal=True),
    "embedding": lambda p: F.embedding(torch.tensor([2, 0, 2]), (p * p).view(3, 2)) * p[:2],
    "losses": lambda p: F.huber_loss(p, p[0] * p, delta=0.2) * F.binary_cross_entropy(p / 2, p * 0.4) * F.l1_loss(p, p * p),
    "more losses": lambda p: F.kl_div(p, p * p, reduction="sum") * F.binary_cross_entropy_with_logits(p, p * p / 2) * p,
    "gated": lambda p: F.glu(p * p, 0) * F.softshrink(p, 0.5)[3:],
    "order": lambda p: (p * p).amax() * p.topk(2)[0].prod() * p.cumsum(0) * (p - 0.7).norm(3),
    "scatter": lambda p: p.scatter_add(0, torch.tensor([1, 1]), p[:2] * p[2]).index_add(0, torch.tensor([3]), p[:1] ** 2) * p,
    "repeats": lambda p: p.repeat(2)[3:9] * (p * p).repeat_interleave(2)[:6] * p.view(2, 3).tril().sum(),
    "rounding": lambda p: p.remainder(0.4) * p * p.floor(),
    "einsum": lambda p: torch.einsum("ij,kj,k->i", p.view(2, 3), (p * p).view(2, 3), p[:2]),
    "interpolate": lambda p: F.interpolate((p * p).view(1, 1, 2, 3), (3, 4), mode="bilinear")[0, 0, :2, :3].reshape(6) * p,
    "pads": lambda p: (
        F.pad((p * p).view(1, 6), (2, 1), mode="reflect")[0, :6] * F.pad(p.view(1, 6), (1, 1), mode="circular")[0, :6]
    ),
    "fused": lambda p: torch.addcmul(p, p, p[0], value=2) * torch.addcdiv(p, p, p + 1) * torch.lerp(p, p * p, p[0]),
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("transform", [jacrev, jacfwd])
@pytest.mark.parametrize("first", range(0, len(NESTED), 10))
def test_derivatives_inside_torch_compile_are_those_of_torchs_reverse_mode(first, transform):
    """Ten to a graph."""
    names = [
        name for name in list(NESTED)[first : first + 10] if (name, transform) != ("index", jacfwd)
    ]  # torch refuses it, too
    torch._dynamo.reset()

    def derivatives(p):
        return [transform(inside(NESTED[name]))(p) for name in names]

    found = torch.compile(derivatives, fullgraph=True, backend="aot_eager")(P)
    assert_close(found, [jacrev(NESTED[name])(P) for name in names], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("around", [True, False])
def test_a_transform_inside_or_around_the_block_runs_the_rule(around, wrong_sin):
    x = torch.rand(3, dtype=DOUBLE)
    with by_hand() if around else nullcontext():
        sin = torch.sin if around else inside(torch.sin)
        assert_close(vmap(grad(sin))(x), torch.full_like(x, 7))
        assert_close(jvp(sin, (x,), (x,))[1], 7 * x)
        assert_close(vjp(sin, x)[1](x)[0], 7 * x)
        with forward_ad.dual_level():
            assert_close(forward_ad.unpack_dual(sin(forward_ad.make_dual(x, x))).tangent, 7 * x)


@pytest.mark.parametrize("around", [True, False])
def test_torch_compile_runs_the_rule_and_takes_the_whole_graph(around, wrong_sin):
    x = torch.rand(3, requires_grad=True)
    compiled = torch.compile(torch.sin if around else by_hand()(lambda x: torch.sin(x)), fullgraph=True, backend="aot_eager")
    with by_hand() if around else nullcontext():
        y = compiled(x)
    y.sum().backward()
    assert_close(x.grad, torch.full_like(x, 7))


def test_torch_compile_takes_the_whole_graph_without_gradients_too():
    compiled = torch.compile(by_hand()(lambda x: torch.sin(x) * 2), fullgraph=True, backend="aot_eager")
    x = torch.rand(3, requires_grad=True)
    with torch.no_grad():
        assert_close(compiled(x), torch.sin(x) * 2)


def test_after_a_graph_break_the_modes_own_frames_are_not_compiled():
    """Where they were, the code that Dynamo kept for one attribute could run for another, as in transformers' GPT-2."""

    def attributes(x):
        try:  # from which Dynamo does not resume
            torch._dynamo.graph_break()
            return [(x.shape[0], x.device, x.dtype, x.dim()) for _ in range(2)], torch.sin(x)
        except ValueError:
            raise

    def outside(x):
        with by_hand():
            return [attributes(x) for _ in range(3)]

    compiled = torch.compile(outside, backend="eager")
    for n in range(3, 8):
        x = torch.rand(n, dtype=DOUBLE, requires_grad=True)
        for found, y in compiled(x):
            assert found == [(n, x.device, DOUBLE, 1)] * 2
            assert audit(y).coverage == 1
    assert not torch._C._dynamo.eval_frame._debug_get_cache_entry_list(by_hand.__torch_function__.__code__)


def test_torch_compile_sees_through_torchs_compositions_too():
    attention, x = torch.nn.MultiheadAttention(8, 2), torch.rand(5, 3, 8, requires_grad=True)
    compiled = torch.compile(attention, fullgraph=True, backend="aot_eager")
    with by_hand():
        y, _ = compiled(x, x, x)
    assert_close(y, attention(x, x, x)[0])


def test_what_is_not_differentiated_is_torchs_own(monkeypatch):
    monkeypatch.setitem(_catalogue.CATALOGUE, torch.sin, lambda *_: pytest.fail("a Function"))
    with by_hand():
        torch.sin(torch.rand(3))
        with torch.no_grad():
            torch.sin(torch.rand(3, requires_grad=True))
        with torch.inference_mode():
            torch.sin(torch.rand(3))


def test_what_has_no_rule_is_torchs_own_and_audit_names_it():
    with by_hand():
        y = torch.atan(torch.rand(3, requires_grad=True) * 2)
    assert audit(y).native == {"AtanBackward0": 1}
    assert audit(y).manual == {"MulFunction": 1}


def test_as_a_decorator_each_call_is_a_block():
    @by_hand()
    def double(x, *, twice=2):
        """Twice."""
        return x * twice

    x = torch.rand(3, requires_grad=True)
    assert audit(double(x)).coverage == 1
    assert audit(x * 2).coverage == 0
    assert double.__doc__ == "Twice."


def test_blocks_nest_and_end_with_an_exception():
    x = torch.rand(3, requires_grad=True)
    with by_hand():
        with by_hand():
            assert audit(x * 2).coverage == 1
        assert audit(x * 2).coverage == 1
    with pytest.raises(ZeroDivisionError), by_hand():
        raise ZeroDivisionError
    assert audit(x * 2).coverage == 0


def test_the_mode_belongs_to_its_thread():
    x, found = torch.rand(3, requires_grad=True), []
    with by_hand():
        thread = threading.Thread(target=lambda: found.append(audit(x * 2).coverage))
        thread.start()
        thread.join()
    assert found == [0]


def test_a_subclass_that_overrides_torchs_functions_is_given_torchs_own():
    class Own(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append(func)
            return super().__torch_function__(func, types, args, kwargs or {})

    seen = []
    x = torch.rand(3, requires_grad=True).as_subclass(Own)
    with by_hand():
        assert type(x * 2) is Own
    assert torch.Tensor.mul in seen or torch.Tensor.__mul__ in seen


@pytest.mark.parametrize("make", [lambda t: t.to_sparse(), lambda t: t.to_mkldnn()], ids=["sparse", "mkldnn"])
def test_what_is_no_plain_array_is_given_torchs_own(make):
    x = make(torch.rand(3, 4)).requires_grad_()
    with by_hand():
        assert not audit(x * 2).manual


def test_torchs_compositions_in_python_are_seen_through():
    attention = torch.nn.MultiheadAttention(8, 2)
    x = torch.rand(5, 3, 8, requires_grad=True)
    with by_hand():
        y, _ = attention(x, x, x, need_weights=True)
    assert audit(y).manual["LinearFunction"] == 2
    assert_close(y, attention(x, x, x)[0])


MODEL_DTYPES = ((torch.float32, torch.float32), (torch.float32, torch.bfloat16), (torch.bfloat16, torch.bfloat16))


IN_FLOAT32 = {
    "dot": lambda x: torch.dot(x, x),
    "inner": lambda x: torch.inner(x, x),
    "tensordot": lambda x: torch.tensordot(x, x, 1),
    "sum in a dtype": lambda x: x.sum(dtype=torch.float32),
    "vector_norm in a dtype": lambda x: torch.linalg.vector_norm(x, dtype=torch.float32),
}


@pytest.mark.parametrize("device", ["cpu", "meta"])  # which has no autocast
@pytest.mark.parametrize("name", IN_FLOAT32)
def test_under_autocast_what_is_no_product_of_matrices_stays_in_float32(name, device):
    x = torch.ones(3, device=device, requires_grad=True)
    with torch.autocast("cpu"):
        expected = IN_FLOAT32[name](x)
        with by_hand():
            y = IN_FLOAT32[name](x)
    assert y.dtype == expected.dtype == torch.float32
    assert not audit(y).native


@pytest.mark.parametrize("dtypes", MODEL_DTYPES, ids=str)
def test_under_autocast_the_dtypes_are_torchs(dtypes):
    def dtypes_of(block):
        x, y = (torch.rand(4, 4, dtype=dtype, requires_grad=True) for dtype in dtypes)
        with torch.autocast("cpu", torch.bfloat16), block():
            results = x + y, x * y, x / y, torch.cat([x, y]), torch.stack([x, y]), x @ y, x.sum(), x.mean(), x.exp(), x**2
            results += (torch.addmm(x, x, y), F.mse_loss(x, y))
        gradients = [torch.autograd.grad(r.float().sum(), (x, y), allow_unused=True) for r in results]
        return [r.dtype for r in results], [[g if g is None else g.dtype for g in pair] for pair in gradients]

    assert dtypes_of(by_hand) == dtypes_of(nullcontext)


def test_saved_tensor_hooks_see_what_is_saved():
    packed = []
    x = torch.rand(3, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t), by_hand():
        y = x.exp()
    y.sum().backward()
    assert_close(x.grad, y.detach())
    assert len(packed) == 1


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU(), torch.nn.Linear(4, 4)).double()


def by_context_fn(f, x):
    with by_hand():
        return checkpoint(f, x, use_reentrant=False, context_fn=lambda: (nullcontext(), by_hand()))


again = partial(checkpoint, use_reentrant=False)
CHECKPOINTS = {
    "in the block": by_hand()(again),
    "in the block, reentrant": by_hand()(partial(checkpoint, use_reentrant=True)),
    "in the block, twice": by_hand()(lambda f, x: again(partial(again, f), x)),
    "around the block": lambda f, x: again(by_hand()(f), x),
    "around the block, reentrant": lambda f, x: checkpoint(by_hand()(f), x, use_reentrant=True),
    "between two blocks": by_hand()(lambda f, x: again(by_hand()(f), x)),
    "by context_fn": by_context_fn,
}
checkpointed = pytest.mark.parametrize("how", CHECKPOINTS)


@checkpointed
@pytest.mark.parametrize("around_backward", [nullcontext, by_hand])
def test_what_checkpoint_computed_by_hand_is_recomputed_by_hand(how, around_backward, wrong_sin):
    model, x = network(), torch.rand(3, 4, dtype=DOUBLE, requires_grad=True)
    y = CHECKPOINTS[how](lambda t: torch.sin(model(t)), x)
    with around_backward():
        y.sum().backward()
    (expected,) = torch.autograd.grad((7 * model(x)).sum(), x)
    assert_close(x.grad, expected)


@checkpointed
def test_a_gradient_of_a_checkpoint_recorded_in_the_block_is_by_hand(how):
    x = torch.rand(3, dtype=DOUBLE, requires_grad=True)
    y = CHECKPOINTS[how](torch.exp, x)
    with by_hand():
        y.sum().backward(create_graph=True)
    assert_close(x.grad, x.exp())
    if "reentrant" not in how:  # PyTorch's own CheckpointFunction has no second derivative
        assert audit(x.grad).manual
        assert not audit(x.grad).native
        x.grad, gradient = None, x.grad
        assert_close(torch.autograd.grad(gradient.sum(), x)[0], x.detach().exp())


@pytest.mark.parametrize("f", [torch.sin, torch.relu, torch.sigmoid, lambda t: t * t, lambda t: t + 1 + t.exp()])
@pytest.mark.parametrize("use_reentrant", [False, True])
def test_what_began_outside_is_recomputed_outside(f, use_reentrant, wrong_sin):
    x = torch.rand(3, dtype=DOUBLE, requires_grad=True)
    y = checkpoint(f, x, use_reentrant=use_reentrant)
    with by_hand():
        y.sum().backward(create_graph=not use_reentrant)
    assert_close(x.grad.detach(), torch.autograd.grad(f(x).sum(), x)[0])


def test_a_reentrant_checkpoint_recomputes_by_hand_also_after_one_of_torchs_compositions(wrong_sin):
    def f(t):
        return torch.sin(t) * F.softmin(t.detach(), 0)

    x = torch.rand(3, requires_grad=True)
    with by_hand():
        checkpoint(lambda t: f(F.softmin(t.detach(), 0)) + f(t), x, use_reentrant=True).sum().backward()
    assert_close(x.grad, 7 * F.softmin(x.detach(), 0))


def test_without_the_block_checkpoint_is_as_ever():
    x = torch.rand(3, requires_grad=True)
    checkpoint(torch.sin, x, use_reentrant=False).sum().backward()
    assert_close(x.grad, x.detach().cos())


def test_graphs_that_are_saved_hold_torchs_operators():
    model, x = swap(network()), torch.rand(3, 4, dtype=DOUBLE)
    with by_hand():
        exported = torch.export.export(model, (x,))
        traced = torch.jit.trace(model, (x,))
        symbolic = torch.fx.symbolic_trace(lambda t: torch.relu(t) + 1)
    targets = [str(node.target) for node in exported.graph.nodes if node.op == "call_function"]
    assert targets == ["aten.linear.default", "aten.relu.default", "aten.linear.default"]
    assert "PythonOp" not in str(traced.inlined_graph)
    assert next(node.target for node in symbolic.graph.nodes if node.op == "call_function") is torch.relu
    assert_close(traced(x), model(x))


def test_a_gradient_recorded_outside_has_its_values_and_torchs_derivative(wrong_sin):
    x = torch.rand(3, dtype=DOUBLE, requires_grad=True)
    with by_hand():
        y = (x * x).sum()
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    assert_close(g, 2 * x)
    assert not audit(g.sum()).manual
    assert_close(torch.autograd.grad(g.sum(), x)[0], torch.full_like(x, 2))


def test_an_optimizers_step_inside_is_as_outside():
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([parameter], lr=0.1)
    with by_hand():
        (parameter * 2).sum().backward()
        optimizer.step()
    assert_close(parameter.detach(), torch.full((3,), 0.9))


def test_a_grad_scaler_works_with_it():
    scaler, parameter = torch.amp.GradScaler("cpu", init_scale=8.0), torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    with by_hand():
        scaler.scale((parameter * 2).sum()).backward()
    scaler.step(optimizer)
    assert_close(parameter.detach(), torch.full((3,), 0.8))


def test_swap_report_names_it():
    assert "manualgrad.by_hand()" in str(manualgrad.swap_report(network())).splitlines()[-1]


def test_audit_says_that_a_compiled_region_is_one_node():
    y = torch.compile(network(), backend="aot_eager")(torch.rand(3, 4, dtype=DOUBLE))
    assert str(audit(y)).endswith("audit the uncompiled model.")


@pytest.mark.parametrize(
    "view", [lambda x: x.expand(2, 3), lambda x: x.unfold(0, 2, 1), lambda x: x.as_strided((2, 2), (1, 1))]
)
def test_a_view_that_repeats_is_arithmetic(view):
    assert audit(view(torch.rand(3, requires_grad=True))).native


class Misspelled(Function):
    """y = 2x, whose jvp asks the ctx for an attribute that nobody set."""

    @staticmethod
    def forward(x):
        return 2 * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, g):
        return 2 * g

    @staticmethod
    def jvp(ctx, dx):
        return dx * ctx.factor


class MisspelledAtOnce(Misspelled):
    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.shape = ctx.missing


def test_a_name_misspelled_in_a_functions_own_methods_raises(monkeypatch):
    """PyTorch must not answer in its place without a word."""
    x = torch.rand(3)
    monkeypatch.setitem(_catalogue.CATALOGUE, torch.sin, Misspelled.apply)
    with pytest.raises(AttributeError, match="factor"):
        jvp(inside(torch.sin), (x,), (x,))
    monkeypatch.setitem(_catalogue.CATALOGUE, torch.sin, MisspelledAtOnce.apply)
    with pytest.raises(AttributeError, match="missing"):
        inside(torch.sin)(x.requires_grad_())

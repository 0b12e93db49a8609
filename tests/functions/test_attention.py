"""Attention and the embedding: on PyTorch's samples, in every order, in blocks, with memory in proportion to the tokens."""

import itertools
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from samples import HALF, inside
from torch.func import jacfwd, jacrev, vmap
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves

from manualgrad import audit
from manualgrad.functions import _attention_in_blocks
from manualgrad.functions.attention import AttentionFunction

DOUBLE = torch.float64
attention = inside(F.scaled_dot_product_attention)


def elementary(q, k, v, mask=None, is_causal=False, scale=None):
    S = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        S = S.masked_fill(torch.ones(S.shape[-2:], dtype=torch.bool).triu(1), -torch.inf)
    if mask is not None:
        S = S.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else S + mask
    return torch.softmax(S, -1) @ v


def first(ours, theirs, tree):
    inputs = [t for t in tree_leaves(tree) if isinstance(t, torch.Tensor) and t.requires_grad]
    values = [call(tree) for call in (ours, theirs)]
    g = torch.randn_like(values[0])
    assert_close(*([value, *torch.autograd.grad(value, inputs, g)] for value in values))


def qkv(n=4, m=5, lead=(2, 3), e=3, f=3):
    torch.manual_seed(0)
    return tuple(torch.randn(*lead, *size, dtype=DOUBLE, requires_grad=True) for size in ((n, e), (m, e), (m, f)))


MASKS = {
    "none": {},
    "causal": {"is_causal": True},
    "boolean": {"attn_mask": torch.tensor([[1, 0, 1, 1, 0], [1, 1, 1, 1, 1], [0, 0, 1, 0, 0], [1, 1, 0, 0, 1]]).bool()},
    "added": {"attn_mask": torch.linspace(-2, 2, 20, dtype=DOUBLE).view(4, 5)},
    "scaled": {"scale": 0.7},
}


@pytest.mark.few(2)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("f", [3, 2], ids=["square", "values of another width"])
def test_first_and_second_derivatives_in_both_modes(mask, f):
    tensors = qkv(f=f)
    call = lambda *t: attention(*t, **MASKS[mask])  # noqa: E731
    torch.autograd.gradcheck(call, tensors, check_forward_ad=True, check_batched_grad=True)
    torch.autograd.gradgradcheck(call, tensors, check_fwd_over_rev=True)


def test_the_masks_gradient():
    mask = torch.randn(1, 4, 5, dtype=DOUBLE, requires_grad=True)
    torch.autograd.gradcheck(lambda m, *t: attention(*t, m), (mask, *qkv()), check_forward_ad=True)
    torch.autograd.gradgradcheck(lambda m, *t: attention(*t, m), (mask, *qkv(lead=(2,))))


def test_a_query_that_sees_nothing_gives_0_and_has_the_gradient_0():
    mask = torch.ones(4, 5, dtype=torch.bool)
    mask[2] = False
    tensors = qkv()
    output = attention(*tensors, mask)
    assert not output[..., 2, :].any()
    gradients = torch.autograd.grad(output.square().sum(), tensors, create_graph=True)
    assert not gradients[0][..., 2, :].any()
    torch.autograd.gradgradcheck(lambda *t: attention(*t, mask), tensors)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool], ids=str)
@pytest.mark.parametrize("shape", [(4, 5), (1, 5), (4, 1), (2, 3, 4, 5), (2, 1, 1, 5), (1, 3, 4, 1), (3, 4, 5)], ids=str)
def test_a_mask_that_broadcasts_is_the_same_mask_written_out(shape, dtype):
    """Of four dimensions, PyTorch's fused forward takes it, and finds its way in the mask's memory."""
    mask = torch.randn(shape) if dtype == torch.float32 else torch.rand(shape) > 0.3
    tensors = [t.detach().float().requires_grad_() for t in qkv()]
    exact = [t.detach().double().requires_grad_() for t in tensors]
    o = attention(*tensors, mask)
    expected = attention(*exact, (mask if dtype == torch.bool else mask.double()).expand(2, 3, 4, 5).contiguous())
    assert_close(o.double(), expected, rtol=1e-5, atol=1e-6)
    found, wanted = (torch.autograd.grad(y.sin().sum(), t) for y, t in ((o, tensors), (expected, exact)))
    assert_close([g.double() for g in found], list(wanted), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (2, 3, 4, 6), (2, 2, 4, 5), (3, 1, 1, 5)], ids=str)
def test_a_mask_that_does_not_fit_raises_torchs_error(shape):
    tensors = [t.float() for t in qkv()]
    with pytest.raises(RuntimeError, match="size"):
        F.scaled_dot_product_attention(*tensors, torch.randn(shape))
    with pytest.raises(RuntimeError, match="size"):
        attention(*tensors, torch.randn(shape))


def test_a_mask_and_causal_together_hide_what_either_hides():
    q, k, v = (t.requires_grad_() for t in qkv(4, 4))
    mask = torch.tensor([[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [0, 0, 1, 0]], dtype=torch.bool)  # the first sees nothing
    found = AttentionFunction.apply(q, k, v, mask, True, 0.5)
    expected = AttentionFunction.apply(q, k, v, mask.tril(), False, 0.5)
    assert_close(found, expected)
    assert not found[..., 0, :].any()
    assert_close(torch.autograd.grad(found.sin().sum(), (q, k, v)), torch.autograd.grad(expected.sin().sum(), (q, k, v)))


def test_several_queries_share_a_key():
    q, k, v = (torch.randn(2, heads, 4, 3, dtype=DOUBLE, requires_grad=True) for heads in (6, 2, 3))
    call = lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True)  # noqa: E731
    first(lambda t: inside(call)(*t), lambda t: call(*t), (q, k, v))
    assert not audit(inside(call)(q, k, v)).native


LETTERS = {"f": jacfwd, "r": jacrev, "v": lambda f: lambda x: vmap(f)(x.expand(2, *x.shape))}
WORDS = ["".join(w) for n in (1, 2) for w in itertools.product("frv", repeat=n) if set(w) != {"v"}] + ["fff", "rfr", "vff"]


@pytest.mark.parametrize("word", WORDS)
def test_a_nesting_is_that_of_an_elementary_composition_by_reverse_mode(word):
    def ours(p):
        return attention(p[:4].view(2, 2), (p * p)[2:].view(2, 2), p[1:5].view(2, 2), is_causal=True)

    def theirs(p):
        return elementary(p[:4].view(2, 2), (p * p)[2:].view(2, 2), p[1:5].view(2, 2), is_causal=True)

    for letter in reversed(word):
        ours, theirs = LETTERS[letter](ours), LETTERS[letter.replace("f", "r")](theirs)
    p = torch.linspace(0.3, 1.2, 6, dtype=DOUBLE)
    assert_close(ours(p), theirs(p), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("pairs", [7, 30, 90])
@pytest.mark.parametrize("mask", MASKS)
def test_in_blocks_the_formula_is_the_same(mask, pairs, monkeypatch):
    """Of a few queries, of a head, and of several heads at a time."""
    tensors = qkv(f=2)  # no fused forward
    whole = attention(*tensors, **MASKS[mask])
    expected = torch.autograd.grad(whole.sin().sum(), tensors)
    for module in (_attention_in_blocks, __import__("manualgrad.functions.attention", fromlist=[""])):
        monkeypatch.setattr(module, "PAIRS", pairs)
    blocks = attention(*tensors, **MASKS[mask])
    assert_close(blocks, whole)
    assert_close(torch.autograd.grad(blocks.sin().sum(), tensors), expected)


SAME_FOR_MANY = {
    "of keys, each example": torch.tensor([[1, 0, 1, 1, 1], [1, 1, 0, 1, 0]]).bool().view(2, 1, 1, 5),
    "of keys": torch.tensor([1, 0, 1, 1, 0]).bool().view(1, 5),
    "of queries, each head": torch.linspace(-1, 1, 12, dtype=DOUBLE).view(3, 4, 1),
    "expanded": torch.linspace(-1, 1, 10, dtype=DOUBLE).view(2, 1, 1, 5).expand(2, 3, 4, 5),
    "of other leading dimensions": torch.linspace(-1, 1, 60, dtype=DOUBLE).view(3, 1, 4, 5).expand(3, 3, 4, 5)[:2],
}


@pytest.mark.parametrize("pairs", [5, 20, 45, 1000])
@pytest.mark.parametrize("mask", SAME_FOR_MANY.values(), ids=SAME_FOR_MANY)
def test_in_blocks_a_mask_that_is_the_same_for_many_is_right(mask, pairs, monkeypatch):
    tensors = qkv(lead=(2, 3), f=2)
    expected = [t := F.scaled_dot_product_attention(*tensors, mask), *torch.autograd.grad(t.sin().sum(), tensors)]
    for module in (_attention_in_blocks, __import__("manualgrad.functions.attention", fromlist=[""])):
        monkeypatch.setattr(module, "PAIRS", pairs)
    blocks = attention(*tensors, mask)
    assert_close([blocks, *torch.autograd.grad(blocks.sin().sum(), tensors)], expected)


GROWTH = """
import resource, sys, torch, manualgrad.nn.functional as F
n, kind = 8192, sys.argv[1]
q, k, v = (torch.randn(1, 2, n, 8, requires_grad=True) for _ in range(3))
mask = torch.ones(1, 1, 1, n, dtype=torch.bool) if kind == "of keys" else None
F.scaled_dot_product_attention(*(t[..., :99, :] for t in (q, k, v))).sum().backward()  # what is loaded at the first call
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
F.scaled_dot_product_attention(q, k, v, mask, is_causal=kind == "causal").sum().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", ["", "causal", "of keys"])
def test_no_array_of_all_pairs_of_8192_tokens_is_made(kind):
    pytest.importorskip("resource")
    done = subprocess.run([sys.executable, "-c", GROWTH, kind], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 8192 * 8192 * 4 / 2  # ru_maxrss is in KiB on Linux


KINDS = [{}, {"is_causal": True}, {"attn_mask": torch.ones(4, 5, dtype=torch.bool).tril(1)}]


@pytest.mark.parametrize("kwargs", KINDS)
def test_dropout_draws_torchs_numbers_from_the_same_seed(kwargs):
    tensors = qkv()
    results = []
    for call in (attention, F.scaled_dot_product_attention):
        torch.manual_seed(5)
        o = call(*tensors, dropout_p=0.4, **kwargs)
        results.append((o, *torch.autograd.grad(o.sin().sum(), tensors)))
    assert_close(*results)


HALVES = {"query": (0, torch.bfloat16), "value": (2, torch.bfloat16), "float16": (1, torch.float16)}


@pytest.mark.parametrize("dropout_p", [0.0, 0.4])
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("which", HALVES)
def test_autocast_takes_dtypes_that_differ(which, with_mask, dropout_p):
    at, dtype = HALVES[which]
    tensors = [t.detach().to(dtype if i == at else torch.float32).requires_grad_() for i, t in enumerate(qkv())]
    mask = torch.randn(4, 5) if with_mask else None
    with torch.autocast("cpu"):
        o = attention(*tensors, mask, dropout_p)
        expected = F.scaled_dot_product_attention(*tensors, mask, dropout_p)
    assert audit(o).coverage == 1
    assert o.dtype == expected.dtype
    found, expected = (torch.autograd.grad(y.float().sin().sum(), tensors) for y in (o, expected))
    assert [t.dtype for t in found] == [t.dtype for t in expected]
    if not dropout_p:
        assert_close(found, expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("dropout_p", [0.0, 0.4])
@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_a_mask_in_float32_goes_with_half_precision(dtype, dropout_p):
    tensors = [t.detach().to(dtype).requires_grad_() for t in qkv()]
    mask = torch.randn(4, 5)
    results = []
    for call in (attention, F.scaled_dot_product_attention):
        torch.manual_seed(5)
        o = call(*tensors, mask, dropout_p)
        results.append((o, *torch.autograd.grad(o.float().sin().sum(), tensors)))
    assert audit(attention(*tensors, mask, dropout_p)).coverage == 1
    assert_close(*results, rtol=0.05, atol=0.05)


def test_a_mask_in_float32_goes_with_a_query_in_float64():
    """torch's own reads the mask's bytes as numbers of float64 on the CPU, and is off by more than 1."""
    q, k, v = (torch.randn(1, 1, 16, 8, dtype=torch.float64, requires_grad=True) for _ in range(3))
    mask = torch.randn(16, 16)
    found, expected = attention(q, k, v, mask), (q @ k.mT / 8**0.5 + mask).softmax(-1) @ v
    g = torch.randn_like(expected)
    assert_close(found, expected)
    assert_close(torch.autograd.grad(found, (q, k, v), g), torch.autograd.grad(expected, (q, k, v), g))


def test_without_autocast_dtypes_that_differ_raise_torchs_error():
    q, k, v = (t.float() for t in qkv())
    with pytest.raises(RuntimeError, match="dtype"):
        attention(q, k, v.bfloat16())
    with pytest.raises(RuntimeError, match="dtype"):
        attention(q, k, v, torch.randn(4, 5, dtype=torch.float64))


@pytest.mark.parametrize("kwargs", KINDS)
def test_torch_compile_takes_it_whole(kwargs):
    tensors = qkv()
    compiled = torch.compile(lambda *t: attention(*t, **kwargs), fullgraph=True, backend="aot_eager")
    assert_close(
        torch.autograd.grad(compiled(*tensors).sin().sum(), tensors),
        torch.autograd.grad(attention(*tensors, **kwargs).sin().sum(), tensors),
    )


@pytest.mark.parametrize("options", [{}, {"padding_idx": 2}, {"scale_grad_by_freq": True}, {"max_norm": 0.5}])
@pytest.mark.parametrize("sparse", [False, True])
def test_an_embedding_has_torchs_gradient(options, sparse):
    if sparse and options.get("scale_grad_by_freq"):
        pytest.skip("torch's own refuses it")
    i, results = torch.tensor([[0, 2, 2], [4, 2, 1]]), []
    for call in (inside(F.embedding), F.embedding):
        W = torch.linspace(-1, 1, 15, dtype=DOUBLE).view(5, 3).clone().requires_grad_()
        y = call(i, W, sparse=sparse, **options)
        (gradient,) = torch.autograd.grad(y.square().sum(), W)
        assert gradient.is_sparse == sparse
        results.append((y, W.detach(), gradient.to_dense()))
    assert_close(*results)


def test_a_mask_beside_is_causal_is_torchs_error():
    q, k, v = (torch.rand(4, 3, dtype=DOUBLE, requires_grad=True) for _ in range(3))
    mask = torch.ones(4, 4, dtype=torch.bool)
    errors = []
    for call in (inside(F.scaled_dot_product_attention), F.scaled_dot_product_attention):
        with pytest.raises(RuntimeError) as caught:
            call(q, k, v, mask, is_causal=True)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]

"""einsum, tensordot and their like: equations of every kind against torch's own."""

import pytest
import torch
from samples import inside
from torch.backends import opt_einsum
from torch.testing import assert_close

from manualgrad import audit

DOUBLE = torch.float64
EQUATIONS = {
    "a transpose": ("ij->ji", (2, 3)),
    "as it is": ("ij->ij", (2, 3)),
    "a trace": ("ii", (3, 3)),
    "a diagonal": ("...ii->...i", (2, 3, 3)),
    "a diagonal of three": ("iii->i", (3, 3, 3)),
    "a sum": ("ij->", (2, 3)),
    "a product": ("ij,jk->ik", (2, 3), (3, 4)),
    "without an arrow": ("ij,jk", (2, 3), (3, 4)),
    "letters in another order": ("ba,ca", (2, 3), (4, 3)),
    "an outer product": ("i,j->ij", (2,), (3,)),
    "an inner product": ("i,i", (3,), (3,)),
    "element by element": ("ij,ij->ij", (2, 3), (2, 3)),
    "batches": ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    "attention": ("bqhd,bkhd->bhqk", (2, 3, 2, 4), (2, 5, 2, 4)),
    "broadcast by dots": ("...ij,...jk->...ik", (2, 1, 3, 4), (5, 4, 2)),
    "dots that are added up": ("...ij,...j->i", (2, 3, 4), (4,)),
    "dots in the middle": ("i...j,j...->...i", (2, 5, 3), (3, 5)),
    "a dimension of 1": ("ij,ij->i", (2, 3), (2, 1)),
    "a dimension of 1 that is kept": ("ij,jk->ijk", (2, 1), (3, 4)),
    "one that only one has": ("ij,k->i", (2, 3), (4,)),
    "bilinear": ("bn,anm,bm->ba", (2, 3), (4, 3, 5), (2, 5)),
    "four": ("ab,bc,cd,da->", (2, 3), (3, 4), (4, 2), (2, 2)),
    "numbers": (",ij->ij", (), (2, 3)),
    "nothing": ("ij,jk->ik", (2, 0), (0, 3)),
    "capitals and spaces": ("aB, Bc -> c a", (2, 3), (3, 2)),
}


@pytest.mark.parametrize("path", [True, False])
@pytest.mark.parametrize("name", EQUATIONS)
def test_an_equation_has_torchs_value_and_gradients(name, path, monkeypatch):
    monkeypatch.setattr(opt_einsum, "enabled", path)
    equation, *shapes = EQUATIONS[name]
    operands = [torch.rand(shape, dtype=DOUBLE, requires_grad=True) for shape in shapes]
    y, expected = (f(equation, *operands) for f in (inside(torch.einsum), torch.einsum))
    assert not audit(y).native
    assert_close(y, expected, rtol=1e-12, atol=1e-12)
    assert y._is_view() or not (expected._is_view() and len(shapes) == 1)
    g = torch.rand_like(expected)
    assert_close(*(torch.autograd.grad(z, operands, g, allow_unused=True) for z in (y, expected)), rtol=1e-12, atol=1e-12)


def test_lists_of_numbers_name_dimensions_too():
    a, b = torch.rand(2, 3, dtype=DOUBLE, requires_grad=True), torch.rand(4, 3, dtype=DOUBLE)
    for arguments in ((a, [0, 27], b, [30, 27], [30, 0]), (a, [0, 1], b, [2, 1]), (a, [..., 1], b, [0, 1])):
        y, expected = (f(*arguments) for f in (inside(torch.einsum), torch.einsum))
        assert not audit(y).native
        assert_close(y, expected)
    assert_close(inside(torch.einsum)("ij,kj", [a, b]), a @ b.T)


DIMS = {"two": ((2, 3, 4), (3, 4, 5), 2), "none": ((2, 3), (4,), 0), "lists": ((2, 3, 4), (4, 2), ([2, 0], [0, 1]))}
DIMS |= {"one": ((2, 3), (3,), ([1], [0])), "of size 1": ((2, 1), (3, 2), ([1], [0])), "all": ((2, 3), (2, 3), 2)}


@pytest.mark.parametrize("name", DIMS)
def test_tensordot_has_torchs_value_and_gradients(name):
    of_a, of_b, dims = DIMS[name]
    a, b = (torch.rand(shape, dtype=DOUBLE, requires_grad=True) for shape in (of_a, of_b))
    y, expected = (f(a, b, dims) for f in (inside(torch.tensordot), torch.tensordot))
    assert not audit(y).native
    assert_close(y, expected)
    g = torch.rand_like(expected)
    assert_close(*(torch.autograd.grad(z, (a, b), g) for z in (y, expected)))


WRONG = {
    "too few subscripts": lambda a: torch.einsum("i,j->ij", a, a),
    "one operand too many": lambda a: torch.einsum("ij", a, a),
    "sizes that differ": lambda a: torch.einsum("ij,jk->ik", a, a),
    "an unknown output": lambda a: torch.einsum("ij->k", a),
    "an output twice": lambda a: torch.einsum("ij->ii", a),
    "no letter": lambda a: torch.einsum("i1->i", a),
    "a number too large": lambda a: torch.einsum(a, [0, 52]),
    "no operand": lambda a: torch.einsum("ij"),
    "dtypes": lambda a: torch.einsum("ij,kj->ik", a, a.double()),
    "tensordot": lambda a: torch.tensordot(a, a, 1),
    "tensordot of more": lambda a: torch.tensordot(a, a, 3),
    "inner": lambda a: torch.inner(a, a.T),
    "outer": lambda a: torch.outer(a, a),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_by_torch(wrong):
    def outcome(call):
        try:
            return type(call(torch.rand(2, 3, requires_grad=True)))
        except Exception as error:
            return type(error), str(error)

    expected = outcome(wrong)
    assert isinstance(expected, tuple)
    assert outcome(inside(wrong)) == expected


@pytest.mark.parametrize("equation", ["ij,jk->ik", "ij,kl->ijkl", "ij,ij->ij"])
def test_autocast_gives_torchs_dtype(equation):
    a = torch.rand(3, 3, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        y, expected = (f(equation, a, a) for f in (inside(torch.einsum), torch.einsum))
    assert y.dtype == expected.dtype

"""What torch takes, by_hand takes: names of NumPy and of the schemas, deprecated orders, NumPy's numbers and arrays, lists."""

import operator
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from samples import inside
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db
from torch_calls import functions_of_the_catalogue, other_ways, outcome, samples_of_each_kind

from manualgrad import audit, by_hand, nn
from manualgrad.torch_api import mode
from manualgrad.torch_api.catalogue import CATALOGUE, SIGNATURES
from manualgrad.torch_api.signatures import rebound

FUNCTIONS = functions_of_the_catalogue()

# What torch answers, as it takes singular values, or as the rows are weighted.
IN_PART_TORCHS = {torch.linalg.norm, torch.linalg.matrix_norm, torch.cov, torch.Tensor.cov}


def name_of(function):
    return f"{'Tensor.' if type(function).__name__ == 'method_descriptor' else ''}{function.__name__}"


def assert_same_outcome(found, expected):
    for ours, theirs in zip(found[:2], expected[:2], strict=True):
        assert_close(ours, theirs, equal_nan=True)


@pytest.mark.few(90)
@pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
def test_each_way_in_which_torch_takes_a_call_has_the_same_value_and_gradient_and_is_by_hand(function):
    for args, kwargs in samples_of_each_kind(FUNCTIONS[function]):
        plain = None
        for kind, *call in other_ways(function, args, kwargs):
            try:
                expected = outcome(function, *call, False)
            except (TypeError, RuntimeError, ValueError, IndexError):
                continue  # torch does not take it so
            found = outcome(function, *call, True)
            assert_same_outcome(found, expected)
            plain = plain or outcome(function, args, kwargs, True)
            assert not found[2] - plain[2], (kind, call)


@pytest.mark.few(60)
@pytest.mark.parametrize("function", FUNCTIONS, ids=name_of)
def test_each_kind_of_call_is_by_hand(function):
    for args, kwargs in samples_of_each_kind(FUNCTIONS[function]):
        native = outcome(function, args, kwargs, True)[2]
        assert not native or function in IN_PART_TORCHS, (args, kwargs)


LAYERS = {f"nn.functional.{name}": getattr(nn.functional, name) for name in nn.functional.__all__}


@pytest.mark.few(25)
@pytest.mark.parametrize("op", [op for op in op_db if op.name in LAYERS], ids=lambda op: op.name + op.variant_test_name)
def test_nn_functional_takes_what_torchs_function_takes(op):
    ours, theirs = LAYERS[op.name], getattr(F, op.name.rpartition(".")[2])
    for args, kwargs in samples_of_each_kind(op):
        for _, *call in other_ways(theirs, args, kwargs):
            try:
                expected = outcome(theirs, *call, False)
            except (TypeError, RuntimeError, ValueError, IndexError):
                continue
            found = outcome(ours, *call, False)
            assert_same_outcome(found, expected)
            assert not found[2] - outcome(ours, args, kwargs, False)[2]


def test_a_name_that_torch_does_not_take_is_torchs_error():
    x = torch.rand(3, 3, requires_grad=True)
    for call in (
        lambda: torch.mm(x, other=x),
        lambda: x.sum(axes=1),
        lambda: torch.sum(x, dim=1, axis=1),
        lambda: torch.roll(x, 1, axis=0),
        lambda: torch.flip(x, 0, 1),
        lambda: torch.maximum(x, np.float32(1)),
    ):
        with pytest.raises(TypeError) as theirs:
            call()
        with pytest.raises(TypeError) as ours:
            inside(call)()
        assert str(ours.value) == str(theirs.value)


def test_a_call_in_our_names_is_left_as_it_is():
    x = torch.rand(3, 3)
    for function, args, kwargs in (
        (torch.mm, (x,), {"mat2": x}),
        (torch.sum, (x,), {"axis": 1, "keepdims": True}),
        (torch.addmm, (2, x, 3, x, x), {}),
        (torch.Tensor.expand, (x, 2, 3, 3), {}),
        (torch.max, (), {"input": x, "axis": np.int64(1)}),
    ):
        call = rebound(SIGNATURES[function], args, kwargs)
        assert call is not None
        assert rebound(SIGNATURES[function], *call) is None


def test_a_plain_call_that_fails_is_not_made_again():
    x = torch.rand(2, 5, requires_grad=True)
    for function, args in ((torch.sum, (x, 7)), (F.mse_loss, (x, x[:, :4])), (torch.lerp, (x, x[:, :4], 0.5))):
        assert rebound(SIGNATURES[function], args, {}) is None


def test_where_ours_fails_and_torchs_does_not_torchs_is_the_answer_and_audit_tells(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("of ours alone")

    monkeypatch.setitem(mode.CATALOGUE, torch.sin, broken)
    x = torch.rand(3, requires_grad=True)
    with by_hand():
        y = torch.sin(x)
    assert dict(audit(y).native) == {"SinBackward0": 1}


# NumPy's numbers and arrays.

NUMBERS = "bool_ int8 int16 int32 int64 uint8 uint16 float16 float32 float64 complex64 complex128"
OPERATORS = "add sub mul truediv floordiv mod pow iadd isub imul itruediv ifloordiv imod ipow"


@pytest.mark.few(28)
@pytest.mark.filterwarnings("ignore")  # of complex64, torch takes the real part, and NumPy warns
@pytest.mark.parametrize("name", OPERATORS.split())
@pytest.mark.parametrize("number", NUMBERS.split())
def test_an_operator_takes_numpys_numbers_as_torch_does(name, number):
    operation, v = getattr(operator, name), getattr(np, number)(2)
    x = torch.rand(3, 4, dtype=torch.float64, requires_grad=True)
    for left, right in ((x, v), (v, x)):
        seen = []
        for with_hand in (False, True):
            try:
                seen.append(outcome(lambda a, b: operation(a, b), (left, right), {}, with_hand))
            except (RuntimeError, TypeError) as error:
                seen.append(None if "derivative for" in str(error) else type(error))
        if seen[0] is None:
            continue  # torch has the value alone
        if isinstance(seen[0], type):
            assert seen[1] == seen[0]
        else:
            assert_same_outcome(seen[1], seen[0])
            assert not seen[1][2]


INDICES = {
    "an int of NumPy's": np.int64(1),
    "an array": np.array([0, 2]),
    "an array of no dimension": np.array(1),
    "an array of two": np.array([[0], [2]]),
    "an array of truth values": np.array([True, False, True]),
    "an array of int16": np.array([0, 1], dtype=np.int16),
    "an array of floats": np.array([0.0, 1.0]),
    "an empty array": np.array([], dtype=int),
    "a mask of two dimensions": np.arange(12).reshape(3, 4) % 2 == 0,
    "a list": [0, 2],
    "an empty list": [],
    "a list of truth values": [True, False, True],
    "a list of NumPy's ints": [np.int64(0), np.int64(1)],
    "a range": range(2),
    "ranges": (range(2), range(1, 3)),
    "lists": ([0, 1], [1, 2]),
    "tuples": ((0, 1), (1, 2)),
    "a list of lists, which is a tuple": [[0, 1], [1, 2]],
    "a list with a slice, which is a tuple": [slice(0, 2), [1, 2]],
    "a list of tensors, which is a tuple": [torch.tensor([0, 1]), torch.tensor([1])],
    "True": True,
    "True and an array": (True, np.array([0, 1])),
    "False at the end": (slice(None), False),
    "None around an array": (None, np.array([0]), None),
    "arrays around an ellipsis": ([0, 1], Ellipsis, np.array([0, 3])),
    "an int before a list": (0, [0, 1]),
    "a tensor of no dimension and an array": (torch.tensor(1), np.array([0, 1])),
    "slices with NumPy's ints": (slice(np.int64(0), np.int64(2)), np.array([0])),
}


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_an_index_is_taken_as_torch_takes_it(index):
    def put(x):
        x = x.clone()
        x[index] = x.sum() * 2
        return x

    for call in (lambda x: x[index] * 1, put):
        x = torch.rand(3, 4, 5, dtype=torch.float64, requires_grad=True)
        found, expected = (outcome(call, (x,), {}, with_hand) for with_hand in (True, False))
        assert_same_outcome(found, expected)
        assert not found[2]


def test_a_list_that_is_taken_as_a_tuple_is_warned_of_as_by_torch():
    x = torch.rand(3, 4, requires_grad=True)
    with by_hand(), pytest.warns(UserWarning, match="non-tuple sequence"):
        x[[[0, 1], [1, 2]]]
    with by_hand(), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert x[[0, 1]].shape == (2, 4)


def test_what_is_no_index_is_torchs_error():
    x = torch.rand(3, 4, requires_grad=True)
    for index in (1.0, np.float64(1), np.bool_(True), "a", torch.tensor([0.0])):
        with pytest.raises((IndexError, TypeError)) as theirs:
            x[index]
        with by_hand(), pytest.raises(theirs.type):
            x[index]


def test_each_name_of_the_catalogue_has_torchs_signatures():
    taken_apart_by_themselves = {torch.Tensor.__getitem__, torch.Tensor.__setitem__, torch.broadcast_tensors, torch.einsum}
    taken_apart_by_themselves |= {torch.block_diag}
    assert {f for f in CATALOGUE if not SIGNATURES.get(f)} == taken_apart_by_themselves

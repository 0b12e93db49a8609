"""What check_function says of the Functions of arithmetic; test_by_hand.py has their values and derivatives."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from manualgrad import Function
from manualgrad.functions.arithmetic import add, addcmul, cat, div, elementary, movement, mul, piecewise, statistics, sums
from manualgrad.functions.arithmetic import pow as power
from manualgrad.functions.linear import addmm, matmul
from manualgrad.testing import check_function

MODULES = (add, cat, div, elementary, addcmul, movement, mul, piecewise, power, statistics, sums, addmm, matmul)


def random(*shape):
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape))) + 0.3


X, ROW, COLUMN = random(2, 3), random(3), random(2, 1)
INDEX, MASK = torch.tensor([[2, 0, 1], [1, 1, 0]]), torch.tensor([[True, False, True], [False, True, False]])
INPUTS = {
    add.AddFunction: (X, ROW, 2),
    add.NegFunction: (X,),
    cat.CatFunction: (1, X, random(2, 2)),
    div.DivFunction: (X, ROW),
    **{getattr(elementary, name): (X,) for name in elementary.__all__},
    addcmul.AddcdivFunction: (X, ROW, COLUMN, 2),
    addcmul.AddcmulFunction: (X, ROW, COLUMN, 2),
    addcmul.LerpFunction: (X, X.flip(0), X.flip(1)),
    movement.ExpandFunction: (COLUMN, (2, 3)),
    movement.FlipFunction: (X, (1,)),
    movement.GatherFunction: (X, 1, INDEX),
    movement.IndexFunction: (X, INDEX[1], INDEX[0]),
    movement.IndexSelectFunction: (X, 1, INDEX[0]),
    movement.PadByIndexFunction: (X, 1, INDEX[0]),
    movement.PadFunction: (X, (1, 2), 0.5),
    movement.RollFunction: (X, (1,), (1,)),
    mul.MulFunction: (X, ROW),
    piecewise.AbsFunction: (X - 0.77,),
    piecewise.ClampByFunction: (X, X.flip(0) * 0.7, X.flip(1) + 0.1),
    piecewise.ClampFunction: (X, 0.5, 1.0),
    piecewise.MaskedFillFunction: (X, MASK, 0.5),
    piecewise.MaximumFunction: (X, X.flip(1) * 1.1),
    piecewise.MinimumFunction: (X, X.flip(1) * 1.1),
    piecewise.WhereFunction: (MASK, X, ROW),
    power.PowFunction: (X, ROW),
    statistics.LogsumexpFunction: (X, (1,), False),
    statistics.StdFunction: (X, (1,), 1, False),
    statistics.VarFunction: (X, (1,), 1, False),
    sums.MeanFunction: (X, (1,), False),
    sums.SumFunction: (X, (1,), False),
    addmm.AddmmFunction: (random(2, 2), X, random(3, 2), 2, 3),
    matmul.MatmulFunction: (random(2, 3, 4), random(4, 2)),
}


def test_no_function_is_left_out():
    assert {f for module in MODULES for f in map(module.__dict__.get, module.__all__) if issubclass(f, Function)} == set(INPUTS)


@pytest.mark.long
@pytest.mark.parametrize("function", INPUTS, ids=lambda function: function.__name__)
def test_check_function_finds_nothing_and_leaves_nothing_out(function):
    report = check_function(function, INPUTS[function])
    assert set(report.values()) == {"SUCCESS"}


@pytest.mark.parametrize("function", INPUTS, ids=lambda function: function.__name__)
def test_a_backward_runs_no_backward_kernel_of_pytorchs(function):
    class Names(TorchDispatchMode):
        def __torch_dispatch__(self, op, types, args=(), kwargs=None):
            names.append(str(op))
            return op(*args, **(kwargs or {}))

    names = []
    inputs = [
        t.clone().requires_grad_() if isinstance(t, torch.Tensor) and t.is_floating_point() else t for t in INPUTS[function]
    ]
    output = function.apply(*inputs)
    g = torch.rand_like(output)
    with Names():
        output.backward(g)
    assert not [name for name in names if "backward" in name]

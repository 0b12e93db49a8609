"""An assignment to elements, in place: by hand, also on a view."""

import pytest
import torch
from samples import inside
from torch.testing import assert_close

from manualgrad import audit

DOUBLE = torch.float64
ASSIGNMENTS = {
    "a slice": lambda x, y: x.__setitem__(slice(1, 3), y[:2]),
    "a number": lambda x, y: x.__setitem__(1, 3.0),
    "a mask": lambda x, y: x.__setitem__(y > 0.5, 0.25),
    "an index": lambda x, y: x.__setitem__(torch.tensor([2, 0]), y[:2]),
    "a row, repeated": lambda x, y: x.__setitem__(slice(None, 2), y[0]),
    "a column, repeated": lambda x, y: x.__setitem__(slice(None, 2), y[:2, :1]),
    "with an ellipsis": lambda x, y: x.__setitem__((..., torch.tensor([1, 3])), y[:, :2]),
    "scatter_": lambda x, y: x.scatter_(1, torch.tensor([[0, 2]]), y[:1, :2]),
    "index_add_": lambda x, y: x.index_add_(0, torch.tensor([0, 2]), y[:2]),
    "tril_": lambda x, y: x.tril_(),
}


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize("assign", ASSIGNMENTS.values(), ids=ASSIGNMENTS)
def test_an_assignment_is_by_hand_also_on_a_view(assign, view):
    results = []
    for call in (inside, lambda f: f):
        torch.manual_seed(0)
        x, y = (torch.rand(3, 4, dtype=DOUBLE, requires_grad=True) for _ in range(2))

        def work(x=x, y=y):
            whole = torch.cat([x, x]) * 2
            assign(whole[:3] if view else whole, y if view else torch.cat([y, y]))
            return (whole * whole).sum()

        loss = call(work)()
        results.append((loss, *torch.autograd.grad(loss, (x, y), allow_unused=True, materialize_grads=True)))
        if call is inside:
            assert not audit(loss).native, audit(loss)
    assert_close(*results)

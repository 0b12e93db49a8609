"""What may be changed in place between a call and its backward: what torch allows, in every function of the catalogue.

The output, or an input, is changed after the call. Where torch's backward then runs, so does ours, with the same gradients; and
where ours runs, the gradients are those of the unchanged call.
"""

from functools import partial
from itertools import islice, product

import pytest
import torch
from samples import inside
from torch.func import functional_call
from torch.testing import assert_close
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_modules import module_db
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from manualgrad import audit, nn
from manualgrad.torch_api.catalogue import CATALOGUE
from manualgrad.torch_api.python_functions import COPIES

pytestmark = pytest.mark.filterwarnings("ignore")

FLOAT = torch.float64
SAMPLES = 200  # of an operator, at most: max_pool2d has thousands
MANY = 6  # inputs, from which on each alone is not tried as the only one that needs a gradient
KNOWN = CATALOGUE.keys() | COPIES.keys()
OPS = {
    f"{op.name}{'.' * bool(op.variant_test_name)}{op.variant_test_name}": op
    for op in op_db
    if FLOAT in op.supported_backward_dtypes("cpu")
    and (op.name.startswith(("nn.functional.", "masked.")) or KNOWN & {op.op, op.method_variant, op.inplace_variant})
}
MODULES = {
    f"{module.name}-{'training' if training else 'evaluation'}": (module, training)
    for module in module_db
    if FLOAT in module.dtypes and getattr(nn, module.name[3:], module.module_cls) is not module.module_cls
    for training in (True, False)
}


def change(tensor):
    """In place, and so that a gradient by its old value is the same by its new one."""
    if tensor.dtype == torch.bool:
        tensor.logical_not_()
    elif tensor.is_floating_point() or tensor.is_complex():
        tensor.add_(1)
    else:
        tensor.zero_()


def outcome(function, tree, needs, changed):
    """Gradients by the leaves in `needs`, or None where something raises; how many outputs have one; whether any is by hand.

    Args:
        changed: ("input", the leaf's number), ("output", the number among the outputs that have a gradient), or None.
    """
    torch.manual_seed(0)
    leaves, structure = tree_flatten(tree)
    roots, given = [], []
    for i, leaf in enumerate(leaves):
        if i in needs:
            roots.append(leaf.detach().clone().requires_grad_())
            given.append(roots[-1].clone())
        else:
            given.append(leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf)
    args, kwargs = tree_unflatten(given, structure)
    outputs = [o for o in tree_leaves(function(*args, **kwargs)) if isinstance(o, torch.Tensor) and o.requires_grad]
    is_by_hand = any(audit(o).manual for o in outputs)
    if not outputs:
        return None, 0, False
    generator = torch.Generator().manual_seed(1)
    g = [torch.randn(o.shape, dtype=FLOAT, generator=generator).to(o.dtype) for o in outputs]
    try:
        if changed is not None:
            kind, i = changed
            change(given[i] if kind == "input" else outputs[i])
        gradients = torch.autograd.grad(outputs, roots, g, allow_unused=True, materialize_grads=True)
    except RuntimeError:
        gradients = None
    return gradients, len(outputs), is_by_hand


def are_close(gradients, expected):
    return all(torch.allclose(g, e, rtol=1e-7, atol=1e-7, equal_nan=True) for g, e in zip(gradients, expected, strict=True))


def faults_of(theirs, ours, tree):
    """What torch allows and we do not, and gradients that a change made wrong; and the number of changes that were made."""
    leaves, _ = tree_flatten(tree)
    tensors = [i for i, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
    can = [i for i in tensors if leaves[i].requires_grad]
    if not can or any(leaves[i].layout is not torch.strided for i in tensors):
        return [], 0
    found, changes = [], 0
    for needs in [can, *([[i] for i in can] if 1 < len(can) <= MANY else [])]:
        expected, count, _ = outcome(theirs, tree, needs, None)
        unchanged, _, is_by_hand = outcome(ours, tree, needs, None)
        if expected is None or not is_by_hand:
            continue
        if unchanged is None or not are_close(unchanged, expected):
            found.append(("wrong", needs, None))
            continue
        for changed in [*(("output", k) for k in range(count)), *(("input", i) for i in tensors)]:
            (torchs, *_), (result, *_) = (outcome(function, tree, needs, changed) for function in (theirs, ours))
            if result is None and torchs is not None and are_close(torchs, expected):
                found.append(("refused", needs, changed))
            if result is not None and not are_close(result, expected):
                found.append(("wrong", needs, changed))
            changes += 1
    return found, changes


def check_operator(op, samples):
    for name, function in {"": op, "method": op.method_variant, "in place": op.inplace_variant}.items():
        for sample in islice(op.sample_inputs("cpu", FLOAT, requires_grad=True), samples):
            if function is None or (name == "in place" and sample.broadcasts_input):
                continue
            found, _ = faults_of(function, inside(function), ((sample.input, *sample.args), sample.kwargs))
            assert not found, (name, sample, found)


def check_module(module, training, samples=None):
    inputs = module.module_inputs_func(module, device="cpu", dtype=FLOAT, requires_grad=True, training=training)
    for sample in islice(inputs, samples):
        construct, call = sample.constructor_input, sample.forward_input
        theirs, ours = (
            cls(*construct.args, **construct.kwargs).to(FLOAT).train(training)
            for cls in (module.module_cls, getattr(nn, module.name[3:]))
        )
        tree = ((dict(theirs.named_parameters()), call.args, call.kwargs), {})
        found, _ = faults_of(partial(functional_call, theirs), partial(functional_call, ours), tree)
        assert not found, (sample, found)


@pytest.mark.few(40)
@pytest.mark.parametrize("name", OPS)
def test_an_operator_lets_change_what_torchs_does(name):
    check_operator(OPS[name], samples=1)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", OPS)
def test_an_operator_lets_change_what_torchs_does_on_many_samples(name):
    check_operator(OPS[name], SAMPLES)


@pytest.mark.parametrize("name", MODULES)
def test_a_layer_lets_change_what_torchs_does(name):
    check_module(*MODULES[name], samples=1)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", MODULES)
def test_a_layer_lets_change_what_torchs_does_on_every_sample(name):
    check_module(*MODULES[name])


ORDERS = {2: [(0, 1), (1, 0)], 3: [(0, 1, 2), (0, 2, 1), (1, 0, 2)], 4: [(0, 1, 2, 3), (0, 2, 1, 3), (0, 2, 3, 1)]}


def layouts(*shape):
    """Matrices, or batches of them, in the orders in which their dimensions may lie in memory."""
    t = torch.rand(shape, dtype=FLOAT, generator=torch.Generator().manual_seed(len(shape)))
    for order in ORDERS[t.dim()]:
        back = sorted(range(t.dim()), key=order.__getitem__)
        yield t.permute(order).contiguous().permute(back).requires_grad_()


@pytest.mark.parametrize(
    ("A", "B"),
    [
        ((3, 4), (2, 4, 5)),
        ((2, 3, 4), (4, 5)),
        ((1, 3, 4), (2, 4, 5)),
        ((2, 3, 4), (1, 4, 5)),
        ((2, 6, 3, 4), (2, 6, 4, 5)),
        ((2, 1, 3, 4), (6, 4, 5)),
        ((2, 6, 3, 4), (4, 5)),
    ],
    ids=str,
)
def test_a_product_lets_change_what_torch_copies(A, B):
    for a, b in product(layouts(*A), layouts(*B)):
        found, changes = faults_of(torch.matmul, inside(torch.matmul), ((a, b), {}))
        assert changes
        assert not found, (a.stride(), b.stride(), found)


CHANGES = {
    "the base": lambda h, y: h.mul_(2),
    "the view": lambda h, y: y.mul_(2),
    "the base's memory": lambda h, y: h.detach().add_(1),
    "the view's memory": lambda h, y: y.detach().add_(1),
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("view", [lambda x: x.expand(1, 4), lambda x: x.unfold(0, 2, 2)], ids=["expand", "unfold"])
def test_a_view_and_its_base_may_change(view, changes):
    results = []
    for call in (view, inside(view)):
        x = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
        h = x.clone()
        y = call(h)
        cost = (y * 3).sum()
        changes(h, y)
        results.append((y, h, torch.autograd.grad(cost + (y * y.detach()).sum(), x)))
    assert_close(*results)


def test_a_sample_of_gamma_has_torchs_gradient():
    def gradients(value):
        torch.manual_seed(0)
        a, b = (torch.full((4,), n, dtype=FLOAT, requires_grad=True) for n in (2.0, 3.0))
        return torch.autograd.grad(value(a, b), (a, b))

    def cost(a, b):
        gamma = torch.distributions.Gamma(a, b)
        return gamma.log_prob(gamma.rsample()).sum()

    assert_close(gradients(inside(cost)), gradients(cost))

"""The ways in which torch's functions may be called: by the names of their schemas, by NumPy's, in deprecated orders."""

from collections import Counter

import numpy
import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_leaves, tree_map

from manualgrad import audit, by_hand
from manualgrad.torch_api.catalogue import CATALOGUE

NUMPYS = {"dim": ("axis",), "keepdim": ("keepdims",), "input": ("x", "a", "x1"), "other": ("x2",)}
NUMBERS = {bool: numpy.bool_, int: numpy.int64, float: numpy.float32}


def functions_of_the_catalogue():
    """Each of torch's functions and methods that both the catalogue and PyTorch's samples have, with the samples' OpInfo."""
    found = {}
    for op in op_db:
        for function in (op.op, op.method_variant, op.inplace_variant):
            if function in CATALOGUE and torch.float64 in op.supported_backward_dtypes("cpu"):
                found.setdefault(function, op)
    return found


def samples_of_each_kind(op, dtype=torch.float64):
    """One of the samples for each number of arguments and set of names."""
    found = {}
    for sample in op.sample_inputs("cpu", dtype, requires_grad=True):
        key = (len(sample.args), tuple(sorted(sample.kwargs)), *(type(a) for a in sample.args))
        found.setdefault(key, ((sample.input, *sample.args), sample.kwargs))
    return list(found.values())


def other_ways(function, args, kwargs):
    """The same call in other words, as (kind, arguments, names); torch may accept them or not."""
    is_method = type(function).__name__ == "method_descriptor"
    own = 1 if is_method else 0
    for schema in torch._C._jit_get_schemas_for_operator(f"aten::{function.__name__}"):
        arguments = [a for a in schema.arguments if not a.is_out]
        names = ["input" if a.name == "self" and str(a.type) == "Tensor" else a.name for a in arguments]
        if is_method and "input" in names:
            names.insert(0, names.pop(names.index("input")))
        if len(args) > len(names):
            continue
        by_name = dict(zip(names[own:], args[own:], strict=False)) | kwargs
        if len(by_name) != len(args) - own + len(kwargs):
            continue
        yield "keywords", args[:own], by_name
        for name in by_name:
            for other in NUMPYS.get(name, ()):
                yield "NumPy's names", args[:own], {other if n == name else n: value for n, value in by_name.items()}
        if "out" in str(schema) or not is_method:
            yield "out=None", args, kwargs | {"out": None}
    yield "NumPy's numbers", *tree_map(lambda v: NUMBERS[type(v)](v) if type(v) in NUMBERS else v, (args, kwargs))
    yield "tensors as numbers", *tree_map(lambda v: torch.tensor(v) if type(v) in (int, float) else v, (args, kwargs))
    for order in deprecated_orders(function.__name__, args, kwargs):
        yield "a deprecated order", order, {}


def deprecated_orders(name, args, kwargs):
    """Those of tools/autograd/deprecated.yaml, with numbers that are not the defaults."""
    base = name.rstrip("_")
    if base in ("add", "sub") and len(args) == 2 and isinstance(args[1], torch.Tensor):
        yield (args[0], kwargs.get("alpha", 2), args[1])
    if base in ("addcmul", "addcdiv") and len(args) == 3:
        yield (args[0], kwargs.get("value", 2), *args[1:])
    if base in ("addmm", "addmv", "baddbmm") and len(args) == 3:
        beta, alpha = kwargs.get("beta", 2), kwargs.get("alpha", 3)
        for with_alpha in (True, False):
            numbers = (alpha,) if with_alpha else ()
            yield (args[0], beta, *numbers, *args[1:])
            yield (beta, args[0], *numbers, *args[1:])


def copied(tree):
    """With tensors that are written into by operations in place, and are no leaves."""
    leaves = []

    def copy(value):
        if not isinstance(value, torch.Tensor):
            return value
        leaf = value.detach().clone().requires_grad_(value.requires_grad)
        leaves.append(leaf)
        return leaf.clone() if value.requires_grad else leaf

    return tree_map(copy, tree), leaves


def outcome(function, args, kwargs, inside):
    """The outputs and gradients, and torch's nodes among those of the graph; None where the call fails."""
    (args, kwargs), leaves = copied((args, kwargs))
    torch.manual_seed(0)
    if inside:
        with by_hand():
            value = function(*args, **kwargs)
    else:
        value = function(*args, **kwargs)
    outputs = [t for t in tree_leaves(value) if isinstance(t, torch.Tensor)]
    roots = [t for t in outputs if t.requires_grad and t.grad_fn is not None]
    native = sum((Counter(audit(t).native) for t in roots), Counter())
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    gradients = torch.autograd.grad(roots, wanted, [torch.ones_like(t) for t in roots], allow_unused=True) if roots else ()
    return (
        [t.detach() for t in outputs],
        [torch.zeros_like(x) if g is None else g.detach() for g, x in zip(gradients, wanted, strict=False)],
        native,
    )

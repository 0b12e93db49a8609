"""Every operator of PyTorch's own database that the catalogue has, and its samples.

An operator that is added to the catalogue is here without an edit.
"""

import pytest
import torch
from samples import copy_of
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_leaves, tree_map

from manualgrad import nn
from manualgrad.torch_api.catalogue import CATALOGUE

DOUBLE = torch.float64

# PyTorch's compositions in Python, each step of which the catalogue has.
COMPOSED = (
    *("cosine_embedding_loss", "gaussian_nll_loss", "hinge_embedding_loss", "margin_ranking_loss"),
    *("multilabel_soft_margin_loss", "poisson_nll_loss", "soft_margin_loss", "triplet_margin_loss"),
    *("triplet_margin_with_distance_loss", "unfold", "upsample_bilinear", "upsample_nearest"),
)
LEFT_OUT = {
    *("nn.functional.dropout", "nn.functional.dropout2d", "nn.functional.dropout3d", "nn.functional.rrelu"),  # random
    *("norm nuc", "linalg.norm subgradients_at_zero"),  # of singular values
    "nn.functional.silu complex",  # of which torch has no gradient
}


def key(op):
    return f"{op.name} {op.variant_test_name}".strip()


def is_known(op):
    name = op.name.removeprefix("nn.functional.")
    is_in_functional = name != op.name and (name in nn.functional.__all__ or name in COMPOSED)
    return is_in_functional or op.name == "einsum" or not CATALOGUE.keys().isdisjoint({op.op, op.method_variant} - {None})


OPS = {key(op): op for op in op_db if is_known(op) and op.supported_backward_dtypes("cpu") and key(op) not in LEFT_OUT}

IGNORED = (
    *("Using a target size", "reduction. 'mean' divides", "size_average", "Using padding='same'"),
    *("Casting complex values to real", ".nn.functional.upsample", "The default behavior for interpolate"),
)
their_warnings = pytest.mark.filterwarnings(*(f"ignore:{text}" for text in IGNORED))


def needs_singular_values(op, sample):
    """The norms 2, -2 and nuc of a matrix, which stay torch's."""
    if op.name not in ("linalg.norm", "linalg.matrix_norm"):
        return False
    order = sample.kwargs.get("ord", sample.args[0] if sample.args else None)
    dim = sample.kwargs.get("dim", sample.args[1] if len(sample.args) > 1 else None)
    is_matrix = op.name == "linalg.matrix_norm" or (len(dim) if isinstance(dim, tuple | list) else sample.input.dim()) == 2
    return order in (2, -2, "nuc") and is_matrix


def is_the_input(op, sample):
    """Whether torch returns the input as it is, or a view of it."""
    if op.name == "diff":
        return 0 in (sample.kwargs.get("n"), *sample.args[:1])
    if op.name == "sum_to_size":
        return sample.input.sum_to_size(*sample.args).shape == sample.input.shape
    if op.name == "unfold":
        return not sample.input.dim()
    return op.name == "nn.functional.local_response_norm" and not sample.input.numel()


def is_torchs(op, sample):
    has_weights = op.name == "cov" and any(sample.kwargs.get(name) is not None for name in ("fweights", "aweights"))
    return has_weights or needs_singular_values(op, sample) or is_the_input(op, sample) or bool(sample.kwargs.get("dropout_p"))


def has_torch_no_gradient(op, sample):
    """Of the norm 0, not even one of 0."""
    given = sample.args[-1:] if op.name == "dist" else sample.args[:1]
    return op.name in NORMS and 0 in (sample.kwargs.get("ord"), sample.kwargs.get("p"), *given)


NORMS = ("dist", "norm", "linalg.norm", "linalg.vector_norm", "linalg.matrix_norm", "nn.functional.normalize")


def differentiable(output):
    """The floating-point tensors of an output, joined where there are several; the indices have no derivative."""
    tensors = [t for t in tree_leaves(output) if isinstance(t, torch.Tensor) and (t.is_floating_point() or t.is_complex())]
    return tensors[0] if len(tensors) == 1 else torch.cat([t.reshape(-1) for t in tensors]) if tensors else output


def run(op, tree):
    """The operator's output for a tree of arguments, with running statistics of its own."""
    args, kwargs = tree_map(lambda t: t.clone() if isinstance(t, torch.Tensor) and not t.requires_grad else t, tree)
    return op(*args, **kwargs)


def tree_of(sample):
    """The arguments; torch.Size would be taken apart as a tree is."""
    return tree_map(
        lambda v: tuple(v) if isinstance(v, torch.Size) else v,
        ((sample.input, *sample.args), sample.kwargs),
        is_leaf=lambda v: isinstance(v, torch.Size),
    )


def has_a_gradient(op, sample):
    value = run(op, copy_of(tree_of(sample)))
    return value is not NotImplemented and differentiable(value).requires_grad

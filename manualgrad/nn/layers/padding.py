"""Padding."""

import torch

from manualgrad.nn.layers._derived import derived
from manualgrad.torch_api.reference import in_dimensions

_DOC = """Pad the input with <what>.

Shapes:
    input [n, channels, <sides>] or [channels, <sides>]; output [n, channels, ...], with each side larger by its two paddings.

Raises:
    RuntimeError: when <why>: `nn.<name><too_much>(torch.rand(1, <3 each>))`.

Example:
    >>> x = torch.tensor([1.0, 2.0, 3.0]).expand(1, <3 each>)
    >>> nn.<name><arguments>(x)[0<index>]
    tensor([<padded>])
"""
_LESS = "the padding crops more than the input has"


def _padding(torchs: type[torch.nn.Module], what: str, arguments: str, padded: str, too_much: str, why: str = _LESS) -> type:
    name = torchs.__name__
    n = int(name[-2])
    index = ", 2" * (n - 1)
    texts = {"name": name, "what": what, "arguments": arguments, "padded": padded, "too_much": too_much, "why": why}
    return derived(torchs, in_dimensions(_DOC, n, index=index, **texts), module=__name__)


_ZERO = ("0", "(2)", "0., 0., 1., 2., 3., 0., 0.", "(-2)")
_CONSTANT = ("a constant", "(2, 9.0)", "9., 9., 1., 2., 3., 9., 9.", "(-2, 9.0)")
_REFLECTION = ("its reflection", "(2)", "3., 2., 1., 2., 3., 2., 1.", "(3)", "the padding is not smaller than the input")
_REPLICATION = ("its edge elements", "(2)", "1., 1., 1., 2., 3., 3., 3.", "(-2)")
_CIRCULAR = ("its opposite side", "(2)", "2., 3., 1., 2., 3., 1., 2.", "(4)", "the padding is larger than the input")

CircularPad1d = _padding(torch.nn.CircularPad1d, *_CIRCULAR)
CircularPad2d = _padding(torch.nn.CircularPad2d, *_CIRCULAR)
CircularPad3d = _padding(torch.nn.CircularPad3d, *_CIRCULAR)
ConstantPad1d = _padding(torch.nn.ConstantPad1d, *_CONSTANT)
ConstantPad2d = _padding(torch.nn.ConstantPad2d, *_CONSTANT)
ConstantPad3d = _padding(torch.nn.ConstantPad3d, *_CONSTANT)
ReflectionPad1d = _padding(torch.nn.ReflectionPad1d, *_REFLECTION)
ReflectionPad2d = _padding(torch.nn.ReflectionPad2d, *_REFLECTION)
ReflectionPad3d = _padding(torch.nn.ReflectionPad3d, *_REFLECTION)
ReplicationPad1d = _padding(torch.nn.ReplicationPad1d, *_REPLICATION)
ReplicationPad2d = _padding(torch.nn.ReplicationPad2d, *_REPLICATION)
ReplicationPad3d = _padding(torch.nn.ReplicationPad3d, *_REPLICATION)
ZeroPad1d = _padding(torch.nn.ZeroPad1d, *_ZERO)
ZeroPad2d = _padding(torch.nn.ZeroPad2d, *_ZERO)
ZeroPad3d = _padding(torch.nn.ZeroPad3d, *_ZERO)

"""A choice between a number and 0 without torch.where, and ReLU's, which is made so."""

import pytest
import torch
from torch.testing import assert_close

from manualgrad.functions import ReLUFunction, _chunked
from manualgrad.functions.activations._masks import where_not_0

DOUBLE = torch.float64


LAYOUTS = {
    "contiguous": lambda x: x,
    "channels_last": lambda x: x.to(memory_format=torch.channels_last) if x.dim() == 4 else x,
    "strided": lambda x: x.repeat_interleave(2, -1)[..., ::2] if x.dim() else x,
}


BITS = {torch.float16: torch.int16, torch.bfloat16: torch.int16, torch.float32: torch.int32, DOUBLE: torch.int64}


@pytest.mark.parametrize(("dtype", "bits"), BITS.items(), ids=str)
def test_the_choice_by_bits_is_that_of_where_bit_by_bit(dtype, bits):
    special = [0.0, -0.0, 1.0, -1.0, torch.inf, -torch.inf, torch.nan, 1e-45, 6e-8, 5e-324, 3e38]
    special = torch.tensor(special, dtype=dtype)
    special = torch.cat([special, special.view(bits).bitwise_or(torch.iinfo(bits).min).view(dtype)])  # and with the other sign
    a, t = special.repeat_interleave(len(special)), special.repeat(len(special))
    with torch.no_grad():
        assert _chunked.plain(a)
        found = where_not_0(a, t)
    assert torch.equal(found.view(bits), torch.where(a == 0, 0, t).view(bits))


@pytest.mark.parametrize("dtype", BITS, ids=str)
@pytest.mark.parametrize("layout", [*LAYOUTS.values(), lambda x: x[:1].expand(x.shape)], ids=[*LAYOUTS, "expanded"])
def test_relu_is_torchs_in_every_layout(layout, dtype):
    z = torch.randn(4, 3, 5, 6, dtype=dtype)
    z[..., 0] = torch.nan
    z[..., 1] = -torch.nan
    z = layout(z).detach().requires_grad_()
    for g in (
        torch.randn(z.shape, dtype=dtype),
        torch.tensor(torch.inf, dtype=dtype).expand(z.shape),
        torch.randn(6, 5, 3, 4, dtype=dtype).mT.permute(1, 3, 2, 0).reshape(z.shape),
    ):
        results = [torch.autograd.grad(f(z), z, g)[0] for f in (ReLUFunction.apply, torch.relu)]
        assert_close(*results, equal_nan=True)
        assert results[0].stride() == results[1].stride() or g.stride() != z.stride()

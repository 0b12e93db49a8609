"""What a network takes an image for."""

import pytest
import torch

from manualgrad.training.verdict import verdict


@pytest.mark.parametrize(
    ("a", "said"),
    {
        (0.01, 0.01, 0.95): "2",
        (0.5, 0.0, 0.0): "0",
        (0.56, 0.30, 0.0): "unsure: 0 or 1",
        (0.5, 0.05, 0.0): "unsure: 0",
        (0.1, 0.2, 0.4): "unsure: 2 or 1",
    }.items(),
)
def test_a_lead_of_a_half_makes_it_sure_and_a_second_half_as_bright_is_named(a, said):
    assert verdict(torch.tensor(a)) == said

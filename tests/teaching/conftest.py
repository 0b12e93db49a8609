import pytest
import torch

from manualgrad import MLP


@pytest.fixture
def model():
    return MLP([9, 5, 4, 3], dtype=torch.float64)


@pytest.fixture(params=["sigmoid", "relu", "tanh"])
def with_softmax(request):
    """A model for the cross entropy: its outputs are the z of a softmax."""
    torch.manual_seed(3)
    return MLP([9, 5, 4, 3], [request.param, request.param, "identity"], dtype=torch.float64)

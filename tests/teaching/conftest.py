import pytest
import torch

from manualgrad import MLP


@pytest.fixture
def model():
    return MLP([9, 5, 4, 3], dtype=torch.float64)

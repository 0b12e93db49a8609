import pytest
import torch

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"))]


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture(params=DEVICES)
def device(request):
    # Two runs of one convolution are compared; cuDNN by itself adds in any order, and in TF32.
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield torch.device(request.param)

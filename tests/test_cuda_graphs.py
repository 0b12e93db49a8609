"""benchmarks/cuda_graphs.py, as far as it goes without a GPU."""

import sys

import pytest
import torch
from paths import ROOT

sys.path.append(str(ROOT / "benchmarks"))

import cuda_graphs

from manualgrad.training.data import Examples


@pytest.mark.exhaustive
def test_its_steps_by_autograd_are_alike(device):
    labels = torch.randint(10, (300,), device=device)
    seen = Examples(torch.rand(300, 784, device=device), torch.nn.functional.one_hot(labels, 10).float(), labels)
    found = []
    for layers, step in (
        ("torch", "reduce-overhead"),
        ("torch", "autograd"),
        ("manualgrad", "autograd"),
        ("manualgrad", "backprop"),
    ):
        training = cuda_graphs.training(layers, step, False, seen, seen)
        next(training.run())
        found.append((training.results[0].cost, list(training.model.parameters())))
    for others in found[1:]:
        torch.testing.assert_close(others, found[0], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so(capsys):
    assert cuda_graphs.main() == 2
    assert capsys.readouterr().err == "benchmarks/cuda_graphs.py: no CUDA device found\n"

"""benchmarks/cuda_graphs.py, as far as it goes without a GPU."""

import sys

import pytest
import torch
from paths import ROOT

sys.path.append(str(ROOT / "benchmarks"))

import cuda_graphs

from manualgrad.training.data import Examples
from manualgrad.training.loop import make_network
from manualgrad.training.steps import AutogradStep


def examples(device):
    labels = torch.randint(10, (300,), device=device)
    return Examples(torch.rand(300, 784, device=device), torch.nn.functional.one_hot(labels, 10).float(), labels)


def trained(step, network, order):
    costs = [step(rows).clone() for rows in order]
    return costs, [p.detach().clone() for p in network.parameters()]


@pytest.mark.parametrize("layers", ["manualgrad", "torch"])
def test_its_step_is_that_of_train_py(layers, device):
    seen, order = examples(device), torch.randperm(300, device=device).split(100)
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        networks.append(make_network([784, 16, 16, 10], layers=layers).to(device))
    take_step = AutogradStep(networks[1])

    def train_pys(rows):
        return take_step(seen.x[rows], seen.y[rows], cuda_graphs.RATE, len(rows))

    found = trained(cuda_graphs.in_a_loop(networks[0], seen), networks[0], order)
    torch.testing.assert_close(found, trained(train_pys, networks[1], order))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_graph_ends_in_the_loops_parameters():
    seen, order = examples("cuda"), torch.randperm(300, device="cuda").split(100)
    found = []
    for as_a_graph in (False, True):
        torch.manual_seed(0)
        network = make_network([784, 16, 16, 10]).cuda()
        step = cuda_graphs.in_a_loop(network, seen)
        found.append(trained(cuda_graphs.captured(network, step, order[0]) if as_a_graph else step, network, order))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so(capsys):
    assert cuda_graphs.main() == 2
    assert capsys.readouterr().err == "benchmarks/cuda_graphs.py: there is no CUDA device here\n"

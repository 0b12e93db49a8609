"""Whole models of torchvision's under by_hand: every gradient hand-written, and the same training."""

import copy
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.testing import assert_close
from whole_models import VIEWS, by_hand_throughout, collecting, steps

from manualgrad import by_hand, swap, unswap

DOUBLE = torch.float64


class ElementaryHardswish(nn.Module):
    """torch's own holds 1/6 in float32, so that its gradients are off by 3e-8 in float64."""

    def forward(self, x):
        return x * (x + 3).clamp(0, 6) / 6


class ElementaryHardsigmoid(nn.Module):
    def forward(self, x):
        return (x + 3).clamp(0, 6) / 6


EXACT = {nn.Hardswish: ElementaryHardswish, nn.Hardsigmoid: ElementaryHardsigmoid}


def lenet():
    first, second = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
    linear = nn.Linear(16 * 14 * 14, 120), nn.Tanh(), nn.Linear(120, 10)
    return nn.Sequential(first, nn.Tanh(), nn.AvgPool2d(2), second, nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), *linear)


def vgg11():
    """With 32 neurons in a layer of its classifier, and not 4096, which would be most of the model."""
    model = torchvision.models.vgg11()
    model.classifier[0], model.classifier[3], model.classifier[6] = nn.Linear(25088, 32), nn.Linear(32, 32), nn.Linear(32, 10)
    return model


MODELS = {
    "resnet18": torchvision.models.resnet18,
    "mobilenet_v3_small": torchvision.models.mobilenet_v3_small,
    "vgg11": vgg11,
    "densenet121": torchvision.models.densenet121,
    "efficientnet_b0": torchvision.models.efficientnet_b0,
    "shufflenet_v2_x0_5": torchvision.models.shufflenet_v2_x0_5,
    "squeezenet1_1": torchvision.models.squeezenet1_1,
    "googlenet": lambda: torchvision.models.googlenet(init_weights=False, aux_logits=False),
    "lenet": lenet,
}


@pytest.fixture(autouse=True)
def _one_thread():
    """Convolutions in float64 are many short calls, in which two threads wait for each other, on a busy machine for seconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def made(name):
    torch.manual_seed(0)
    return MODELS[name]().double()


def exact(model):
    """A copy in which torch's own operators are exact in float64."""
    model = copy.deepcopy(model)
    for module in list(model.modules()):
        for child, layer in module.named_children():
            if type(layer) in EXACT:
                setattr(module, child, EXACT[type(layer)]())
    return model


def without_chance(model):
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def batch(name):
    torch.manual_seed(1)
    return torch.rand(2, 1 if name == "lenet" else 3, 64, 64, dtype=DOUBLE), torch.tensor([1, 2])


@pytest.mark.few(2)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", MODELS)
def test_every_gradient_of_a_model_is_by_hand_and_the_model_trains_as_ever(name, training):
    model = made(name).train(training)
    x, y = batch(name)

    def loss_of(model):
        return F.cross_entropy(model(x), y)

    expected = steps(exact(model), loss_of, lambda forward: forward(), lr=1e-3)
    classes = [type(module) for module in model.modules()]
    found = steps(swap(model), loss_of, by_hand_throughout, lr=1e-3)
    assert_close(found, expected, rtol=1e-8, atol=1e-8)
    assert [type(module) for module in unswap(model).modules()] == classes


@pytest.mark.exhaustive
def test_a_model_is_compiled_whole_inside_by_hand():
    """No backward kernel of torch's is left in the graph, but for those of views."""
    name, kernels = "resnet18", set()
    model, (x, y) = without_chance(swap(made(name))), batch(name)
    compiled = torch.compile(model, fullgraph=True, backend=collecting(kernels))
    with by_hand():
        loss = F.cross_entropy(compiled(x), y)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    again = without_chance(exact(made(name)))
    expected = torch.autograd.grad(F.cross_entropy(again(x), y), list(again.parameters()))
    for g, h in zip(gradients, expected, strict=True):
        assert_close(g, h, rtol=1e-8, atol=1e-8)
    assert kernels <= VIEWS


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "lenet"])
def test_in_float32_the_gradients_are_as_close_to_the_exact_ones_as_torchs(name):
    def gradients(model, dtype, block):
        x, y = batch(name)
        model = model.to(dtype).train()
        torch.manual_seed(0)
        with block():
            loss = F.cross_entropy(model(x.to(dtype)), y)
        return [g.double() for g in torch.autograd.grad(loss, list(model.parameters()))]

    exact_ones = gradients(exact(made(name)), DOUBLE, nullcontext)
    theirs = gradients(made(name), torch.float32, nullcontext)
    ours = gradients(swap(made(name)), torch.float32, by_hand)
    largest = max(g.abs().max() for g in exact_ones)
    for g, t, e in zip(ours, theirs, exact_ones, strict=True):
        assert (g - e).abs().max() <= max(2 * (t - e).abs().max(), 1e-5 * largest)

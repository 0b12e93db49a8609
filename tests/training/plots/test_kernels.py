"""What the picture of LeNet-5's kernels shows."""

import pytest
import torch
from texts import texts, unreadable
from torch.testing import assert_close

from manualgrad.training.data import Examples
from manualgrad.training.lenet5 import make_lenet5
from manualgrad.training.plots.kernels import STEP, plot_kernels, strongest, wishes
from manualgrad.training.plots.style import WIDTH


def examples(n):
    labels = torch.arange(n) % 10
    return Examples(torch.rand(n, 784), torch.nn.functional.one_hot(labels, 10).float(), labels)


COSTS = {
    "quadratic": lambda a, y: (a - y).square().sum(),
    "cross-entropy": lambda z, y: -(y * (z.exp() / z.exp().sum()).log()).sum(),
}


@pytest.mark.parametrize("cost_name", COSTS)
@pytest.mark.parametrize("layers", ["manualgrad", "torch"])
def test_the_wishes_are_minus_the_slopes_of_the_images_cost(layers, cost_name):
    model, data = make_lenet5(layers, cost_name), examples(3)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = wishes(model, data.x[2], data.y[2], cost_name)
    assert_close(model.state_dict(), before, rtol=0, atol=0)

    model.double()
    x, y, K = data.x[2:].double(), data.y[2:].double(), model[1].weight

    def cost(change=0.0, at=...):
        with torch.no_grad():
            K[at] += change
            C = COSTS[cost_name](model(x), y).item()
            K[at] -= change
        return C

    assert found.cost == pytest.approx(cost())
    assert_close(found.kernels, K.detach()[:, 0])
    assert_close(found.maps, model[:3](x)[0].detach())
    for i, row, column in ((0, 0, 0), (3, 2, 4), (5, 4, 1)):
        at = (i, 0, row, column)
        assert -found.wishes[i, row, column].item() == pytest.approx((cost(1e-5, at) - cost(-1e-5, at)) / 2e-5, rel=1e-5)
    assert found.then == pytest.approx(cost(STEP * found.wishes[:, None]))
    assert found.then < found.cost


def test_a_wish_is_the_sum_of_those_of_all_places():
    """∂C₀/∂w[u, v] = Σ δ[i, j] x[i + u, j + v], over the places (i, j), x with its border of two pixels."""
    model, data = make_lenet5().double(), examples(1)
    x = data.x.double()
    z = model[:2](x).detach().requires_grad_()
    (delta,) = torch.autograd.grad((model[2:](z) - data.y).square().sum(), z)
    pixels = torch.nn.functional.pad(x.view(28, 28), (2, 2, 2, 2))
    slopes = [[(delta[0] * pixels[u : u + 28, v : v + 28]).sum((1, 2)) for v in range(5)] for u in range(5)]
    expected = torch.stack([torch.stack(row, -1) for row in slopes], 1)
    assert_close(-wishes(model, data.x[0], data.y[0]).wishes, expected)


def test_the_image_is_the_one_whose_outputs_have_the_strongest_wishes():
    data, a = examples(4), torch.full((4, 10), 0.01)
    a[2] = 0.5
    assert strongest(data, a) == 2
    a[2] = 1 - data.y[2]  # quite wrong, but its sigmoids are flat
    assert strongest(data, a) != 2
    assert strongest(data, a, "cross-entropy") == 2  # softmax has no flat places to be wrong in


@pytest.mark.few(1)
@pytest.mark.parametrize("those", ["test images", "held-out images"])
@pytest.mark.parametrize("n", [1, 10_000])
def test_it_fits_a_page_and_can_be_read(n, those, tmp_path):
    figure = plot_kernels(
        make_lenet5(), examples(n), torch.rand(n, 10), "lenet5 on fashion-mnist", those, tmp_path / "kernels.png"
    )
    assert (tmp_path / "kernels.png").read_bytes().startswith(b"\x89PNG")
    assert figure.get_figwidth() <= WIDTH
    assert unreadable(figure) == []
    shown = texts(figure)
    assert {
        "the kernel",
        "its map",
        "the wish",
        "weight w",
        "activation a",
        "nudge −∂C₀/∂w",
        *map("kernel {}".format, range(6)),
    } <= {*shown}
    assert any(f"of the {n:,} {those}, counted from 0, is a " in " ".join(text.split()) for text in shown)
    assert "Blue: up.\nOrange: down." in "\n".join(shown)


def test_a_network_that_has_no_wishes_can_be_drawn():
    model = make_lenet5()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    figure = plot_kernels(model, examples(2), torch.full((2, 10), 0.5), "lenet5 on mnist", "test images")
    assert unreadable(figure) == []

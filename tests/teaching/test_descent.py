"""Two ways down the cost, and the map of it."""

import pytest
import torch
from torch.testing import assert_close

from manualgrad import sgd_step
from manualgrad.teaching.descent import descend, plane


def cost(model, x, y):
    return (model(x) - y).square().sum(-1).mean().item()


def batch(n=20):
    return torch.rand(n, 9).double(), torch.eye(3).double()[torch.randint(3, (n,))]


def test_descent_on_all_examples_is_repeated_sgd_steps(model):
    x, y = batch()
    path = descend(model, x, y, steps=5, batch_size=20, lr=0.5, record=2)
    assert path.examples == [0, 40, 80, 100]
    assert path.points.shape == (4, sum(p.numel() for p in model.parameters()))
    assert path.costs[0] == pytest.approx(cost(model, x, y))
    for _ in range(5):
        sgd_step(model, x, y, 0.5)
    assert path.costs[-1] == pytest.approx(cost(model, x, y))
    assert_close(path.points[-1], torch.nn.utils.parameters_to_vector(model.parameters()).detach())


def test_mini_batches_see_fewer_examples_and_reach_a_lower_cost_too(model):
    x, y = batch()
    path = descend(model, x, y, steps=200, batch_size=4, lr=0.5, record=10)
    assert path.examples[-1] == 800
    assert path.costs[-1] < path.costs[0]
    assert path.seconds == sorted(path.seconds)


def test_the_plane_is_the_paths_own_where_they_lie_in_one(model):
    """Three points lie in a plane: there the map's cost is the paths' cost."""
    x, y = batch()
    paths = [descend(model, x, y, steps=1, batch_size=size, lr=5.0, record=1) for size in (4, 20)]
    found = plane(model, paths, x, y, grid=5)
    assert found.share == pytest.approx(1)
    assert found.costs.shape == (5, 5)
    start, end = paths[0].points
    assert_close((found.paths[0][1] - found.paths[0][0]).norm(), (end - start).norm())
    assert found.across[0] < found.paths[0][:, 0].min()
    assert found.up[-1] > found.paths[1][:, 1].max()


def test_the_map_has_the_cost_of_the_places_on_it(model):
    x, y = batch()
    path = descend(model, x, y, steps=1, batch_size=20, lr=5.0, record=1)
    found = plane(model, [path], x, y, grid=61)
    u, v = found.paths[0][1].tolist()
    nearest = found.costs[(found.up - v).abs().argmin(), (found.across - u).abs().argmin()]
    assert nearest.item() == pytest.approx(path.costs[1], rel=1e-2)

"""Two ways down the cost, and the map of it."""

import math

import pytest
import torch
from torch.nn.utils import parameters_to_vector
from torch.testing import assert_close

from manualgrad import sgd_step
from manualgrad.teaching.descent import RATES, average_cost, boldest, descend, lowest, plane


def batch(n=20):
    return torch.rand(n, 9).double(), torch.eye(3).double()[torch.randint(3, (n,))]


def test_the_cost_is_the_average_over_the_examples(model):
    x, y = batch()
    assert average_cost(model, x, y) == pytest.approx((model(x) - y).square().sum(-1).mean().item())


def test_descent_on_all_examples_is_repeated_sgd_steps(model):
    x, y = batch()
    path = descend(model, x, y, steps=5, batch_size=20, lr=0.5, record=2)
    assert path.examples == [0, 20, 40, 80, 100]
    assert path.points.shape == (5, sum(p.numel() for p in model.parameters()))
    assert path.costs[0] == pytest.approx(average_cost(model, x, y))
    for _ in range(5):
        sgd_step(model, x, y, 0.5)
    assert path.costs[-1] == pytest.approx(average_cost(model, x, y))
    assert_close(path.points[-1], parameters_to_vector(model.parameters()).detach())


def test_mini_batches_see_fewer_examples_and_reach_a_lower_cost_too(model):
    x, y = batch()
    path = descend(model, x, y, steps=200, batch_size=4, lr=0.5, record=10)
    assert path.examples[-1] == 800
    assert path.costs[-1] < path.costs[0]
    assert path.seconds == sorted(path.seconds)


def test_a_seed_takes_the_same_mini_batches_whatever_else_is_random(model):
    x, y = batch()
    first, again, other = (descend(model, x, y, steps=20, batch_size=4, lr=0.5, record=20, seed=seed) for seed in (1, 1, 2))
    assert first.costs == again.costs
    assert first.costs != other.costs


def test_the_lowest_rate_is_that_of_the_least_cost_at_the_end():
    assert lowest({3.0: 1.0, 1.0: 0.2, 0.3: 0.4}) == 1.0
    assert lowest({3.0: math.nan, 1.0: math.inf, 0.3: 0.4}) == 0.3


def test_the_boldest_rate_is_the_highest_that_is_nearly_as_good_as_the_best():
    assert boldest({3.0: 1.0, 1.0: 0.21, 0.3: 0.205, 0.1: 0.2}) == 1.0
    assert boldest({3.0: math.nan, 1.0: 0.3, 0.3: 0.2}) == 0.3
    assert boldest({3.0: math.nan, 1.0: math.inf}) == 1.0


def test_both_ways_lead_down_from_a_trained_network_too_at_the_rate_that_is_found(model):
    """Where a mini-batch's gradient is mostly its own, high rates climb."""
    x, y = batch(200)
    for _ in range(2000):
        sgd_step(model, x, y, 1.0)
    ends = {lr: descend(model, x, y, steps=100, batch_size=4, lr=lr, record=100).costs[-1] for lr in RATES}
    assert ends[3.0] > average_cost(model, x, y)
    for size in (4, 200):
        path = descend(model, x, y, steps=100, batch_size=size, lr=lowest(ends), record=100)
        assert path.costs[-1] < path.costs[0]


def two_ways(model, x, y, **options):
    return [descend(model, x, y, batch_size=size, lr=0.5, **options) for size in (4, 20)]


def test_the_plane_goes_through_the_start_and_both_ends(model):
    """Distances within it are those between the parameters; and nothing is lost of the two ends."""
    x, y = batch()
    paths = two_ways(model, x, y, steps=30, record=5)
    found = plane(model, paths, x, y, grid=5)
    start = paths[0].points[0]
    (quick, careful), (one, other) = (path.points[-1] for path in paths), (path[-1] for path in found.paths)
    for path in found.paths:
        assert_close(path[0], torch.zeros(2).double())
    assert_close(one.norm(), (quick - start).norm())
    assert_close(other.norm(), (careful - start).norm())
    assert_close((one - other).norm(), (quick - careful).norm())
    assert other[0] > 0
    assert abs(other[1]) < 1e-9
    assert one[1] > 0


def test_the_map_reaches_beyond_the_paths(model):
    x, y = batch()
    found = plane(model, two_ways(model, x, y, steps=30, record=5), x, y, grid=5)
    assert found.costs.shape == (5, 5)
    for path in found.paths:
        for coordinates, axis in ((path[:, 0], found.across), (path[:, 1], found.up)):
            assert axis[0] < coordinates.min()
            assert axis[-1] > coordinates.max()


def test_the_map_has_the_cost_of_the_places_on_it(model):
    x, y = batch()
    paths = two_ways(model, x, y, steps=30, record=5)
    found = plane(model, paths, x, y, grid=61)
    for path, places in zip(paths, found.paths, strict=True):
        for place in (0, -1):
            u, v = places[place].tolist()
            nearest = found.costs[(found.up - v).abs().argmin(), (found.across - u).abs().argmin()]
            assert nearest.item() == pytest.approx(path.costs[place], rel=5e-2)


def test_the_plane_of_paths_that_do_not_move_is_one(model):
    x, y = batch()
    paths = [descend(model, x, y, steps=2, batch_size=size, lr=1e-300, record=1) for size in (4, 20)]
    found = plane(model, paths, x, y, grid=3)
    assert found.costs.isfinite().all()

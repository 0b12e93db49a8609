"""The learning rate of a training that is given none."""

import pytest

from manualgrad.training.rates import default_rate


def rate(*hidden, activation="sigmoid", batch_size=100, optimizer="sgd", cost="quadratic"):
    return default_rate(hidden, activation, batch_size, optimizer, cost=cost)[0]


def test_the_notes_settings_have_the_notes_rate():
    assert rate(16, 16) == 5


def test_it_grows_with_the_mini_batch_as_far_as_the_width_allows():
    assert [rate(16, batch_size=n) for n in (10, 50, 100, 300, 1000)] == pytest.approx([0.5, 2.5, 5, 5, 5])
    assert [rate(100, batch_size=n) for n in (10, 100, 1000)] == pytest.approx([0.5, 0.8, 0.8])


def test_it_falls_with_the_widest_layer_of_sigmoids():
    assert [rate(n) for n in (4, 16, 100, 500)] == pytest.approx([5, 5, 0.8, 0.16])
    assert rate(500, 16) == rate(16, 500) == rate(500)


def test_relu_layers_have_a_tenth_of_it_whatever_their_width():
    assert {rate(n, activation="relu") for n in (16, 500)} == {0.5}
    assert rate(16, activation="relu", batch_size=10) == pytest.approx(0.1)


def test_without_hidden_layers_the_activation_does_not_matter():
    assert rate() == rate(activation="relu") == 0.5


def test_momentum_has_a_tenth_as_it_adds_up_ten_steps_and_less_where_the_width_is_the_limit():
    assert rate(16, batch_size=10, optimizer="momentum") == pytest.approx(rate(16, batch_size=10) / 10)
    assert rate(100, optimizer="momentum") == pytest.approx(rate(100) / 40)


def test_adamws_depends_on_the_width_alone():
    assert rate(16, optimizer="adamw") == rate(16, optimizer="adamw", batch_size=1000, activation="relu") == 0.003
    assert rate(500, optimizer="adamw") == 0.001


def test_adams_is_adamws():
    for hidden in ((), (16,), (500, 300)):
        assert rate(*hidden, optimizer="adam") == rate(*hidden, optimizer="adamw")


def test_under_the_cross_entropy_it_grows_with_the_mini_batch_up_to_a_limit_whatever_the_width():
    limits = {"sigmoid": 1, "tanh": 0.3, "relu": 0.3}
    for activation, limit in limits.items():
        how = {"activation": activation, "cost": "cross-entropy"}
        assert rate(16, batch_size=1000, **how) == rate(500, batch_size=1000, **how) == limit
        assert rate(16, batch_size=1, **how) == pytest.approx(rate(16, batch_size=10, **how) / 10)
        assert rate(16, batch_size=10, optimizer="momentum", **how) == pytest.approx(rate(16, batch_size=10, **how) / 10)
        assert rate(16, batch_size=1000, optimizer="momentum", **how) == pytest.approx(limit / 4)


@pytest.mark.parametrize(
    ("hidden", "optimizer", "words"),
    [
        ([100, 30], "sgd", "sigmoid layers of up to 100 neurons and mini-batches of 20"),
        ([], "sgd", "a network without hidden layers and mini-batches of 20"),
        ([16], "momentum", "sigmoid layers of up to 16 neurons, mini-batches of 20 and momentum"),
        ([16], "adamw", "sigmoid layers of up to 16 neurons and AdamW"),
    ],
)
def test_it_says_what_it_is_chosen_for(hidden, optimizer, words):
    assert default_rate(hidden, "sigmoid", 20, optimizer)[1] == words


def test_it_says_that_it_is_chosen_for_the_cross_entropy():
    words = default_rate([100], "tanh", 20, "momentum", cost="cross-entropy")[1]
    assert words == "tanh layers of up to 100 neurons, the cross entropy, mini-batches of 20 and momentum"
    words = default_rate(None, None, 20, "adam", "lenet5", "cross-entropy")[1]
    assert words == "lenet5, the cross entropy and Adam"

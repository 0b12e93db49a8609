"""The training loop: what it computes, what it reports, and that no step waits for the device."""

import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from manualgrad import nn
from manualgrad.data import Examples
from manualgrad.training import accuracy, make_network, train


def examples(n, pixels=6, classes=3):
    x, labels = torch.rand(n, pixels), torch.arange(n) % classes
    x[torch.arange(n), labels] += 1
    return Examples(x, torch.nn.functional.one_hot(labels, classes).float(), labels)


def test_the_network_of_the_notes_has_13002_parameters():
    model = make_network([784, 16, 16, 10])
    assert sum(p.numel() for p in model.parameters()) == 13_002
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]


def test_the_layers_are_the_hand_written_ones():
    assert [type(layer) for layer in make_network([4, 3, 2], "relu")] == [nn.Linear, nn.ReLU, nn.Linear, nn.Sigmoid]


def test_a_network_without_hidden_layers_is_one_linear_layer_and_a_sigmoid():
    assert [type(layer) for layer in make_network([4, 2], "relu")] == [nn.Linear, nn.Sigmoid]


@pytest.mark.parametrize("engine", ["autograd", "backprop"])
@pytest.mark.parametrize(("n", "batch_size"), [(30, 10), (31, 10), (5, 10)])
def test_it_is_stochastic_gradient_descent_on_the_quadratic_cost(n, batch_size, engine):
    """The same steps, written out with torch.nn and the learning rate of half a cosine wave."""
    training = examples(n)
    model = make_network([6, 4, 3])
    expected = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Sigmoid(), torch.nn.Linear(4, 3), torch.nn.Sigmoid())
    expected.load_state_dict(model.state_dict())

    torch.manual_seed(5)
    results = list(train(model, training, training, epochs=2, batch_size=batch_size, lr=2.0, engine=engine))

    torch.manual_seed(5)
    for epoch, lr in ((0, 2.0), (1, 1.0)):
        costs = []
        for batch in torch.randperm(n).split(batch_size):
            C = ((expected(training.x[batch]) - training.y[batch]) ** 2).sum() / len(batch)
            gradients = torch.autograd.grad(C, list(expected.parameters()))
            with torch.no_grad():
                for parameter, gradient in zip(expected.parameters(), gradients, strict=True):
                    parameter -= lr * gradient
            costs += [C.item()] * len(batch)
        assert results[epoch].lr == pytest.approx(lr)
        assert results[epoch].cost == pytest.approx(sum(costs) / n, rel=1e-5)
    for ours, theirs in zip(model.parameters(), expected.parameters(), strict=True):
        assert_close(ours, theirs)


def test_it_learns():
    torch.manual_seed(1)
    training, test = examples(300), examples(60)
    model = make_network([6, 8, 3])
    results = list(train(model, training, test, epochs=30, batch_size=10, lr=1.0))
    assert [result.epoch for result in results] == list(range(1, 31))
    assert results[-1].cost < results[0].cost / 2
    assert results[-1].accuracy > 0.95


def test_after_step_counts_the_steps():
    steps = []
    list(train(make_network([6, 3]), examples(25), examples(3), epochs=2, batch_size=10, lr=1.0, after_step=steps.append))
    assert steps == [1, 2, 3, 4, 5, 6]


def test_accuracy_is_the_share_of_right_answers_whatever_the_batch_size():
    data = examples(10)
    right = torch.nn.Linear(6, 3, bias=False)
    with torch.no_grad():
        right.weight.copy_(torch.eye(3, 6))
    assert accuracy(right, data) == 1
    wrong = Examples(data.x, data.y, torch.cat([data.labels[:7], (data.labels[7:] + 1) % 3]))
    assert accuracy(right, wrong) == accuracy(right, wrong, batch_size=3) == 0.7


class Operators(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        self.names.append(str(op))
        return op(*args, **(kwargs or {}))


@pytest.mark.parametrize("engine", ["autograd", "backprop"])
def test_no_step_reads_a_number_back_from_the_device(engine):
    """A sync would show as _local_scalar_dense; the two at the end of the epoch are the cost and the accuracy."""
    counts, training, test = [], examples(50), examples(5)

    def note(step):
        counts.append(sum("_local_scalar_dense" in name for name in operators.names))

    with Operators() as operators:
        list(train(make_network([6, 4, 3]), training, test, epochs=1, batch_size=10, lr=1.0, engine=engine, after_step=note))
    assert counts == [0] * 5
    assert sum("_local_scalar_dense" in name for name in operators.names) == 2
    assert any("addmm" in name for name in operators.names)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("engine", ["autograd", "backprop"])
def test_no_step_waits_for_the_gpu(engine):
    def on_gpu(data):
        return data.to(torch.device("cuda"))

    training, test, model = on_gpu(examples(50)), on_gpu(examples(5)), make_network([6, 4, 3]).cuda()
    list(train(model, training, test, epochs=1, batch_size=10, lr=1.0, engine=engine))  # warm
    steps = []
    epochs = train(model, training, test, epochs=1, batch_size=10, lr=1.0, engine=engine, after_step=steps.append)
    torch.cuda.set_sync_debug_mode("error")
    try:
        with pytest.raises(RuntimeError, match="synchroniz"):  # where the epoch ends, at .item(), and not before
            next(epochs)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert steps == [1, 2, 3, 4, 5]

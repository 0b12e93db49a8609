"""The training loop: what it computes, what it reports, and that no step waits for the device."""

import io

import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from trainings import HOW, examples, outcome, under_way

import manualgrad
from manualgrad import nn
from manualgrad.training import loop
from manualgrad.training.data import Examples
from manualgrad.training.loop import Training, accuracy, make_network
from manualgrad.training.steps import AutogradStep, BackpropStep


def generator(seed=5):
    return torch.Generator().manual_seed(seed)


STEPS = {"autograd": AutogradStep, "backprop": BackpropStep}


def test_the_network_of_the_notes_has_13002_parameters():
    model = make_network([784, 16, 16, 10])
    assert sum(p.numel() for p in model.parameters()) == 13_002
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"]


def test_the_layers_are_the_hand_written_ones():
    assert [type(layer) for layer in make_network([4, 3, 2], "relu")] == [nn.Linear, nn.ReLU, nn.Linear, nn.Sigmoid]


def test_a_network_without_hidden_layers_is_one_linear_layer_and_a_sigmoid():
    assert [type(layer) for layer in make_network([4, 2], "relu")] == [nn.Linear, nn.Sigmoid]


def spread(network):
    """How far apart random images are in the last hidden layer, beside how far apart they are at first."""
    x = torch.rand(500, 784)
    return network[:-2](x).std(0).mean() / network[:2](x).std(0).mean()


def test_what_tells_images_apart_gets_through_many_layers_of_sigmoids():
    torch.manual_seed(0)
    sizes = [784, *[16] * 6, 10]
    assert spread(make_network(sizes)) > 0.3
    assert spread(torch.nn.Sequential(*manualgrad.MLP(sizes))) < 1e-3, "as nn.Linear's own weights would have it"


@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
def test_both_kinds_of_layers_have_the_same_initial_parameters_from_a_seed(activation):
    networks = []
    for layers in ("manualgrad", "torch"):
        torch.manual_seed(3)
        networks.append(make_network([784, 20, 30, 10], activation, layers).state_dict())
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


@pytest.mark.parametrize("engine", STEPS)
@pytest.mark.parametrize(("n", "batch_size"), [(30, 10), (31, 10), (5, 10)])
def test_it_is_stochastic_gradient_descent_on_the_quadratic_cost(n, batch_size, engine):
    """The same steps, written out with torch.nn and the learning rate of half a cosine wave."""
    training = examples(n)
    model = make_network([6, 4, 3])
    expected = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.Sigmoid(), torch.nn.Linear(4, 3), torch.nn.Sigmoid())
    expected.load_state_dict(model.state_dict())

    how = {"epochs": 2, "batch_size": batch_size, "lr": 2.0, "take_step": STEPS[engine](model)}
    results = list(Training(model, training, training, generator=generator(), **how).run())

    shuffling = generator()
    for epoch, lr in ((0, 2.0), (1, 1.0)):
        costs = []
        for batch in torch.randperm(n, generator=shuffling).split(batch_size):
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
    results = list(Training(model, training, test, epochs=30, batch_size=10, lr=1.0, generator=generator()).run())
    assert [result.epoch for result in results] == list(range(1, 31))
    assert results[-1].cost < results[0].cost / 2
    assert results[-1].accuracy > 0.95


def test_after_step_finds_the_epoch_and_its_steps_counted():
    seen = []
    training = Training(make_network([6, 3]), examples(25), examples(3), epochs=2, batch_size=10, lr=1.0, generator=generator())
    list(training.run(lambda: seen.append((training.epoch, training.step))))
    assert seen == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]
    assert (training.epoch, training.step) == (3, 0)


def test_accuracy_is_the_share_of_right_answers_however_many_are_looked_at_at_once(monkeypatch):
    data = examples(10)
    right = torch.nn.Linear(6, 3, bias=False)
    with torch.no_grad():
        right.weight.copy_(torch.eye(3, 6))
    assert accuracy(right, data) == 1
    wrong = Examples(data.x, data.y, torch.cat([data.labels[:7], (data.labels[7:] + 1) % 3]))
    assert accuracy(right, wrong) == pytest.approx(0.7)
    monkeypatch.setattr(loop, "_EVALUATED", 3)
    assert accuracy(right, wrong) == pytest.approx(0.7)


class Operators(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        self.names.append(str(op))
        return op(*args, **(kwargs or {}))


@pytest.mark.parametrize("engine", STEPS)
def test_no_step_reads_a_number_back_from_the_device(engine):
    """A sync would show as _local_scalar_dense: those at the end of the epoch are the costs and the accuracies."""
    counts, model = [], make_network([6, 4, 3])
    how = {"epochs": 1, "batch_size": 10, "lr": 1.0, "take_step": STEPS[engine](model)}
    training = Training(model, examples(50), examples(5), generator=generator(), **how)

    def note():
        counts.append(sum("_local_scalar_dense" in name for name in operators.names))

    with Operators() as operators:
        list(training.run(note))
    assert counts == [0] * 5
    assert sum("_local_scalar_dense" in name for name in operators.names) == 5
    assert any("addmm" in name for name in operators.names)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("graphed", [False, True])
@pytest.mark.parametrize("distort", [0.0, 1.0])
@pytest.mark.parametrize("engine", STEPS)
def test_no_step_waits_for_the_gpu(engine, distort, graphed):
    def on_gpu(data):
        return data.to(torch.device("cuda"))

    training, test = on_gpu(examples(50, pixels=9)), on_gpu(examples(5, pixels=9))
    model = make_network([9, 4, 3]).cuda()
    how = {"batch_size": 10, "lr": 1.0, "take_step": STEPS[engine](model), "generator": torch.Generator("cuda")}
    how |= {"schedule": "constant", "graphed": graphed}  # as to record a graph anew is to wait
    job, steps = Training(model, training, test, epochs=2, distort=distort, **how), []
    epochs = job.run(lambda: steps.append(job.step))
    next(epochs)  # warm
    steps.clear()
    torch.cuda.set_sync_debug_mode("error")
    try:
        with pytest.raises(RuntimeError, match="synchroniz"):  # where the epoch ends, at .item(), and not before
            next(epochs)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert steps == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("distort", [0.0, 1.0])
@pytest.mark.parametrize("how", [*HOW.values(), None], ids=[*HOW, "backprop"])
def test_a_training_gone_on_with_after_any_step_ends_bit_for_bit_the_same(how, distort, device):
    whole, saved = under_way(how, distort, device), []
    if how == HOW["fp16"]:
        whole.take_step.scaler.set_growth_interval(2)  # so that the scale changes

    def save():
        file = io.BytesIO()
        torch.save(whole.state_dict(), file)
        saved.append((len(whole.results), whole.step, file))

    save()
    for _ in whole.run(after_step=save):
        save()
    assert len(saved) == 1 + 3 * (4 + 1)
    for epochs, step, file in saved:
        file.seek(0)
        torch.rand(3)  # the default generator has no part in it
        rest = under_way(how, distort, device)
        rest.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        assert (len(rest.results), rest.step) == (epochs, step)
        assert len(list(rest.run())) == 3 - epochs
        (results, parameters), (expected_results, expected) = outcome(rest), outcome(whole)
        assert results == expected_results
        assert all(map(torch.equal, parameters, expected))
        assert rest.take_step.state_dict().get("scaler") == whole.take_step.state_dict().get("scaler")


def test_the_images_of_an_epoch_are_distorted_and_those_of_the_test_are_not():
    seen = []
    training = under_way({}, distort=1.0)
    training.model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    next(training.run())
    *batches, test, trained_on = seen
    assert torch.equal(test, training.test.x)
    assert torch.equal(trained_on, training.training.x[:7])
    originals = {tuple(x.tolist()) for x in training.training.x}
    assert not any(tuple(x.tolist()) in originals for batch in batches for x in batch)

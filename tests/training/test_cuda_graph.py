"""A step as a CUDA graph: when it is recorded, and on a GPU that it ends in the same bits."""

import contextlib

import pytest
import torch
from trainings import HOW, outcome, under_way

from manualgrad.training.cuda_graph import GraphedStep
from manualgrad.training.steps import AutogradStep

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


class Gpu:
    """What GraphedStep takes of torch.cuda: a graph that, when it is launched, calls the step which was recorded."""

    def __init__(self, refuses=False):
        self.refuses = refuses
        self.log, self.recording, self.current, self.devices = [], None, "default", []

    def step(self, rows, rate):
        if self.recording:
            if self.refuses:
                raise RuntimeError("operation not permitted when stream is capturing\nCUDA kernel errors might be ...")
            self.recording.launch = lambda: self.log.append(("launched", rows.tolist(), rate))
        else:
            self.log.append(("taken", rows.tolist(), rate))
        return torch.tensor(float(rows.sum()))

    def Stream(self, device):
        self.devices.append(device)
        return self

    def wait_stream(self, stream):
        pass

    def current_stream(self, device):
        self.devices.append(device)
        return self

    def set_stream(self, stream):
        self.current = "default"

    def stream(self, stream):
        return contextlib.nullcontext()

    def device(self, device):
        self.devices.append(device)
        return contextlib.nullcontext()

    def CUDAGraph(self):
        self.replay, self.register_generator_state = lambda: self.launch(), lambda generator: None
        return self

    @contextlib.contextmanager
    def graph(self, graph, stream):
        self.recording, self.current = self, "recording"  # which stays so where the step raises, as torch.cuda.graph's does
        try:
            yield
        finally:
            self.recording = None
        self.current = "default"


class Random:
    """A generator whose old state cannot be used any more once a recording has failed."""

    def __init__(self):
        self.state = "being recorded"

    def clone_state(self):
        return "as it was"

    def graphsafe_set_state(self, state):
        self.state = state


def graphed(monkeypatch, gpu, warn=pytest.fail, random=None):
    for name in ("Stream", "device", "current_stream", "set_stream", "stream", "CUDAGraph", "graph"):
        monkeypatch.setattr(torch.cuda, name, getattr(gpu, name))
    return GraphedStep(gpu.step, 2, random or Random(), warn)


def rows(k, n=2):
    return torch.arange(k, k + n)


def test_three_steps_are_taken_and_then_one_is_recorded_that_is_launched_with_the_rows_of_each(monkeypatch):
    gpu = Gpu()
    step = graphed(monkeypatch, gpu)
    for k in range(6):
        step(rows(k), 0.5)
    assert gpu.log == [*(("taken", [k, k + 1], 0.5) for k in range(3)), *(("launched", [k, k + 1], 0.5) for k in range(3, 6))]
    assert set(gpu.devices) == {rows(0).device}, "which need not be the current one"


def test_another_rate_is_another_recording(monkeypatch):
    gpu = Gpu()
    step = graphed(monkeypatch, gpu)
    for k, rate in enumerate([1.0, 1.0, 1.0, 1.0, 0.5, 0.5]):
        step(rows(k), rate)
    assert gpu.log[3:] == [("launched", [3, 4], 1.0), ("launched", [4, 5], 0.5), ("launched", [5, 6], 0.5)]


def test_a_smaller_mini_batch_is_taken_and_never_recorded(monkeypatch):
    gpu = Gpu()
    step = graphed(monkeypatch, gpu)
    for k, n in enumerate([2, 2, 2, 1, 2, 1, 2]):
        step(rows(k, n), 1.0)
    assert [what for what, *_ in gpu.log] == ["taken"] * 4 + ["launched", "taken", "launched"]
    assert gpu.log[5] == ("taken", [5], 1.0)


def test_where_it_cannot_be_recorded_that_is_said_once_and_the_training_goes_on(monkeypatch):
    gpu, said, random = Gpu(refuses=True), [], Random()
    step = graphed(monkeypatch, gpu, said.append, random)
    costs = [step(rows(k), rate).item() for k, rate in enumerate([1.0, 1.0, 1.0, 1.0, 0.5])]
    assert [what for what, *_ in gpu.log] == ["taken"] * 5
    assert costs == [1, 3, 5, 7, 9]
    assert said == [
        "the training step cannot be captured as a CUDA graph (operation not permitted when stream is capturing); "
        "it runs kernel by kernel instead"
    ]
    assert gpu.current == "default"
    assert random.state == "as it was"


def test_where_another_rate_cannot_be_recorded_no_older_graph_is_launched(monkeypatch):
    gpu = Gpu()
    step = graphed(monkeypatch, gpu, warn=lambda sentence: None)
    for k in range(4):
        step(rows(k), 1.0)
    gpu.refuses = True
    step(rows(4), 0.5)
    step(rows(5), 1.0)
    assert gpu.log[3:] == [("launched", [3, 4], 1.0), ("taken", [4, 5], 0.5), ("taken", [5, 6], 1.0)]


def test_on_the_cpu_no_step_is_a_graph(monkeypatch):
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: pytest.fail("a graph"))
    list(under_way({}).run())


@needs_gpu
@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("distort", [0.0, 1.0])
@pytest.mark.parametrize("how", [*HOW.values(), {"amp": "bf16"}, None], ids=[*HOW, "bf16", "backprop"])
def test_a_training_whose_steps_are_graphs_ends_bit_for_bit_as_without(how, distort, compiled):
    found = []
    for as_graphs in (False, True):
        torch.compiler.reset()  # else the second one is compiled for mini-batches of any size from the start
        training = under_way(how, distort, "cuda", graphed=as_graphs, warn=pytest.fail)
        if compiled:
            training.model.compile()
        list(training.run())
        assert training.graphed == as_graphs
        assert not as_graphs or training._current_step.rate == training.results[-1].lr
        found.append(outcome(training))
    (results, parameters), (expected_results, expected) = found
    assert results == expected_results
    assert all(map(torch.equal, parameters, expected))


class Waiting(AutogradStep):
    """A step that waits for the GPU, which no graph can hold."""

    def __call__(self, *of):
        cost = super().__call__(*of)
        cost.item()
        return cost


@needs_gpu
@pytest.mark.parametrize("distort", [0.0, 1.0])
def test_a_training_whose_step_cannot_be_recorded_ends_bit_for_bit_the_same(distort):
    found, said = [], []
    for as_graphs in (False, True):
        training = under_way({}, distort, "cuda", graphed=as_graphs, warn=said.append)
        training.take_step = Waiting(training.model)
        list(training.run())
        found.append(outcome(training))
    assert len(said) == 1
    (results, parameters), (expected_results, expected) = found
    assert results == expected_results
    assert all(map(torch.equal, parameters, expected))

import gc
import importlib.util
import os
import sys
from functools import partialmethod

import pytest
import torch
from browsers import chromium
from datasets import write_dataset
from paths import TRAIN
from slowest import Slowest
from torch.testing._internal import common_utils
from torch.testing._internal.opinfo import core

if "PYTEST_XDIST_WORKER" in os.environ:  # there is one of them for each core
    os.environ["OMP_NUM_THREADS"] = "1"  # for what the tests start
    torch.set_num_threads(1)

# torch.manual_seed queues a seed for each kind of device that is not there, with a traceback: this takes longer than a short
# test, and thousands of them slow down the garbage collector.
for backend in (torch.cuda, torch.xpu, torch.mtia):
    if not backend.is_available():
        backend.manual_seed_all = lambda seed: None

# PyTorch looks for its own unittest in the call stack, to seed its samples with that test's name: for each sample, through all
# modules, which takes longer than most tests here.
common_utils.extract_test_fn = core.extract_test_fn = lambda: None

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A process that has no test left takes some of another's: else the last one works alone for minutes."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


def pytest_addoption(parser):
    parser.addoption("--seed", type=int, default=0, help="the seed of what the tests draw (default 0)")
    parser.addini("slowest_tests_budget", "seconds that the slowest 20 tests of the default run may take together")


def pytest_configure(config):
    """PyTorch draws its samples from a seed of its own; from another seed of ours they are others."""
    if config.getoption("seed"):
        core.OpInfo.sample_inputs = partialmethod(core.OpInfo.sample_inputs, set_seed=False)
    if is_the_default_run(config) and "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(Budget(config))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark all but `few(n)` of a test's ids as exhaustive: n of them, evenly spread, stay in the default run."""
    tests = {}
    for item in items:
        marker = item.get_closest_marker("few")
        if marker and not item.get_closest_marker("exhaustive"):
            tests.setdefault((item.path, item.originalname), (marker.args[0], []))[1].append(item)
    for count, ids in tests.values():
        kept = {round(i * (len(ids) - 1) / max(count - 1, 1)) for i in range(count)}
        for i, item in enumerate(ids):
            if i not in kept:
                item.add_marker("exhaustive")


def pytest_collection_finish(session):
    """Thousands of collected tests stay in memory to the end: the garbage collector need not look at them again and again."""
    gc.collect()
    gc.freeze()


def is_the_default_run(config):
    return config.args_source is config.ArgsSource.TESTPATHS and not config.option.keyword and "not" in config.option.markexpr


class Budget:
    """Fails the default run if its slowest tests exceed their budget."""

    def __init__(self, config):
        self.slowest = Slowest(float(config.getini("slowest_tests_budget")))

    def pytest_runtest_logreport(self, report):
        self.slowest.add(report.nodeid, report.duration)

    def pytest_sessionfinish(self, session):
        if self.slowest.report() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        for line in self.slowest.report() or ():
            terminalreporter.write_line(line, red=True)


def pytest_pycollect_makemodule(parent):
    """What a test file draws as it is imported is the same, whatever files are run before it."""
    torch.manual_seed(parent.config.getoption("seed"))


@pytest.fixture(autouse=True)
def _seed(request):
    torch.manual_seed(request.config.getoption("seed"))


@pytest.fixture(scope="session", autouse=True)
def _kernels(tmp_path_factory):
    """A folder for the kernels that this run compiles."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANUALGRAD_CACHE", str(tmp_path_factory.mktemp("kernels")))
        yield


@pytest.fixture(params=DEVICES)
def device(request):
    # Two runs of one convolution are compared; cuDNN by itself adds in any order, and in TF32.
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        yield torch.device(request.param)


@pytest.fixture(scope="session")
def browser():
    """One for all tests of pages in a process: Playwright starts once in it."""
    yield from chromium()


@pytest.fixture
def train_py(monkeypatch, capsys, tmp_path):
    """train.py in this process: the exit code, and what it wrote to stdout and stderr."""
    spec = importlib.util.spec_from_file_location("train", TRAIN)
    train = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(train)
    monkeypatch.setattr(train, "draw", lambda *run: None)  # the pictures take longer than all else
    monkeypatch.setattr(train.Watch, "trouble", lambda *_: "")  # ten steps teach a network nothing
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()

    def run(*options):
        monkeypatch.setattr(sys, "argv", ["train.py", *map(str, options)])
        try:
            code = train.main()
        except SystemExit as stop:
            code = stop.code
        finally:
            torch.set_num_threads(threads)
        return code, *capsys.readouterr()

    run.train = train
    return run


@pytest.fixture
def small(tmp_path):
    """Options for a training of 10 steps."""
    write_dataset(tmp_path / "data")
    return "--dataset", "fashion-mnist", "--data-dir", tmp_path / "data", "--epochs", 2, "--batch-size", 10

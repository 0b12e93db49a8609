"""The layers beside torch.nn's, and what a model file sees of the module; test_models.py runs them in every mode."""

import ast
import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import manualgrad.nn.functional as MF
from manualgrad import nn
from manualgrad.functions.convolution.convolution import ConvolutionFunction


def build(module):
    torch.manual_seed(3)
    layers = [module.Linear(7, 5), module.Sigmoid(), module.Linear(5, 4, bias=False), module.ReLU(), module.Linear(4, 3)]
    return module.Sequential(*layers)


def test_the_same_seed_gives_bit_identical_parameters():
    for ours, theirs in zip(build(nn).parameters(), build(torch.nn).parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_state_dicts_go_both_ways():
    ours, theirs = build(nn), build(torch.nn)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())


def test_a_printed_model_shows_which_layers_are_hand_written():
    class Mine(nn.Linear):
        pass

    model = torch.nn.Sequential(nn.Linear(3, 2), torch.nn.Linear(2, 2), Mine(2, 1))
    assert repr(model).splitlines()[1:-1] == [
        "  (0): manualgrad.nn.Linear(in_features=3, out_features=2, bias=True)",
        "  (1): Linear(in_features=2, out_features=2, bias=True)",
        "  (2): Mine(in_features=2, out_features=1, bias=True)",
    ]
    assert repr(build(nn)).replace("manualgrad.nn.", "") == repr(build(torch.nn))


def test_the_meta_device_gives_shapes_and_no_numbers():
    model = build(nn).to("meta")
    cost = nn.MSELoss(reduction="batchmean")(model(torch.rand(6, 7, device="meta")), torch.rand(6, 3, device="meta"))
    cost.backward()
    assert all(p.grad.device.type == "meta" and p.grad.shape == p.shape for p in model.parameters())


def test_under_a_default_device_the_gradients_stay_hand_written():
    with torch.device("cpu"):
        assert build(nn)(torch.rand(2, 7)).grad_fn.name() == "LinearFunctionBackward"


def test_a_tensor_subclass_is_handed_torchs_own_functions():
    seen = []

    class Logged(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append(func)
            return super().__torch_function__(func, types, args, kwargs or {})

    x = torch.rand(2, 7).as_subclass(Logged)
    MF.linear(x, torch.rand(5, 7))
    MF.sigmoid(x)
    MF.relu(x)
    MF.mse_loss(x, torch.rand(2, 7))
    assert {F.linear, torch.sigmoid, F.relu, F.mse_loss} <= set(seen)


def test_where_nothing_is_differentiated_torchs_own_runs(monkeypatch):
    def never(*_):
        raise AssertionError("the Function runs")

    x, K = torch.rand(1, 2, 4, 4), torch.rand(3, 2, 2, 2)
    monkeypatch.setattr(ConvolutionFunction, "_eager", type("Never", (), {"apply": never}))
    with pytest.raises(AssertionError, match="the Function runs"):
        MF.conv2d(x, K)
    with torch.no_grad():
        assert torch.equal(MF.conv2d(x, K), F.conv2d(x, K))


# The module.


def test_every_other_name_is_torch_nns_own():
    for ours, theirs in ((nn, torch.nn), (MF, F)):
        for name in dir(theirs):
            if not name.startswith("_") and name not in vars(ours):
                assert getattr(ours, name) is getattr(theirs, name)
    assert "Conv2d" in vars(nn)
    assert "LSTM" not in vars(nn)


def test_dir_lists_torchs_names():
    assert set(dir(torch.nn)) <= set(dir(nn))
    assert set(dir(F)) <= set(dir(MF))


@pytest.mark.parametrize(("module", "misspelled"), [(nn, "Liner"), (MF, "lineal")])
def test_a_misspelled_name_is_an_attribute_error_of_the_module_itself(module, misspelled):
    with pytest.raises(AttributeError) as raised:
        getattr(module, misspelled)
    assert str(raised.value) == f"module '{module.__name__}' has no attribute '{misspelled}'"
    assert (raised.value.name, raised.value.obj) == (misspelled, module)  # of which Python makes its suggestion


def test_python_suggests_the_nearest_name():
    ran = subprocess.run([sys.executable, "-c", "from manualgrad import nn; nn.Sequentail"], capture_output=True, text=True)
    assert ran.stderr.endswith("module 'manualgrad.nn' has no attribute 'Sequentail'. Did you mean: 'Sequential'?\n")


@pytest.mark.parametrize("module", [nn, MF])
def test_type_checkers_see_no_getattr_which_would_hide_misspelled_names(module):
    body = ast.parse(inspect.getsource(module)).body
    hidden = [node for node in body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    seen = [node for node in body if node not in hidden] + [
        node for block in hidden for node in (block.orelse if ast.unparse(block.test).startswith("not ") else block.body)
    ]
    assert "__getattr__" in vars(module)
    assert "__getattr__" not in "\n".join(map(ast.unparse, seen))
    assert any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for block in hidden for node in block.body)


def test_names_can_be_imported_from_the_module():
    from manualgrad.nn import LSTM, Linear

    assert LSTM is torch.nn.LSTM
    assert issubclass(Linear, torch.nn.Linear)


@pytest.mark.parametrize(
    "name", [name for name, f in vars(MF).items() if getattr(f, "__module__", None) == MF.__name__ and name[0] != "_"]
)
def test_signatures_are_torchs(name):
    try:
        theirs = inspect.signature(getattr(F, name)).parameters.values()
    except ValueError:
        pytest.skip("torch's is a function in C++ that tells no signature")
    if [p.name for p in theirs] == ["args", "kwargs"]:
        pytest.skip("torch's chooses between two functions, and tells no signature")
    ours = inspect.signature(getattr(MF, name)).parameters.values()
    assert [(p.name, p.default) for p in ours if p.name != "out"] == [(p.name, p.default) for p in theirs]


@pytest.mark.parametrize("name", ["Linear", "Sigmoid", "ReLU", "MSELoss"])
def test_a_class_is_found_where_pickles_of_version_0_1_have_it(name):
    assert pickle.loads(f"cmanualgrad.nn.layers\n{name}\n.".encode()) is getattr(nn, name)


@pytest.mark.parametrize("name", ["linear", "sigmoid", "relu", "mse_loss"])
def test_a_function_is_found_where_pickles_of_version_0_2_have_it(name):
    assert pickle.loads(f"cmanualgrad.nn._basic\n{name}\n.".encode()) is getattr(MF, name)


def test_a_function_is_found_under_its_name():
    assert pickle.loads(pickle.dumps(MF.conv2d)) is MF.conv2d
    assert MF.conv2d.__name__ == "conv2d"


def test_a_model_that_version_0_2_pickled_is_loaded_as_these_classes_and_computes_the_same():
    saved = torch.load(Path(__file__).parent / "pickles" / "0.2.0.pt", weights_only=False)
    model, x = saved["model"], saved["x"]
    ours = [m for m in model.modules() if type(m).__module__.startswith("manualgrad.nn.")]
    assert len(ours) == 20
    assert all(type(m) is getattr(nn, type(m).__name__) for m in ours)
    inputs = {"plane": x, "line": x[0, 0], "sequence": torch.tensor([[0, 1, 4]])}
    for name, expected in saved["answers"].items():
        torch.testing.assert_close(model[name](inputs[name]).detach(), expected)
    assert saved["function"] is MF.conv2d

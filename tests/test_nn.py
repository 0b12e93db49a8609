"""The layers against torch.nn's, in every mode, and what a model file sees of the module."""

import copy
import inspect
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

import manualgrad.nn.functional as MF
from manualgrad import nn


def build(module, dtype=torch.float32):
    torch.manual_seed(3)
    layers = [module.Linear(7, 5), module.Sigmoid(), module.Linear(5, 4, bias=False), module.ReLU(), module.Linear(4, 3)]
    return module.Sequential(*layers).to(dtype)


def test_the_same_seed_gives_bit_identical_parameters():
    for ours, theirs in zip(build(nn).parameters(), build(torch.nn).parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_state_dicts_go_both_ways():
    ours, theirs = build(nn), build(torch.nn)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())


def test_repr_is_torchs():
    assert repr(build(nn)) == repr(build(torch.nn))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_network_trains_as_torchs_does(dtype, device):
    x, y = torch.randn(33, 7, dtype=dtype, device=device), torch.rand(33, 3, dtype=dtype, device=device)
    models = []
    for module in (nn, torch.nn):
        model = build(module, dtype).to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(5):
            optimizer.zero_grad()
            module.MSELoss()(model(x), y).backward()
            optimizer.step()
        models.append(model)
    for ours, theirs in zip(*(model.parameters() for model in models), strict=True):
        assert_close(ours, theirs)


def test_every_arithmetic_node_of_a_network_is_hand_written():
    output = nn.MSELoss(reduction="batchmean")(build(nn)(torch.rand(2, 7)), torch.rand(2, 3))
    names, nodes = set(), [output.grad_fn]
    while nodes:
        node = nodes.pop()
        names.add(node.name())
        nodes += [following for following, _ in node.next_functions if following is not None]
    ours = {f"{name}FunctionBackward" for name in ("Linear", "Sigmoid", "ReLU", "MSELoss")}
    assert names == ours | {"torch::autograd::AccumulateGrad"}


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_computes_the_same(copied):
    model, x = build(nn), torch.rand(2, 7)
    assert torch.equal(copied(model)(x), model(x))


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_compiled_network_agrees_with_the_eager_one(dynamic):
    torch._dynamo.reset()
    model, x, y = build(nn), torch.rand(6, 7), torch.rand(6, 3)
    cost = nn.MSELoss(reduction="batchmean")
    expected = torch.autograd.grad(cost(model(x), y), list(model.parameters()))
    compiled = torch.compile(lambda x, y: cost(model(x), y), fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for ours, theirs in zip(torch.autograd.grad(compiled(x, y), list(model.parameters())), expected, strict=True):
        assert_close(ours, theirs)
    with torch.no_grad():
        assert_close(compiled(x, y), cost(model(x), y))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_torchs_dtypes(dtype, device):
    x, y = torch.rand(6, 7, device=device), torch.rand(6, 3, device=device)
    seen = []
    for module in (nn, torch.nn):
        model = build(module).to(device)
        with torch.autocast(device.type, dtype):
            hidden = model[0](x)
            output = model(x)
            cost = module.MSELoss()(output, y)
        cost.backward()
        seen.append(
            [hidden.dtype, model[1](hidden).dtype, output.dtype, cost.dtype, *(p.grad.dtype for p in model.parameters())]
        )
    assert seen[0] == seen[1]


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


def test_fx_traces_torchs_own_functions():
    targets = {node.target for node in torch.fx.symbolic_trace(build(nn)).graph.nodes}
    assert {F.linear, torch.sigmoid, F.relu} <= targets


# The module.


def test_every_other_name_is_torch_nns_own():
    ours = {"Linear", "Sigmoid", "ReLU", "MSELoss", "functional"}
    for name in dir(torch.nn):
        if not name.startswith("_") and name not in ours:
            assert getattr(nn, name) is getattr(torch.nn, name)
    ours = {"linear", "sigmoid", "relu", "mse_loss"}
    for name in dir(F):
        if not name.startswith("_") and name not in ours and name not in vars(MF):
            assert getattr(MF, name) is getattr(F, name)


def test_dir_lists_torchs_names():
    assert set(dir(torch.nn)) <= set(dir(nn))
    assert set(dir(F)) <= set(dir(MF))


def test_an_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="Lineal"):
        nn.Lineal  # noqa: B018


def test_names_can_be_imported_from_the_module():
    from manualgrad.nn import Conv2d, Linear

    assert Conv2d is torch.nn.Conv2d
    assert issubclass(Linear, torch.nn.Linear)


@pytest.mark.parametrize("name", ["relu", "mse_loss"])
def test_signatures_are_torchs(name):
    ours, theirs = (inspect.signature(getattr(module, name)).parameters.values() for module in (MF, F))
    assert [(p.name, p.default) for p in ours] == [(p.name, p.default) for p in theirs]


@pytest.mark.parametrize("name", ["Linear", "Sigmoid", "ReLU", "MSELoss"])
def test_a_layer_overrides_forward_alone(name):
    layer = getattr(nn, name)
    assert layer.__base__ is getattr(torch.nn, name)
    assert {key for key in vars(layer) if not key.startswith("__")} == {"forward"}

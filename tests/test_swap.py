"""swap and unswap change the class of a layer and nothing else; swap_report says what they do, and what they leave alone."""

import copy
import re

import pytest
import torch
from torch.nn.utils import parametrizations, parametrize, prune
from torch.testing import assert_close

from manualgrad import nn, swap, swap_report, unswap


def model():
    torch.manual_seed(0)
    layers = [
        torch.nn.Linear(5, 4),
        torch.nn.Sigmoid(),
        torch.nn.Linear(4, 3),
        torch.nn.ReLU(),
        torch.nn.Conv1d(1, 1, 1),
        torch.nn.Bilinear(1, 1, 1),
    ]
    return torch.nn.Sequential(*layers).append(torch.nn.MSELoss())


def classes(model):
    return [type(layer) for layer in model]


OURS = [nn.Linear, nn.Sigmoid, nn.Linear, nn.ReLU, nn.Conv1d, torch.nn.Bilinear, nn.MSELoss]


def test_swap_changes_its_layers_alone_and_returns_the_model():
    original = model()
    assert swap(original) is original
    assert classes(original) == OURS


def test_swap_and_unswap_are_idempotent_and_inverse():
    assert classes(swap(swap(model()))) == OURS
    assert classes(unswap(unswap(swap(model())))) == classes(model())
    assert classes(unswap(model())) == classes(model())


def test_the_model_itself_may_be_a_layer():
    layer = torch.nn.Linear(2, 3)
    assert type(swap(layer)) is nn.Linear
    assert str(swap_report(layer)).startswith("hand-written: 1 Linear\n    (the model itself)\n\n")


@pytest.mark.parametrize("change", [swap, lambda m: unswap(swap(m))], ids=["swap", "unswap"])
def test_nothing_but_the_class_changes(change):
    """Parameters, tied ones too, buffers, flags, attributes and hooks stay the objects that they were."""
    original = model().double().eval()
    original[0].weight.requires_grad_(False)
    original[2].bias = original[0].bias
    original[2].register_buffer("mask", torch.ones(3))
    original[3].inplace = True
    original[2].note = "mine"
    before = [(name, layer, dict(vars(layer))) for name, layer in original.named_modules()]
    change(original)
    after = [(name, layer, dict(vars(layer))) for name, layer in original.named_modules()]
    assert len(before) == len(after)
    for (name, layer, attributes), (new_name, new_layer, new_attributes) in zip(before, after, strict=True):
        assert name == new_name
        assert layer is new_layer
        assert attributes.keys() == new_attributes.keys()
        assert all(attributes[key] is new_attributes[key] for key in attributes)


def test_an_optimizer_built_before_goes_on_working():
    x, y = torch.rand(6, 5), torch.rand(6, 3)
    parameters = []
    for swapped_at in (None, 2):
        net = model()[:4]
        optimizer = torch.optim.Adam(net.parameters())
        for i in range(4):
            if i == swapped_at:
                swap(net)
            optimizer.zero_grad()
            (net(x) - y).square().mean().backward()
            optimizer.step()
        parameters.append(list(net.parameters()))
    assert_close(*parameters)


HOOKS = {
    "forward_pre": lambda layer, hook: layer.register_forward_pre_hook(lambda m, a: hook("forward_pre")),
    "forward": lambda layer, hook: layer.register_forward_hook(lambda m, a, o: hook("forward")),
    "forward with kwargs": lambda layer, hook: layer.register_forward_hook(lambda m, a, k, o: hook("kw"), with_kwargs=True),
    "backward": lambda layer, hook: layer.register_full_backward_hook(lambda m, i, o: hook("backward")),
    "backward_pre": lambda layer, hook: layer.register_full_backward_pre_hook(lambda m, o: hook("backward_pre")),
    "state_dict": lambda layer, hook: layer.register_state_dict_post_hook(lambda *a: hook("state_dict")),
    "load_state_dict": lambda layer, hook: layer.register_load_state_dict_pre_hook(lambda *a: hook("load")),
    "parameter": lambda layer, hook: layer.weight.register_hook(lambda g: hook("parameter")),
    "accumulated": lambda layer, hook: layer.weight.register_post_accumulate_grad_hook(lambda p: hook("accumulated")),
}


@pytest.mark.parametrize("register", HOOKS.values(), ids=HOOKS)
def test_hooks_go_on_being_called(register):
    calls = []
    original = model()[:4]
    register(original[0], calls.append)
    swap(original)(torch.rand(2, 5)).sum().backward()
    original.load_state_dict(original.state_dict())
    assert len(calls) == 1


def test_a_hook_that_changes_the_output_or_the_gradient_has_its_way():
    x = torch.rand(2, 5)
    results = []
    for net in (model()[:4], swap(model()[:4])):
        net[0].register_forward_hook(lambda m, a, output: output * 2)
        net[2].register_full_backward_hook(lambda m, grads, _: tuple(3 * g for g in grads))
        net(x).sum().backward()
        results.append((net(x), [p.grad for p in net.parameters()]))
    assert_close(*results)


def test_a_pruned_layer_is_swapped_and_stays_pruned():
    net = model()[:4]
    prune.l1_unstructured(net[0], "weight", amount=0.5)
    expected = net(torch.ones(1, 5))
    assert type(swap(net)[0]) is nn.Linear
    assert_close(net(torch.ones(1, 5)), expected)


def test_a_swapped_layer_can_be_parametrized():
    net = swap(model()[:4])
    expected = parametrizations.weight_norm(unswap(copy.deepcopy(net))[0])(torch.ones(1, 5))
    parametrizations.weight_norm(net[0])
    assert_close(net[0](torch.ones(1, 5)), expected)
    assert net[0](torch.ones(1, 5)).grad_fn.name() == "LinearFunctionBackward"
    parametrize.remove_parametrizations(net[0], "weight")
    assert type(net[0]) is nn.Linear


@pytest.mark.skipif(torch.__version__ < "2.13", reason="Dynamo did not yet guard on the classes of the layers inside")
def test_a_compiled_model_is_compiled_again_when_swapped():
    class Counting:
        names = None

    def backend(graph, inputs):
        Counting.names = [str(node.target) for node in graph.graph.nodes]
        return graph

    torch._dynamo.reset()
    net, x = model()[:4], torch.rand(2, 5)
    run = torch.compile(net, backend=backend)
    expected = run(x)
    assert not any("autograd_function_apply" in name for name in Counting.names)
    swap(net)
    assert_close(run(x), expected)
    assert any("autograd_function_apply" in name for name in Counting.names)


# Left alone, and why.


class Subclass(torch.nn.Linear):
    def forward(self, input):
        return 2 * super().forward(input)


def lazy():
    return torch.nn.LazyLinear(3)


def with_a_forward_of_its_own():
    layer = torch.nn.Linear(2, 3)
    layer.forward = lambda input: 2 * input
    return layer


@pytest.mark.filterwarnings("ignore::FutureWarning")
def scripted():
    return torch.jit.script(torch.nn.Linear(2, 3))


def sharded():
    # What torch.distributed.fsdp.fully_shard makes of a layer's class; test_distributed.py shards for real.
    from torch.distributed.fsdp import FSDPModule

    layer = torch.nn.Linear(2, 3)
    layer.__class__ = type("FSDPLinear", (FSDPModule, torch.nn.Linear), {})
    return layer


ALONE = {
    "subclass": (lambda: Subclass(2, 3), r"Subclass, a subclass of torch\.nn\.Linear"),
    "attention": (
        lambda: torch.nn.MultiheadAttention(4, 2).out_proj,
        r"NonDynamicallyQuantizableLinear, a subclass of torch\.nn\.Linear",
    ),
    "subclass of ours": (lambda: type("Mine", (nn.Linear,), {})(2, 3), r"Mine, a subclass of manualgrad\.nn\.Linear"),
    "parametrized": (
        lambda: parametrizations.weight_norm(torch.nn.Linear(2, 3)),
        r"parametrized torch\.nn\.Linear: swap the model before",
    ),
    "sharded": (sharded, r"torch\.nn\.Linear sharded by fully_shard: swap the model before"),
    "lazy": (lazy, "uninitialized LazyLinear: swap the model after"),
    "quantized": (lambda: torch.ao.nn.quantized.Linear(2, 3), "quantized Linear: it has no gradient"),
    "dynamically quantized": (lambda: torch.ao.nn.quantized.dynamic.Linear(2, 3), "quantized Linear"),
    "scripted": (scripted, "Linear in TorchScript: swap the model before"),
    "forward": (with_a_forward_of_its_own, "Linear with a forward set on the instance"),
}


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(("make", "reason"), ALONE.values(), ids=ALONE)
def test_what_is_left_alone_is_reported_with_the_reason(make, reason):
    layer = make()
    net = torch.nn.ModuleDict({"layer": layer})
    cls = type(layer)
    for change in (swap, unswap):
        assert type(change(net)["layer"]) is cls
        report = swap_report(net)
        assert list(report.left_alone) == ["layer"]
        assert not report.swapped
        assert not report.to_swap
        assert re.search(reason, report.left_alone["layer"])


def test_a_lazy_layer_is_swapped_after_its_first_call():
    layer = lazy()
    layer(torch.rand(2, 4))
    assert type(swap(layer)) is nn.Linear


def test_unswap_leaves_a_cost_that_torch_has_not():
    cost = nn.MSELoss(reduction="batchmean")
    assert type(unswap(cost)) is nn.MSELoss
    assert "unswap leaves it alone: torch.nn does not have the reduction 'batchmean'" in str(swap_report(cost))


def test_the_report_changes_nothing_and_prints_as_a_table():
    net = torch.nn.Sequential(swap(torch.nn.Linear(2, 3)), torch.nn.ReLU(), torch.nn.Linear(3, 3), Subclass(3, 3))
    before = classes(net)
    report = swap_report(net)
    assert classes(net) == before
    assert report.swapped == {"0": "Linear"}
    assert report.to_swap == {"1": "ReLU", "2": "Linear"}
    assert list(report.left_alone) == ["3"]
    assert str(report).splitlines() == [
        "hand-written: 1 Linear",
        "    0",
        "swap would make hand-written: 1 ReLU",
        "    1",
        "swap would make hand-written: 1 Linear",
        "    2",
        f"left alone: 1 {__name__}.Subclass, a subclass of torch.nn.Linear: its forward may differ",
        "    3",
        "",
        "Functions and operators that a forward calls (F.relu, x + y) are not modules: audit(output) counts them, "
        "and `with manualgrad.by_hand():` differentiates them by hand.",
    ]


def test_a_report_of_nothing_says_so():
    first, _, last = str(swap_report(torch.nn.Flatten())).splitlines()
    assert first == "manualgrad.nn does not have any of this model's layers"
    assert last.endswith("`with manualgrad.by_hand():` differentiates them by hand.")


def test_a_layer_that_has_no_hand_written_one_is_reported_and_a_container_is_not():
    layers = [torch.nn.LSTM(2, 2), torch.nn.Bilinear(1, 1, 1), torch.nn.CTCLoss(), torch.nn.Flatten(), torch.nn.Identity()]
    model = torch.nn.Sequential(*layers, torch.nn.Sequential(torch.nn.Linear(2, 2)), torch.nn.ModuleList())
    report = swap_report(model)
    assert report.left_alone == {
        str(i): f"{name}: manualgrad.nn does not have this layer" for i, name in enumerate(("LSTM", "Bilinear", "CTCLoss"))
    }
    assert list(report.to_swap) == ["5.0"]
    assert swap_report(swap(model)).left_alone == report.left_alone


@pytest.mark.parametrize("function", [swap, unswap, swap_report])
@pytest.mark.parametrize(
    ("model", "what"),
    [(None, "a NoneType"), ([torch.nn.ReLU()], "a list"), (torch.nn.Linear, "the class Linear: pass an instance")],
)
def test_what_is_no_module_is_refused(function, model, what):
    with pytest.raises(TypeError, match=rf"^{function.__name__}: model must be a torch\.nn\.Module, got {what}$"):
        function(model)


def test_a_sync_batch_norm_made_of_ours_is_torchs_and_is_reported():
    net = torch.nn.SyncBatchNorm.convert_sync_batchnorm(swap(torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.ReLU())))
    assert type(net[0]) is torch.nn.SyncBatchNorm
    assert type(swap(net)[0]) is torch.nn.SyncBatchNorm
    assert "its statistics span all processes" in swap_report(net).left_alone["0"]


def test_a_subclass_is_reported_under_the_layer_that_it_is_nearest_to():
    class Mine(torch.nn.ReLU6):  # which is a Hardtanh
        pass

    assert "a subclass of torch.nn.ReLU6" in swap_report(Mine()).left_alone[""]

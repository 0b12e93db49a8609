"""Every layer of manualgrad.nn beside torch.nn's of the same name, on PyTorch's own samples of modules, in every mode."""

import copy
import inspect
import io
import pickle
from functools import partial

import pytest
import torch
from samples import copy_of, spread
from torch.testing import assert_close
from torch.testing._internal.common_modules import module_db
from torch.utils._pytree import tree_leaves

import manualgrad
from manualgrad import nn, swap, unswap
from manualgrad.nn import layers

INFOS = {info.module_cls.__name__: info for info in module_db if info.module_cls.__module__.startswith("torch.nn.modules")}
HERE = {name: INFOS[name] for name in layers.__all__ if name in INFOS}
WITHOUT_SAMPLES = {  # in module_db
    *("Hardsigmoid", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "RReLU", "Softmax2d", "EmbeddingBag"),
    *("Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"),
    *(f"{kind}{n}d" for kind in ("CircularPad", "ConstantPad", "ZeroPad") for n in (1, 2, 3)),
}

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")


def in_both_modes():
    """Each layer in training and in evaluation; the latter by default only where the layer's forward asks for it."""
    for name, info in HERE.items():
        asks = "training" in inspect.getsource(info.module_cls.forward)
        yield pytest.param(name, True, id=f"{name}-training")
        yield pytest.param(name, False, id=f"{name}-evaluation", marks=() if asks else pytest.mark.exhaustive)


each = pytest.mark.parametrize(("name", "training"), list(in_both_modes()))


def samples(name, training, dtype=torch.float64, count=None):
    """Of a module's constructor and forward, with the layers of torch.nn and of manualgrad.nn, alike in their parameters."""
    info = HERE[name]
    inputs = info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=training)
    for sample in spread(list(inputs), count):
        built = []
        for cls in (info.module_cls, getattr(nn, name)):
            torch.manual_seed(1)
            layer = cls(*sample.constructor_input.args, **sample.constructor_input.kwargs).to(dtype).train(training)
            with torch.no_grad():
                for i, parameter in enumerate(layer.parameters()):
                    parameter.add_(0.1 * (i + 1))  # away from 0 and 1
            built.append(layer)
        if sample.forward_input is not None:
            yield *built, (sample.forward_input.args, sample.forward_input.kwargs)


def run(layer, inputs):
    """The output and the gradients of the parameters and of the inputs; the buffers after it."""
    args, kwargs = copy_of(inputs)
    output = layer(*args, **kwargs)
    outputs = [o for o in tree_leaves(output) if isinstance(o, torch.Tensor)]
    wanted = [
        t for t in tree_leaves((args, kwargs, list(layer.parameters()))) if isinstance(t, torch.Tensor) and t.requires_grad
    ]
    C = sum(((o * torch.linspace(1, 2, o.numel(), dtype=o.dtype).view(o.shape)).sum() for o in outputs if o.requires_grad), 0.0)
    gradients = torch.autograd.grad(C, wanted, allow_unused=True) if isinstance(C, torch.Tensor) else ()
    return outputs, gradients, [b.clone() for b in layer.buffers()]


assert_same = partial(assert_close, equal_nan=True)  # some of the samples' logarithms are nan


def test_every_layer_has_samples_or_is_named():
    assert set(layers.__all__) == HERE.keys() | WITHOUT_SAMPLES


@each
def test_a_layer_computes_what_torchs_does_and_is_by_hand(name, training):
    assert_computes_as_torchs(samples(name, training, count=6))


@pytest.mark.exhaustive
@each
def test_a_layer_computes_what_torchs_does_on_every_sample(name, training):
    assert_computes_as_torchs(samples(name, training))


def assert_computes_as_torchs(samples):
    for theirs, ours, inputs in samples:
        assert_same(run(ours, inputs), run(theirs, inputs))
        args, kwargs = copy_of(inputs)
        output = tree_leaves(ours(*args, **kwargs))[0]
        assert not manualgrad.audit(output).native, (ours, manualgrad.audit(output))


@each
def test_a_layer_is_swapped_and_swapped_back(name, training):
    for theirs, ours, inputs in samples(name, training, count=1):
        expected = run(copy.deepcopy(theirs), inputs)
        assert type(swap(theirs)) is type(ours)
        assert_same(run(theirs, inputs), expected)
        assert type(unswap(theirs)) is HERE[name].module_cls


@each
def test_a_layer_is_torchs_but_for_forward(name, training):
    torchs, ours = HERE[name].module_cls, getattr(nn, name)
    assert issubclass(ours, torchs)
    assert {key for key in vars(ours) if not key.startswith("__")} <= {"forward", "_conv_forward", "_apply_instance_norm"}
    assert inspect.signature(ours) == inspect.signature(torchs)
    assert inspect.signature(ours.forward) == inspect.signature(torchs.forward)
    for theirs, ours, _ in samples(name, training, count=1):
        assert repr(ours).startswith("manualgrad.nn.")
        assert repr(ours).replace("manualgrad.nn.", "") == repr(theirs)
        ours.load_state_dict(theirs.state_dict())
        theirs.load_state_dict(ours.state_dict())


@each
def test_a_layer_is_copied_and_pickled(name, training):
    for _, ours, inputs in samples(name, training, count=1):
        for duplicate in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
            assert type(duplicate) is type(ours)
            assert_same(run(duplicate, inputs), run(copy.deepcopy(ours), inputs))


def scripts(layer, inputs):
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(layer), file)
    file.seek(0)
    return torch.jit.load(file)


def traces(layer, inputs):
    return torch.jit.trace(copy.deepcopy(layer), inputs[0], check_trace=False)


def exports(layer, inputs):
    return torch.export.export(layer, *inputs).module(check_guards=False)


def compiles(layer, inputs):
    torch._dynamo.reset()
    return torch.compile(copy.deepcopy(layer), fullgraph=True, backend="aot_eager")


def compiled_together(built):
    """The outputs and gradients of many layers, compiled as one graph."""

    def function(calls):
        return [tree_leaves(layer(*args, **kwargs))[0] for layer, (args, kwargs) in zip(layers, calls, strict=True)]

    layers = torch.nn.ModuleList(layer for layer, _ in built)
    calls = [copy_of(inputs) for _, inputs in built]
    torch._dynamo.reset()
    outputs = torch.compile(function, fullgraph=True, backend="aot_eager")(calls)
    C = torch.stack([output.cos().sum() for output in outputs]).sum()
    inputs = [t for t in tree_leaves((calls, list(layers.parameters()))) if isinstance(t, torch.Tensor) and t.requires_grad]
    return outputs, torch.autograd.grad(C, inputs, allow_unused=True)


@pytest.mark.few(1)
@pytest.mark.parametrize("first", range(0, len(HERE), 20))
def test_layers_compile_whole_as_torchs_do(first):
    """Twenty in one graph: to compile each by itself takes most of its time for what all have in common."""
    ours, theirs = [], []
    for name in list(HERE)[first : first + 20]:
        for torchs, layer, inputs in samples(name, True, count=1):
            ours.append((layer, inputs))
            theirs.append((torchs, inputs))
    assert_same(compiled_together(ours), compiled_together(theirs))


MODES = {"script": scripts, "trace": traces, "export": exports, "fx": lambda layer, _: torch.fx.symbolic_trace(layer)}


@pytest.mark.parametrize("mode", [*MODES, pytest.param("compile", marks=pytest.mark.exhaustive)])
@each
def test_a_layer_works_in_a_mode_where_torchs_does(name, training, mode):
    make = MODES.get(mode, compiles)
    for theirs, ours, inputs in samples(name, training, count=1):
        if mode in ("script", "trace", "fx") and inputs[1]:
            inputs = ((*inputs[0], *inputs[1].values()), {})
        try:
            expected = run(make(copy.deepcopy(theirs), inputs), inputs)
        except Exception as error:
            pytest.skip(f"torch's own: {type(error).__name__}")
        assert_same(run(make(copy.deepcopy(ours), inputs), inputs), expected)

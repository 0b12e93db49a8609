"""Models with their layers swapped do all that they did before: outputs, gradients, training, and PyTorch's modes."""

import copy
import gc
import io
import pickle
import sys
import threading
import weakref
from functools import partial

import pytest
import torch
import torch._dynamo.testing
from models import MODELS, SMALL, batch, build
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.testing import assert_close
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts
from torch.utils.flop_counter import FlopCounterMode

import manualgrad
from manualgrad import swap, unswap

LONG = {"vit_b_16": pytest.mark.exhaustive, "resnet18": pytest.mark.exhaustive}


def gradients(model):
    return {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}


def step(model, x, y):
    """Output, cost and gradients of one forward and backward, from the same random numbers each time."""
    model.zero_grad()
    torch.manual_seed(5)
    output, cost = model(x, y)
    cost.backward()
    return output, cost, gradients(model)


def train(model, x, y, steps=5):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(steps):
        step(model, x, y)
        optimizer.step()
    return dict(model.named_parameters())


@pytest.fixture(params=SMALL)
def name(request):
    return request.param


@pytest.mark.parametrize("name", [pytest.param(name, marks=LONG.get(name, ())) for name in MODELS])
def test_a_swapped_model_trains_as_the_original(name, device):
    """A deep one in float64: in float32 its gradients are further from themselves, added up in another order, than that."""
    kind = {"device": device, "dtype": torch.float64 if name == "resnet18" else torch.float32}
    original, x, y = build(name, **kind), *batch(name, **kind)
    swapped = swap(build(name, **kind))
    report = manualgrad.swap_report(swapped)
    assert report.swapped
    assert not report.to_swap
    assert_close(step(swapped, x, y), step(original, x, y))
    assert_close(train(swapped, x, y), train(original, x, y))


# Compiled, exported, traced.


def compiled(model, **options):
    torch._dynamo.reset()
    return torch.compile(model, fullgraph=True, backend="aot_eager", **options)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=LONG.get(name, ())) for name in MODELS if name != "lstm"],  # fullgraph refuses torch's own LSTM
)
def test_torch_compile_takes_the_whole_graph(name, device):
    original, x, y = build(name, device), *batch(name, device=device)
    model = swap(build(name, device))
    result = step(compiled(model), x, y)[:2]
    assert_close((*result, gradients(model)), step(original, x, y))


def test_torch_compile_computes_the_same_around_a_graph_break(device):
    original, x, y = build("lstm", device), *batch("lstm", device=device)
    torch._dynamo.reset()
    model = swap(build("lstm", device))
    result = step(torch.compile(model, backend="aot_eager"), x, y)[:2]
    assert_close((*result, gradients(model)), step(original, x, y))


@pytest.mark.few(3)
@pytest.mark.parametrize("dynamic", [True, None])
@pytest.mark.parametrize("name", ["mlp", "tied", "twice"])
def test_torch_compile_compiles_no_more_often_for_other_batch_sizes(name, dynamic):
    """Once with dynamic=True; by default twice, the second time for any size."""
    original, model = build(name), swap(build(name))
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    torch._dynamo.reset()
    run = torch.compile(model, fullgraph=True, backend=counter, dynamic=dynamic)
    for size in (4, 7, 9, 12):
        x, y = batch(name, size)
        result = step(run, x, y)[:2]
        assert_close((*result, gradients(model)), step(original, x, y))
    assert counter.frame_count == (1 if dynamic else 2)


@pytest.mark.exhaustive
def test_inductor_compiles_a_training_step():
    original, x, y = build("mlp"), *batch("mlp")
    torch._dynamo.reset()
    try:
        torch.compile(original)(x, y)
    except Exception as error:
        pytest.skip(f"Inductor has no working compiler here: {type(error).__name__}")
    model = swap(build("mlp"))
    result = step(torch.compile(model, fullgraph=True), x, y)[:2]
    assert_close((*result, gradients(model)), step(original, x, y))


@pytest.mark.few(2)
@pytest.mark.parametrize("name", ["mlp", "resnet18", "transformer", "lstm", "tied", "twice"])
def test_torch_export_gives_the_same_program(name):
    original, model, (x, y) = build(name), swap(build(name)), batch(name)
    n = torch.export.Dim("n", min=2, max=64)
    programs = [torch.export.export(m, (x, y), dynamic_shapes=({0: n}, {0: n})) for m in (model, original)]
    x, y = batch(name, 6)
    results = [step(program.module(), x, y) for program in programs]
    assert_close(*results)
    ours, theirs = ([node.target for node in program.graph.nodes] for program in programs)
    assert ours == theirs


@pytest.mark.few(1)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", ["mlp", "tied", "twice"])
def test_onnx_export_computes_the_same(name, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    model, (x, _) = swap(build(name)).network, batch(name)
    torch.onnx.export(model, (x,), tmp_path / "model.onnx", dynamo=True, verbose=False)
    evaluator = onnx.reference.ReferenceEvaluator(str(tmp_path / "model.onnx"))
    (output,) = evaluator.run(None, {evaluator.input_names[0]: x.numpy()})
    assert_close(torch.from_numpy(output), model(x))


def saved_and_loaded(scripted):
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    return torch.jit.load(file)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_jit_trace_holds_torchs_own_operators_and_can_be_saved(name):
    original, (x, y) = build(name).eval(), batch(name)
    traced = torch.jit.trace(swap(build(name)).eval(), (x, y), check_trace=False)  # the check fails torch's own transformer
    assert "PythonOp" not in str(traced.inlined_graph)
    assert {"aten::linear", "aten::mse_loss"} <= {node.kind() for node in traced.inlined_graph.nodes()}
    x, y = batch(name, 6)
    assert_close(step(saved_and_loaded(traced), x, y), step(original, x, y))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_jit_script_computes_the_same(name):
    original, (x, y) = build(name).eval(), batch(name)
    scripted = torch.jit.script(swap(build(name)).eval())
    assert_close(step(saved_and_loaded(scripted), x, y), step(original, x, y))


@pytest.mark.parametrize("name", ["mlp", "resnet18", "tied", "twice"])
def test_fx_traces_torchs_own_functions(name):
    original, (x, y) = build(name), batch(name)
    traced = torch.fx.symbolic_trace(swap(build(name)))
    targets = {node.target for node in traced.graph.nodes}
    assert {torch.nn.functional.linear, torch.nn.functional.mse_loss} <= targets
    assert not [target for target in targets if getattr(target, "__module__", "").startswith("manualgrad")]
    assert_close(step(traced, x, y)[:2], step(original, x, y)[:2])


def test_a_tensor_subclass_sees_the_same_functions(name):
    class Logged(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            seen.append(func)
            return super().__torch_function__(func, types, args, kwargs or {})

    x, y = batch(name)
    logs = []
    for model in (build(name), swap(build(name))):
        seen = []
        model(x.as_subclass(Logged), y)
        logs.append(seen)
    assert logs[0] == logs[1]


def test_fake_tensors_give_shapes(name):
    model, (x, y) = swap(build(name)), batch(name)
    with torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True) as mode:
        output, cost = model(mode.from_tensor(x), mode.from_tensor(y))
    assert output.shape == y.shape
    assert cost.shape == ()


# Copied, saved, loaded.


def through_torch_save(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), through_torch_save])
def test_a_copy_is_hand_written_and_computes_the_same(copied, name):
    model, (x, y) = swap(build(name)), batch(name)
    duplicate = copied(model)
    assert manualgrad.swap_report(duplicate) == manualgrad.swap_report(model)
    assert_close(step(duplicate, x, y), step(model, x, y))


@pytest.mark.parametrize("order", [(swap, unswap), (unswap, swap)])
def test_a_state_dict_is_loaded_with_weights_only_both_ways(order, name):
    (written, read), file = (order[0](build(name)), order[1](build(name))), io.BytesIO()
    with torch.no_grad():
        for p in written.parameters():
            p.add_(1)
    torch.save(written.state_dict(), file)
    file.seek(0)
    read.load_state_dict(torch.load(file, weights_only=True))
    assert_close(read.state_dict(), written.state_dict(), rtol=0, atol=0)


# Mixed precision.


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_torchs_dtypes_and_numbers(dtype, name, device):
    if (name, dtype, device.type) == ("lstm", torch.float16, "cpu"):
        pytest.skip("torch's own LSTM has no float16 on the CPU")
    x, y = batch(name, device=device)
    results = []
    for model in (swap(build(name, device)), build(name, device)):
        model.train(name == "lstm")  # of which cuDNN has no backward in evaluation; the others have dropout
        with torch.autocast(device.type, dtype):
            output, cost = model(x, y)
        cost.backward()
        results.append((output, cost, gradients(model)))
    assert results[0][1].dtype == torch.float32
    assert_close(*results, rtol=2 * torch.finfo(dtype).eps, atol=torch.finfo(dtype).eps)


def test_a_grad_scaler_scales_and_skips_as_with_the_original(name, device):
    x, y = batch(name, device=device)
    results = []
    for model in (swap(build(name, device)), build(name, device)):
        scaler = torch.amp.GradScaler(device.type, init_scale=2.0**10, growth_interval=2)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        scales = []
        for factor in (1, 1, torch.inf, 1):  # the third step has infinite gradients, and is skipped
            optimizer.zero_grad()
            torch.manual_seed(5)
            scaler.scale(model(x, y)[1] * factor).backward()
            scaler.step(optimizer)
            scaler.update()
            scales.append(scaler.get_scale())
        results.append((scales, dict(model.named_parameters())))
    assert_close(*results)
    assert results[0][0] == [2.0**10, 2.0**11, 2.0**10, 2.0**10]


# Autograd.


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_checkpointing_gives_the_same_gradients(use_reentrant, name):
    original, model, (x, y) = build(name), swap(build(name)), batch(name)
    torch.manual_seed(5)
    output, cost = checkpoint(model, x.requires_grad_(), y, use_reentrant=use_reentrant)
    cost.backward()
    assert_close((output, cost, gradients(model)), step(original, x, y))


def test_saved_tensors_can_be_kept_on_the_cpu(name, device):
    original, model, (x, y) = build(name, device), swap(build(name, device)), batch(name, device=device)
    with torch.autograd.graph.save_on_cpu():
        result = step(model, x, y)
    assert_close(result, step(original, x, y))


def test_second_derivatives_agree(name):
    """Of a gradient penalty, which is differentiated once more for the parameters."""
    x, y = batch(name, dtype=torch.float64)
    results = []
    for model in (swap(build(name, dtype=torch.float64)).eval(), build(name, dtype=torch.float64).eval()):
        with sdpa_kernel(SDPBackend.MATH):  # the fused kernels of attention have no second derivative
            _, cost = model(x, y)
        first = torch.autograd.grad(cost, list(model.parameters()), create_graph=True)
        sum(g.square().sum() for g in first).backward()
        results.append(gradients(model))
    assert_close(*results)


def test_batched_and_unused_gradients_agree(name):
    x, y = batch(name, dtype=torch.float64)
    basis = torch.rand(3, *y.shape, dtype=torch.float64)
    unused = torch.zeros(2, requires_grad=True)
    results = []
    for model in (swap(build(name, dtype=torch.float64)).eval(), build(name, dtype=torch.float64).eval()):
        output, parameters = model(x, y)[0], list(model.parameters())
        batched = torch.autograd.grad(output, parameters, basis, is_grads_batched=True, retain_graph=True)
        one_by_one = [torch.autograd.grad(output, parameters, g, retain_graph=True) for g in basis]
        assert_close(list(batched), [torch.stack(g) for g in zip(*one_by_one, strict=True)])
        *_, nothing = torch.autograd.grad(output.sum(), [*parameters, unused], allow_unused=True)
        assert nothing is None
        results.append(batched)
    assert_close(*results)


def test_anomaly_mode_names_the_function_that_returned_nan(name):
    original, model, (x, y) = build(name), swap(build(name)), batch(name)
    with torch.autograd.set_detect_anomaly(True):
        assert_close(step(model, x, y), step(original, x, y))
        with pytest.raises(RuntimeError, match=r"Function 'MSELossFunctionBackward' returned nan values"):
            step(model, x, y * torch.nan)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_grad_mode_there_is_no_graph(mode, name):
    original, model, (x, y) = build(name).eval(), swap(build(name)).eval(), batch(name)
    with mode():
        result, expected = model(x, y), original(x, y)
    assert_close(result, expected)
    assert result[1].grad_fn is None
    assert result[1].is_inference() == expected[1].is_inference()


def test_gradients_accumulate(name):
    original, model, (x, y) = build(name), swap(build(name)), batch(name)
    for m in (model, original):
        for _ in range(3):
            torch.manual_seed(5)
            m(x, y)[1].backward()
    assert_close(gradients(model), gradients(original))


def in_threads(model, x, y):
    threads = [threading.Thread(target=lambda: model(x, y)[1].backward()) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return gradients(model)


def with_compiled_autograd(model, x, y):
    torch._dynamo.reset()
    with torch._dynamo.config.patch(compiled_autograd=True):
        torch.compile(lambda x, y: model(x, y)[1].backward(), backend="aot_eager")(x, y)
    return gradients(model)


def keeping_only_products(ctx, op, *args, **kwargs):
    products = (torch.ops.aten.addmm.default, torch.ops.aten.mm.default)
    return CheckpointPolicy.MUST_SAVE if op in products else CheckpointPolicy.PREFER_RECOMPUTE


def with_selective_checkpointing(model, x, y):
    contexts = partial(create_selective_checkpoint_contexts, keeping_only_products)
    checkpoint(model, x, y, use_reentrant=False, context_fn=contexts)[1].backward()
    return gradients(model)


def with_compiled_checkpointing(model, x, y):
    run = compiled(lambda x, y: checkpoint(model, x, y, use_reentrant=False))
    run(x, y)[1].backward()
    return gradients(model)


def with_changed_inputs(model, x, y):
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        x = x.clone()
        cost = model(x, y)[1]
        x.add_(1)
        cost.backward()
    return gradients(model)


def with_hooks_on_the_graph(model, x, y):
    output, cost = model(x, y)
    output.retain_grad()
    cost.grad_fn.register_prehook(lambda grads: tuple(2 * g for g in grads))
    edge = torch.autograd.graph.get_gradient_edge(output)
    at_edge = torch.autograd.grad(cost, edge, retain_graph=True)
    cost.backward()
    return gradients(model), output.grad, at_edge


def traced_by_make_fx(model, x, y):
    def cost_gradients(parameters, x, y):
        cost = torch.func.functional_call(model, parameters, (x, y))[1]
        return torch.autograd.grad(cost, list(parameters.values()))

    parameters = {key: p.detach().requires_grad_() for key, p in model.named_parameters()}
    return make_fx(cost_gradients, tracing_mode="symbolic")(parameters, x, y)(parameters, x, y)


def counted_in_flops(model, x, y):
    with FlopCounterMode(display=False) as counter:
        model(x, y)[1].backward()
    return counter.get_total_flops()


def by_autograd_functional(model, x, y):
    jacobian = torch.autograd.functional.jacobian(lambda x: model(x, y)[0], x, vectorize=True, strategy="forward-mode")
    return jacobian, torch.autograd.functional.hvp(lambda x: model(x, y)[1], x, x)


MODES = [
    by_autograd_functional,
    counted_in_flops,
    in_threads,
    traced_by_make_fx,
    with_changed_inputs,
    with_compiled_autograd,
    with_compiled_checkpointing,
    with_hooks_on_the_graph,
    with_selective_checkpointing,
]


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_gives_the_same_result(mode):
    x, y = batch("mlp", dtype=torch.float64)
    ours, theirs = (mode(change(build("mlp", dtype=torch.float64)), x, y) for change in (swap, unswap))
    assert_close(ours, theirs)


def test_backward_twice_raises_torchs_error(name):
    cost = swap(build(name))(*batch(name))[1]
    cost.backward(retain_graph=True)
    cost.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        cost.backward()


@pytest.mark.parametrize("swapped", [True, False])
@pytest.mark.parametrize(("layer", "changed"), [(0, "x"), (0, "weight"), (1, "output"), (3, "output")])
def test_changing_a_saved_tensor_in_place_raises(layer, changed, swapped):
    layer = (swap if swapped else unswap)(build("mlp")).network[layer]
    x = torch.rand(2, getattr(layer, "in_features", 7), requires_grad=True).clone()
    output = layer(x)
    with torch.no_grad():
        {"x": x, "weight": getattr(layer, "weight", None), "output": output}[changed].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


class Box:
    """A saved tensor, in something that a weak reference can watch."""

    def __init__(self, tensor):
        self.tensor = tensor


def test_freeing_the_output_frees_the_saved_tensors(name):
    model, (x, y), boxes = swap(build(name)), batch(name), []

    def pack(tensor):
        box = Box(tensor.detach())  # the output itself would hold its graph, and the graph the box
        boxes.append(weakref.ref(box))
        return box

    gc.disable()
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda box: box.tensor):
            output, cost = model(x, y)
        assert boxes
        assert all(box() for box in boxes)
        del output, cost
        assert not any(box() for box in boxes)
    finally:
        gc.enable()


def test_a_thousand_steps_leave_no_objects_behind():
    model, (x, y) = swap(build("mlp")), batch("mlp")
    step(model, x, y)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(1000):
            step(model, x, y)
        assert len(gc.get_objects()) - before < 100
    finally:
        gc.enable()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss is in kilobytes on Linux alone")
def test_a_thousand_steps_need_no_more_memory_than_a_hundred():
    import resource

    model, (x, y) = swap(build("mlp")), batch("mlp", 1000)  # each step saves 100 kB
    peaks = []
    for steps in (100, 1000):
        for _ in range(steps):
            step(model, x, y)
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    assert peaks[1] - peaks[0] < 20_000

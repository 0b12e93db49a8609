"""Where formulas are fused: what is set when the forward runs holds for its backward; all else runs as operators."""

import os
import subprocess
import sys
import threading
import warnings

import pytest
import torch
from paths import ROOT
from torch.testing import assert_close

import manualgrad
from manualgrad import fused, nn
from manualgrad._fused import kernels, store
from manualgrad.nn import functional as F


@pytest.fixture
def calls(monkeypatch):
    """The formulas that ran as kernels."""
    made, run = [], kernels.run

    def listed(function, *arguments):
        found = run(function, *arguments)
        if found is not None:
            made.append(function.__qualname__)
        return found

    monkeypatch.setattr(manualgrad._fused, "run", listed)
    return made


X = torch.linspace(-3, 3, 30)


def leaf():
    return X.clone().requires_grad_()


def test_the_backward_of_a_fused_forward_is_fused_outside_the_block_and_in_another_thread(calls):
    with fused():
        y = F.gelu(leaf())
    assert calls == []
    y.sum().backward(retain_graph=True)
    thread = threading.Thread(target=lambda: y.sum().backward())
    thread.start()
    thread.join()
    assert calls == ["GELUFunction.product"] * 2


def test_the_backward_of_another_forward_is_not_fused_inside_the_block(calls):
    y = F.gelu(leaf())
    with fused():
        y.sum().backward()
    assert calls == []


def test_a_backward_inside_a_backward_keeps_its_own(calls):
    class Within(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            with torch.enable_grad():
                x = leaf()
                F.gelu(x).sum().backward()
            return g

    with fused():
        y = F.silu(leaf())
    Within.apply(y).sum().backward()
    assert calls == ["SiLUFunction.product"]


def test_it_decorates_and_nests(calls):
    @fused()
    def inner(x):
        return F.gelu(x)

    with fused():
        y = inner(leaf())
        z = F.gelu(leaf())
    w = F.gelu(leaf())
    (y + z + w).sum().backward()
    assert calls == ["GELUFunction.product"] * 2


def test_an_error_in_the_block_ends_it(calls):
    with pytest.raises(ZeroDivisionError), fused():
        raise ZeroDivisionError
    F.gelu(leaf()).sum().backward()
    assert calls == []


def test_other_threads_are_not_fused(calls):
    def other():
        F.gelu(leaf()).sum().backward()

    with fused():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert calls == []


def second(f):
    x = leaf()
    (g,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
    return torch.autograd.grad(g.sin().sum(), x)[0]


def test_a_recorded_slope_is_fused_and_right(calls):
    assert_close(fused()(second)(F.gelu), second(F.gelu))
    assert "GELUFunction.product" in calls


MODES = {
    "create_graph": lambda _: torch.autograd.grad(F.hardswish(x := leaf()).sum(), x, create_graph=True)[0],
    "torch.func.grad": lambda f: torch.func.grad(lambda x: f(x).sum())(X),
    "jacrev": lambda f: torch.func.jacrev(f)(X),
    "jacfwd": lambda f: torch.func.jacfwd(f)(X),
    "vmap": lambda f: torch.func.vmap(torch.func.grad(f))(X),
    "batched gradients": lambda f: torch.autograd.functional.jacobian(f, X, vectorize=True),
    "compile": lambda f: torch.autograd.grad(torch.compile(f, backend="aot_eager", fullgraph=True)(x := leaf()).sum(), x)[0],
    "meta": lambda f: torch.zeros(f(torch.empty(3, device="meta", requires_grad=True)).shape),
    "no_grad": lambda f: torch.no_grad()(f)(X),
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_every_mode_takes_the_operators(mode, calls):
    torch._dynamo.reset()
    assert_close(fused()(mode)(F.gelu), mode(F.gelu), rtol=0, atol=0)
    assert calls == []


def test_the_block_inside_a_compiled_function_changes_nothing(calls):
    @torch.compile(backend="aot_eager", fullgraph=True)
    def f(x):
        with fused():
            return F.gelu(x)

    x = leaf()
    f(x).sum().backward()
    y = leaf()
    F.gelu(y).sum().backward()
    assert_close(x.grad, y.grad)
    assert calls == []


def test_autocast_and_by_hand_and_layers_are_fused(calls):
    layer, x = nn.Sequential(nn.Linear(30, 30), nn.GELU(), nn.LayerNorm(30)), torch.randn(4, 30)
    with fused(), manualgrad.by_hand(), torch.autocast("cpu", torch.bfloat16):
        y = torch.nn.functional.silu(layer(x))
    y.float().sum().backward()
    assert calls == ["SiLUFunction.product", "_gradients", "GELUFunction.product"]


def test_audit_names_the_functions():
    with fused():
        y = F.gelu(leaf())
    assert dict(manualgrad.audit(y).manual) == {"GELUFunction": 1}


def test_in_place_is_fused(calls):
    with fused():
        y = F.silu(leaf() * 1, inplace=True)
    y.sum().backward()
    assert calls == ["SiLUFunction.product"]


PROCESS = """
import manualgrad._fused as f
print(f.is_on())
"""


@pytest.mark.few(1)
@pytest.mark.parametrize(("value", "expected"), [("1", "True"), ("0", "False"), ("", "False"), (None, "False")])
def test_the_environment_variable_decides_for_a_process(value, expected):
    environment = {k: v for k, v in os.environ.items() if k != "MANUALGRAD_FUSED"} | {"PYTHONPATH": str(ROOT)}
    environment |= {} if value is None else {"MANUALGRAD_FUSED": value}
    done = subprocess.run([sys.executable, "-c", PROCESS], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected


def test_an_unknown_value_of_the_environment_variable_is_a_value_error():
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MANUALGRAD_FUSED": "yes"}
    done = subprocess.run([sys.executable, "-c", PROCESS], env=environment, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "ValueError: MANUALGRAD_FUSED must be 0 or 1, got 'yes'"


def test_where_nothing_can_be_compiled_one_warning_says_so_and_operators_run(monkeypatch):
    def broken(formula):
        raise RuntimeError("no g++\nand more")

    monkeypatch.setattr(kernels, "_kernels", {})
    monkeypatch.setattr(kernels, "_warned", False)
    monkeypatch.setattr(store, "kernel", broken)
    x, y = leaf(), leaf()
    with pytest.warns(UserWarning, match=r"cannot be compiled here, and run as operators \(RuntimeError: no g\+\+\)"), fused():
        F.gelu(x).sum().backward()
    F.gelu(y).sum().backward()
    assert torch.equal(x.grad, y.grad)
    with warnings.catch_warnings(), fused():
        warnings.simplefilter("error")
        F.silu(leaf()).sum().backward()


@pytest.mark.exhaustive
def test_a_missing_compiler_is_such_a_case(tmp_path):
    program = (
        "import torch\nfrom manualgrad import fused\nfrom manualgrad.nn import functional as F\n"
        "x = torch.linspace(-3, 3, 9, requires_grad=True)\n"
        "with fused():\n    F.gelu(x).sum().backward()\nprint(x.grad.sum().item())"
    )
    environment = {**os.environ, "CXX": "no-such-compiler", "PATH": "", "PYTHONPATH": str(ROOT)}
    environment |= {"MANUALGRAD_CACHE": str(tmp_path), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "inductor")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.count("Compiling requires a C++ compiler") == 1
    assert float(done.stdout) == pytest.approx(4.5, abs=0.1)


def test_prepare_compiles_what_the_model_needs_and_changes_nothing(capsys):
    model = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.BatchNorm1d(8), nn.Dropout(0.5))
    x, state = torch.randn(5, 6), torch.get_rng_state()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    count = fused.prepare(model, x)
    assert count == capsys.readouterr().err.count("kernel ")
    assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None for p in model.parameters())
    listed = len(kernels._kernels)
    with fused():
        y = model(x)
    y.sum().backward()
    assert len(kernels._kernels) == listed
    assert fused.prepare(model, x, progress=list) == 0


def test_prepare_takes_a_module():
    with pytest.raises(TypeError, match=r"^fused.prepare: model must be a torch.nn.Module, got function$"):
        fused.prepare(F.gelu, X)

"""Steps: those of torch.optim, on torch.nn's layers, written out."""

import copy

import pytest
import torch
from torch.testing import assert_close

from manualgrad import nn
from manualgrad._audit import audit
from manualgrad.training.loop import SCHEDULES, make_network
from manualgrad.training.steps import AutogradStep, BackpropStep

BATCHES = [(torch.rand(n, 6), torch.rand(n, 3)) for n in (8, 8, 3, 8)]
OPTIMIZERS = {
    "sgd": lambda ps, decay: torch.optim.SGD(ps, weight_decay=decay),
    "momentum": lambda ps, decay: torch.optim.SGD(ps, momentum=0.9, weight_decay=decay),
    "adam": lambda ps, decay: torch.optim.Adam(ps, weight_decay=decay),
    "adamw": lambda ps, decay: torch.optim.AdamW(ps, weight_decay=decay),
}


def trained(step, rate=0.05):
    return [step(x, y, rate, len(x)) for x, y in BATCHES]


@pytest.mark.parametrize("layers", ["manualgrad", "torch"])
@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_step_is_that_of_torch_optim(optimizer, decay, clip, layers):
    torch.manual_seed(0)
    model = make_network([6, 5, 3], layers=layers)
    original = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Sigmoid(), torch.nn.Linear(5, 3), torch.nn.Sigmoid())
    original.load_state_dict(model.state_dict())
    theirs = OPTIMIZERS[optimizer](original.parameters(), decay)

    costs = trained(AutogradStep(model, optimizer=optimizer, weight_decay=decay, clip_grad_norm=clip))

    for cost, (x, y) in zip(costs, BATCHES, strict=True):
        theirs.param_groups[0]["lr"] = 0.05
        theirs.zero_grad()
        C = (original(x) - y).square().sum(1).mean()
        C.backward()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(original.parameters(), clip)
        theirs.step()
        assert_close(cost, C.detach())
    assert_close(dict(model.named_parameters()), dict(original.named_parameters()))


@pytest.mark.parametrize("layers", ["manualgrad", "torch"])
@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "backprop"])
def test_a_step_on_the_cross_entropy_is_that_of_torch_optim(optimizer, activation, layers):
    torch.manual_seed(0)
    model = make_network([6, 5, 3], activation, layers, "cross-entropy")
    kinds = {"sigmoid": torch.nn.Sigmoid, "relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}
    original = torch.nn.Sequential(torch.nn.Linear(6, 5), kinds[activation](), torch.nn.Linear(5, 3))
    original.load_state_dict(model.state_dict())
    theirs = OPTIMIZERS["sgd" if optimizer == "backprop" else optimizer](original.parameters(), 0.0)
    how = {"cost": "cross-entropy"}
    step = BackpropStep(model, **how) if optimizer == "backprop" else AutogradStep(model, optimizer=optimizer, **how)

    batches = [(x, torch.nn.functional.one_hot(y.argmax(1), 3).float()) for x, y in BATCHES]
    for x, y in batches:
        theirs.param_groups[0]["lr"] = 0.05
        theirs.zero_grad()
        C = torch.nn.functional.cross_entropy(original(x), y.argmax(1))
        C.backward()
        theirs.step()
        assert_close(step(x, y, 0.05, len(x)), C.detach())
    assert_close(dict(model.named_parameters()), dict(original.named_parameters()))


@pytest.mark.parametrize("layers", ["manualgrad", "torch"])
def test_the_layers_asked_for_are_those_that_run(layers):
    torch.manual_seed(0)
    model = make_network([6, 5, 3], layers=layers)
    assert type(model[0]) is (nn if layers == "manualgrad" else torch.nn).Linear
    found = audit(model(torch.rand(2, 6)))
    assert bool(found.manual) == (layers == "manualgrad")


def test_both_layers_start_from_the_same_parameters():
    networks = []
    for layers in ("manualgrad", "torch"):
        torch.manual_seed(3)
        networks.append(make_network([6, 5, 3], layers=layers).state_dict())
    assert_close(*networks, rtol=0, atol=0)


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_mixed_precision_comes_near_full_precision(amp, device):
    torch.manual_seed(0)
    model = make_network([6, 5, 3]).to(device)
    full = copy.deepcopy(model)
    lower = AutogradStep(model, amp=amp)
    dtypes = []
    model[0].register_forward_hook(lambda module, inputs, output: dtypes.append(output.dtype))
    batches = [(x.to(device), y.to(device)) for x, y in BATCHES]
    costs = [lower(x, y, 0.05, len(x)) for x, y in batches]
    full_costs = [AutogradStep(full)(x, y, 0.05, len(x)) for x, y in batches]
    assert set(dtypes) == {{"bf16": torch.bfloat16, "fp16": torch.float16}[amp]}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert_close(torch.stack(costs).float(), torch.stack(full_costs), rtol=0.02, atol=0.02)
    assert not torch.equal(torch.stack(costs).float(), torch.stack(full_costs))


def test_fp16_skips_a_step_whose_gradients_are_not_finite_and_scales_less():
    model = make_network([6, 5, 3])
    step = AutogradStep(model, amp="fp16")
    before = copy.deepcopy(model.state_dict())
    scale = step.scaler.get_scale()
    x, y = BATCHES[0]
    step(x * torch.inf, y, 0.05, len(x))
    assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert step.scaler.get_scale() < scale
    assert step.state_dict()["scaler"]["scale"] == step.scaler.get_scale()


def refuse(*_):
    raise RuntimeError("refused")


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_step_that_raises_leaves_nothing_of_it_to_the_next(clip, monkeypatch):
    """As where CUDA refuses to record one."""
    costs = []
    for fails in (False, True):
        torch.manual_seed(0)
        step = AutogradStep(make_network([6, 5, 3]), optimizer="adamw", amp="fp16", clip_grad_norm=clip)
        x, y = BATCHES[0]
        costs.append([step(x, y, 0.05, len(x))])
        if fails:
            with monkeypatch.context() as patched:
                patched.setattr(torch.optim.AdamW, "_init_group", refuse)
                with pytest.raises(RuntimeError, match="refused"):
                    step(x, y, 0.05, len(x))
        costs[-1] += [step(x, y, 0.05, len(x)) for _ in range(3)]
    assert_close(*costs, rtol=0, atol=0)


def test_whether_an_optimizer_is_capturable_is_the_devices_affair_and_not_the_checkpoints():
    step = AutogradStep(make_network([6, 5, 3]), optimizer="adamw")
    x, y = BATCHES[0]
    step(x, y, 0.05, len(x))
    state = step.state_dict()
    state["optimizer"]["param_groups"][0]["capturable"] = True
    step.load_state_dict(state)
    assert step.optimizer.param_groups[0]["capturable"] is False


@pytest.mark.parametrize("amp", [None, "bf16", "fp16"])
def test_the_gradient_is_clipped_as_it_is_and_not_as_it_is_scaled(amp):
    model = make_network([6, 5, 3])
    before = torch.nn.utils.parameters_to_vector(model.parameters())
    step = AutogradStep(model, amp=amp, clip_grad_norm=0.01)
    x, y = BATCHES[0]
    step(x, y, 1.0, len(x))
    moved = torch.nn.utils.parameters_to_vector(model.parameters()) - before
    assert moved.norm().item() == pytest.approx(0.01, rel=1e-3)


EPOCHS = 7


@pytest.mark.parametrize(
    ("schedule", "theirs"),
    {
        "constant": lambda optimizer: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1),
        "cosine": lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=EPOCHS),
        "step": lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5], gamma=0.1),
    }.items(),
)
def test_a_schedule_is_that_of_torch_optim(schedule, theirs):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    scheduler, rates = theirs(optimizer), []
    for _ in range(EPOCHS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert [2.0 * SCHEDULES[schedule](epoch, EPOCHS) for epoch in range(EPOCHS)] == pytest.approx(rates)

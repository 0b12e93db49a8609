"""train.py --network lenet5: the network, and all that a run of it may be asked for."""

import json
import os
import signal
import subprocess
import sys

import pytest
import torch
from paths import TRAIN
from PIL import Image
from runs import outcome
from screens import manualgrad
from torch.testing import assert_close

from manualgrad import audit, nn
from manualgrad.training import files, options
from manualgrad.training.data import load
from manualgrad.training.keeper import Keeper
from manualgrad.training.lenet5 import KERNELS, make_lenet5
from manualgrad.training.network import sizes_of
from manualgrad.training.processes import ALONE
from manualgrad.training.rates import default_rate
from manualgrad.training.runs import load_network
from manualgrad.training.trouble import Watch

LENET5 = ("--network", "lenet5")


def theirs():
    """The same network, written down with torch.nn alone."""
    c1, c3, c5 = torch.nn.Conv2d(1, 6, 5, padding=2), torch.nn.Conv2d(6, 16, 5), torch.nn.Conv2d(16, 120, 5)
    f6, last, pool, tanh = torch.nn.Linear(120, 84), torch.nn.Linear(84, 10), torch.nn.AvgPool2d(2), torch.nn.Tanh()
    shape, flat = torch.nn.Unflatten(1, (1, 28, 28)), torch.nn.Flatten()
    return torch.nn.Sequential(
        *(shape, c1, tanh, pool, c3, tanh, pool, c5, tanh, flat, f6, tanh, last, torch.nn.Sigmoid()),
    )


def test_it_has_the_layers_and_the_parameters_of_the_paper_but_for_the_named_differences():
    model = make_lenet5()
    shapes = [tuple(layer(x).shape[1:]) for layer, x in zip(model, passing(model, torch.rand(2, 784)), strict=True)]
    assert [shape for i, shape in enumerate(shapes) if i in (1, 3, 4, 6, 7, 10, 12)] == [
        *((6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120, 1, 1), (84,), (10,)),
    ]
    counts = [sum(p.numel() for p in layer.parameters()) for layer in model]
    assert [count for count in counts if count] == [156, 2_416, 48_120, 10_164, 850]
    assert model.get_parameter(KERNELS).shape == (6, 1, 5, 5)


def passing(model, x):
    """What each layer is given."""
    for layer in model:
        yield x
        x = layer(x)


def test_every_gradient_is_by_hand():
    cost = nn.MSELoss(reduction="batchmean")(make_lenet5()(torch.rand(4, 784)), torch.rand(4, 10))
    report = audit(cost)
    assert report.coverage == 1, str(report)
    names = {"ConvolutionFunction": 3, "TanhFunction": 4, "AvgPoolFunction": 2, "LinearFunction": 2}
    assert {name: report.manual[name] for name in names} == names


def test_its_numbers_and_gradients_are_those_of_torch_nn():
    ours, expected = make_lenet5(), theirs()
    expected.load_state_dict(ours.state_dict())
    x, y = torch.rand(5, 784), torch.rand(5, 10)
    (ours(x) - y).square().sum().backward()
    (expected(x) - y).square().sum().backward()
    assert_close(ours(x), expected(x))
    assert_close([p.grad for p in ours.parameters()], [p.grad for p in expected.parameters()])


def test_both_kinds_of_layers_have_the_same_initial_parameters_from_a_seed():
    networks = []
    for layers in ("manualgrad", "torch"):
        torch.manual_seed(3)
        networks.append(make_lenet5(layers))
    assert_close(*(network.state_dict() for network in networks), rtol=0, atol=0)
    assert {type(layer).__module__.partition(".")[0] for layer in networks[1]} == {"torch"}


def test_images_stay_apart_through_its_layers_and_the_outputs_begin_at_a_tenth():
    model, x = make_lenet5(), load()[1].x[:200]
    assert model[:-2](x).std(0).mean() > 0.3 * model[:3](x).std(0).mean()
    assert model[:-2](x).std(0).mean() > 1.5 * theirs()[:-2](x).std(0).mean(), "as torch.nn's own weights would have it"
    assert model(x).mean().item() == pytest.approx(0.1, abs=0.03)


def test_images_of_another_size_are_refused():
    assert sizes_of("lenet5", 784, None, 10) == [784, 10]
    with pytest.raises(ValueError, match="lenet5 requires images of 784 pixels and 10 classes, got 100 and 10"):
        sizes_of("lenet5", 100, None, 10)


# Options


def parsed(*arguments, recipes=options.RECIPES):
    return options.options([*map(str, arguments)], "documentation", ALONE, recipes)[0]


def test_the_recipe_names_it():
    chosen = parsed("--recipe", "lenet5")
    assert (chosen.network, chosen.hidden, chosen.activation, chosen.layers) == ("lenet5", None, None, "manualgrad")
    assert (parsed().network, parsed("--recipe", "best").network) == ("mlp", "mlp")
    back = parsed("--recipe", "lenet5", "--network", "mlp")
    assert (back.network, back.hidden, back.activation) == ("mlp", [16, 16], "sigmoid")


REFUSED = {
    "--hidden 16": "--hidden requires --network mlp: the layers of lenet5 are fixed",
    "--hidden": "--hidden requires --network mlp: the layers of lenet5 are fixed",
    "--activation sigmoid": "--activation requires --network mlp: the layers of lenet5 are fixed",
    "--engine backprop": ("--engine backprop requires --network mlp: it supports only Linear, sigmoid, ReLU and tanh layers"),
}


@pytest.mark.parametrize("asked", ["--network lenet5", "--recipe lenet5"])
@pytest.mark.parametrize("option", REFUSED)
def test_what_belongs_to_mlp_is_refused(option, asked, capsys):
    with pytest.raises(SystemExit, match="2"):
        parsed(*asked.split(), *option.split())
    assert capsys.readouterr().err == f"train.py: {REFUSED[option]}\n"


def test_a_recipe_of_an_mlp_does_not_make_a_lenet5(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        parsed("--recipe", "nielsen-30", *LENET5)
    file = options.RECIPES / "nielsen-30.toml"
    assert capsys.readouterr().err == f"train.py: {file}: {REFUSED['--hidden']}\n"


@pytest.mark.parametrize("optimizer", options.OPTIMIZERS)
@pytest.mark.parametrize("batch_size", [10, 100, 1000])
def test_the_learning_rate_is_its_own_where_none_is_given(optimizer, batch_size):
    chosen = parsed(*LENET5, "--optimizer", optimizer, "--batch-size", batch_size)
    rate, why = default_rate(None, None, batch_size, optimizer, "lenet5")
    assert (chosen.lr, chosen.lr_is_chosen_for) == (rate, why)
    assert why.startswith("lenet5")


def test_a_lenet5_that_does_not_train_is_told_what_to_try():
    settings = {"network": "lenet5", "hidden": None, "activation": None, "cost": "quadratic", "batch_size": 100}
    settings["optimizer"] = "sgd"
    watch = Watch(torch.arange(10).repeat(10), {**settings, "engine": "autograd", "lr": 40.0})
    usual, _ = default_rate(None, None, 100, "sgd", "lenet5")
    assert watch._remedies() == f"--lr {usual:.2g}, the default here, or --optimizer adamw"


# Runs


@pytest.fixture
def run(train_py, small, tmp_path):
    assert train_py(*small, *LENET5, "--out", tmp_path / "out")[0] == 0
    return tmp_path / "out"


def test_it_trains_and_its_run_is_named_after_it(train_py, small, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(train_py.train, "draw", lambda run, training, title, those: drawn.update(run=run, title=title))
    code, out, err = train_py(*small, *LENET5, "--distort", 1)
    assert (code, err) == (0, "")
    assert "lenet5 on fashion-mnist: 61,706 parameters, on " in out
    assert ", chosen for lenet5 and mini-batches of 10; --lr overrides it\n" in out
    assert "manualgrad explain" not in out
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.endswith("-fashion-mnist-lenet5")
    assert (drawn["run"].folder, drawn["title"]) == (folder.relative_to(tmp_path), "lenet5 on fashion-mnist")
    config = json.loads((folder / "config.json").read_text())
    assert (config["network"], config["sizes"], config["hidden"]) == ("lenet5", [784, 10], None)
    network, _ = load_network(folder)
    assert_close(network.state_dict(), outcome(folder)[0])


@pytest.mark.exhaustive
def test_its_pictures_have_the_kernels_among_them(small, tmp_path):
    done = subprocess.run(
        [sys.executable, str(TRAIN), *map(str, small), *LENET5, "--out", "out"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    pictures = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert pictures == {"curve.png", "confusion.png", "worst.png", "kernels.png"}


def test_a_stopped_run_is_resumed_to_the_same_result_bit_for_bit(train_py, small, run, tmp_path, monkeypatch):
    steps = []

    def after_step(self):
        steps.append(self.training.step)
        if len(steps) == 7:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "after_step", after_step)
        assert train_py(*small, *LENET5, "--out", tmp_path / "stopped")[0] == 130
    code, out, err = train_py("--resume", tmp_path / "stopped", *LENET5)
    assert (code, err) == (0, "")
    assert "in epoch 2, after 2 of its 5 steps.\n" in out
    assert_close(outcome(tmp_path / "stopped"), outcome(run), rtol=0, atol=0)


def test_a_resumed_run_keeps_its_network(train_py, small, run, tmp_path):
    code, _, err = train_py("--resume", run, "--network", "mlp")
    assert (code, err) == (2, f"train.py: --network cannot change on resume: the run in {run} has lenet5\n")
    code, _, err = train_py("--resume", run, "--hidden", 3)
    assert (code, err) == (2, f"train.py: {REFUSED['--hidden']}\n")
    assert train_py(*small, "--out", tmp_path / "mlp")[0] == 0
    code, _, err = train_py("--resume", tmp_path / "mlp", *LENET5)
    assert (code, err) == (2, f"train.py: --network cannot change on resume: the run in {tmp_path / 'mlp'} has mlp\n")


@pytest.mark.parametrize("layers", ["manualgrad", "torch"])
def test_for_the_cross_entropy_it_ends_in_a_linear_layer(layers):
    torch.manual_seed(0)
    with_softmax = make_lenet5(layers, "cross-entropy")
    torch.manual_seed(0)
    with_sigmoid = make_lenet5(layers)
    x = torch.rand(2, 784)
    assert_close(with_softmax(x).sigmoid(), with_sigmoid(x))
    assert with_softmax(x).softmax(1).sub(0.1).abs().max() < 0.1


def test_it_trains_for_the_cross_entropy_and_is_resumed(train_py, small, tmp_path):
    folder = tmp_path / "out"
    assert train_py(*small, *LENET5, "--cost", "cross-entropy", "--optimizer", "adam", "--out", folder)[0] == 0
    network, config = load_network(folder)
    assert config["cost"] == "cross-entropy"
    assert isinstance(network[-1], torch.nn.Identity)
    assert train_py("--resume", folder, "--epochs", 3)[0] == 0


def test_a_run_made_before_there_were_two_networks_is_an_mlp(train_py, small, tmp_path):
    folder = tmp_path / "old"
    assert train_py(*small, "--out", folder)[0] == 0
    config = json.loads((folder / "config.json").read_text())
    del config["network"]
    (folder / "config.json").write_text(json.dumps(config))
    assert load_network(folder)[1]["network"] == "mlp"
    state = files.load(folder / "checkpoint.pt")
    del state["config"]["network"]
    files.save(folder / "checkpoint.pt", state)
    assert train_py("--resume", folder, "--epochs", 3, "--network", "mlp")[0] == 0
    assert len(outcome(folder)[1]) == 3
    assert json.loads((folder / "config.json").read_text())["network"] == "mlp"


def test_compare_finds_its_layers_to_be_those_of_torch(train_py, small, tmp_path):
    code, out, err = train_py(*small, *LENET5, "--compare", "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert "lenet5 on fashion-mnist, manualgrad's layers compared with torch.nn's" in out
    assert "Largest relative difference of the costs in the first 10 steps: " in out
    assert "within assert_close's tolerance" in out


def test_torchs_layers_and_mixed_precision_train_it_too(train_py, small, run, tmp_path):
    assert train_py(*small, *LENET5, "--layers", "torch", "--out", tmp_path / "torch")[0] == 0
    assert_close(outcome(tmp_path / "torch"), outcome(run), rtol=1e-4, atol=1e-4)
    assert train_py(*small, *LENET5, "--amp", "bf16", "--out", tmp_path / "bf16")[0] == 0
    (_, metrics), (_, expected) = outcome(tmp_path / "bf16"), outcome(run)
    assert [m[1] for m in metrics] == pytest.approx([m[1] for m in expected], rel=0.05)
    assert metrics != expected


@pytest.mark.exhaustive
def test_it_is_compiled_and_trained_to_the_same(train_py, small, run, tmp_path):
    code, _, err = train_py(*small, *LENET5, "--compile", "--out", tmp_path / "compiled")
    assert code == 0, err
    assert_close(outcome(tmp_path / "compiled"), outcome(run), rtol=1e-3, atol=1e-4)


@pytest.mark.exhaustive
@pytest.mark.skipif(os.name != "posix", reason="torchrun on Windows has no gloo by default")
def test_two_processes_train_it_to_the_same(train_py, small, run, tmp_path):
    line = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", TRAIN, *small, *LENET5, "--device", "cpu"]
    done = subprocess.run(
        [*map(str, line), "--threads", "1", "--out", "two"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert_close(outcome(tmp_path / "two"), outcome(run), rtol=1e-4, atol=1e-4)


# Commands


def test_predict_takes_its_run(run, tmp_path, capsys):
    Image.fromarray((255 * torch.rand(28, 28)).byte().numpy()).save("image.png")
    code, out, err = manualgrad(capsys, "predict", "--checkpoint", run, "image.png")
    assert (code, err) == (0, "")
    assert out.startswith("Predictions of lenet5 from out\n")


@pytest.mark.parametrize("command", ["explain", "sensitivity", "average", "descent"])
def test_the_lessons_on_networks_of_neurons_say_that_they_are(command, run, capsys):
    code, out, err = manualgrad(capsys, command, "--checkpoint", run)
    assert (code, out) == (2, "")
    assert err == (
        f"manualgrad: --checkpoint: {run} contains a lenet5; this command supports only networks of Linear, sigmoid, ReLU and "
        "tanh layers (--network mlp)\n"
    )


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"network": "alexnet"}, "is damaged: unknown network 'alexnet'."),
        ({"network": ["lenet5"]}, "is damaged: unknown network ['lenet5']."),
        ({"sizes": [784, 16, 10]}, "is damaged: its sizes are [784, 16, 10], expected [784, 10] for lenet5."),
    ],
)
def test_a_damaged_run_is_named(config, message, run, capsys):
    kept = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(kept | config))
    code, _, err = manualgrad(capsys, "predict", "--checkpoint", run, "image.png")
    assert code == 2
    assert message.rstrip(".") in err

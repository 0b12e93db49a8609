"""The commands that show backpropagation, as their users run them."""

import json
import subprocess
import sys

import matplotlib.mathtext
import pytest
import torch
from test_data import write_dataset

from manualgrad import data
from manualgrad.cli import main
from manualgrad.derivation import derivation
from manualgrad.training import make_network

SIZES = [784, 12, 11, 10]


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")


def write_run(folder, sizes=SIZES, activation="sigmoid", **config):
    folder.mkdir()
    config = {"sizes": sizes, "activation": activation, "dataset": "fashion-mnist"} | config
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(make_network(sizes, activation).state_dict(), folder / "model.pt")
    return folder


@pytest.fixture
def run(tmp_path):
    """A run's folder, and beside it the data set that it is for, of 300 images."""
    write_dataset(tmp_path, train=300, test=50)
    return write_run(tmp_path / "run")


def manualgrad(capsys, command, *options):
    """Exit code, what it printed, and what it said of errors."""
    try:
        code = main([command, *map(str, options)])
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()


def with_run(run):
    return ("--checkpoint", run, "--data-dir", run.parent)


def is_picture(path):
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 10_000


COMMANDS = {
    "explain": (["explain", "--digit", 3], "What training image 3, a 3, wants of 784-12-11-10"),
    "explain one": (["explain", "--index", 14], "What training image 14, a 4, wants of"),
    "explain a neuron": (["explain", "--index", 14, "--neuron", 9], "Output 9 alone: bias"),
    "sensitivity": (["sensitivity", "--examples", 200], "times more sensitive to W"),
    "average": (["average"], "What 100 examples want of W"),
    "average of a weight": (["average", "--weight", "W1[4,300]"], "What 100 examples want of W1[4,300]"),
    "only one digit": (["average", "--only-digit", 2], "A network that listens to 2s alone"),
    "descent": (["descent", "--steps", 10, "--examples", 50], "Two ways down from 784-12-11-10"),
}


@pytest.mark.parametrize(("arguments", "printed"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_prints_tables_and_writes_a_picture(arguments, printed, run, capsys, tmp_path):
    code, out, err = manualgrad(capsys, *arguments, *with_run(run), "--out", "pictures/here.png")
    assert (code, err) == (0, "")
    assert printed in " ".join(out.split())
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "picture" in out.splitlines()[-1]
    assert out.splitlines()[-1].endswith("pictures/here.png")
    assert is_picture(tmp_path / "pictures" / "here.png")


def test_a_checkpoint_is_a_runs_folder_or_its_model(run, capsys, tmp_path):
    other = write_run(tmp_path / "other [bold]", [784, 40, 10], "relu")  # brackets are rich's markup elsewhere
    screens = []
    for checkpoint in (other, other / "model.pt"):
        options = ("--checkpoint", checkpoint, "--data-dir", tmp_path)
        code, out, err = manualgrad(capsys, "explain", *options)
        assert (code, err) == (0, "")
        assert str(checkpoint) in out.replace("\n", "")
        screens.append(out.split("\n\n", 1)[1])
    assert screens[0] == screens[1]


def test_the_network_of_a_run_is_the_one_explained(run, capsys):
    model = make_network(SIZES)
    model.load_state_dict(torch.load(run / "model.pt", weights_only=True))
    _, out, _ = manualgrad(capsys, "explain", "--index", 5, *with_run(run))
    training, _ = data.load("fashion-mnist", run.parent)
    for a in model(training.x[5]).tolist():
        assert f"{a:.4f}" in out


def test_without_a_checkpoint_a_short_training_comes_first(capsys, tmp_path):
    code, out, err = manualgrad(capsys, "explain", "--digit", 2)
    assert (code, err) == (0, "")
    assert "What training image 5, a 2, wants of 784-16-16-10 after 1 epoch (test accuracy" in " ".join(out.split())
    assert is_picture(tmp_path / "explain.png")


def test_epochs_0_is_the_untrained_network_of_the_notes(capsys):
    code, out, _ = manualgrad(capsys, "explain", "--epochs", 0)
    assert code == 0
    assert "wants of 784-16-16-10, untrained" in out


def test_the_same_seed_shows_the_same(run, capsys):
    screens = {manualgrad(capsys, "average", "--seed", seed, *with_run(run))[1] for seed in (1, 1, 2)}
    assert len(screens) == 2


# The chain and the derivation.


@pytest.mark.parametrize("layers", [1, 3, 8])
def test_the_chain_shows_every_factor(layers, capsys, tmp_path):
    code, out, err = manualgrad(capsys, "chain", "--layers", layers)
    assert (code, err) == (0, "")
    assert out.count("∂C₀/∂w") == layers
    assert "∂a⁽¹⁾/∂z⁽¹⁾ │ σ′(z⁽¹⁾) = (1 − a⁽¹⁾) a⁽¹⁾" in out
    assert is_picture(tmp_path / "chain.png")


def test_the_derivation_is_text_for_the_terminal(capsys):
    code, out, err = manualgrad(capsys, "derive")
    assert (code, err) == (0, "")
    assert "∂C₀/∂w⁽³⁾ = ∂z⁽³⁾/∂w⁽³⁾ · ∂a⁽³⁾/∂z⁽³⁾ · ∂C₀/∂a⁽³⁾\n    = a⁽²⁾ · σ′(z⁽³⁾) · 2 (a⁽³⁾ − y)" in out
    assert "Layer 1: 7 factors" in out
    assert "w⁽²⁾₀₁ · σ′(z⁽²⁾₀) · 2 (a⁽²⁾₀ − y₀) + w⁽²⁾₁₁ · σ′(z⁽²⁾₁) · 2 (a⁽²⁾₁ − y₁)" in out
    assert "the chain: 6 derivatives, less those of sympy.diff on the whole cost: 0" in out


def test_the_derivation_is_latex_for_a_document(capsys):
    code, out, _ = manualgrad(capsys, "derive", "--layers", 2, "--latex")
    assert code == 0
    assert r"&= a^{(1)} \cdot \sigma'{\left(z^{(2)} \right)} \cdot 2 \left(a^{(2)} - y\right)" in out
    assert out.isascii()
    assert out.count(r"\begin{align*}") == out.count(r"\end{align*}") == 6


def test_every_equation_is_latex_that_can_be_set():
    parser = matplotlib.mathtext.MathTextParser("path")
    for section in derivation(3):
        for equation in section.equations:
            parser.parse(f"${equation.latex.replace('&', '')}$")


# Bad input.


def without(run, name):
    (run / name).unlink()


def damaged(run, name, content=b"damaged"):
    (run / name).write_bytes(content)


def of_another_shape(run):
    torch.save(make_network([784, 5, 10]).state_dict(), run / "model.pt")


def of_another_data_set(run):
    (run / "config.json").write_text(json.dumps({"sizes": [4, 3, 10], "activation": "relu", "dataset": "fashion-mnist"}))
    torch.save(make_network([4, 3, 10]).state_dict(), run / "model.pt")


def with_config(**config):
    def change(run):
        (run / "config.json").write_text(
            json.dumps({"sizes": SIZES, "activation": "relu", "dataset": "fashion-mnist"} | config)
        )

    return change


DAMAGE = {
    "no model": (lambda run: without(run, "model.pt"), "model.pt cannot be read (No such file or directory)."),
    "no config": (lambda run: without(run, "config.json"), "config.json, with the network's sizes, cannot be read"),
    "a damaged model": (lambda run: damaged(run, "model.pt"), "model.pt is damaged, or was not written by torch.save."),
    "half a model": (
        lambda run: damaged(run, "model.pt", (run / "model.pt").read_bytes()[:5000]),
        "model.pt is damaged, or was not written by torch.save.",
    ),
    "no state_dict": (lambda run: torch.save([1, 2], run / "model.pt"), "does not hold the parameters of a network 784-12-11"),
    "another shape": (
        of_another_shape,
        "does not hold the parameters of a network 784-12-11-10, as config.json beside it says.",
    ),
    "no JSON": (lambda run: damaged(run, "config.json"), "config.json is damaged: it is no JSON"),
    "bytes": (lambda run: damaged(run, "config.json", b"\xff\xfe\x00"), "config.json is damaged: it is no JSON"),
    "no object": (lambda run: damaged(run, "config.json", b"[]"), "config.json is damaged: its sizes are None."),
    "no sizes": (with_config(sizes=[784]), "config.json is damaged: its sizes are [784]."),
    "huge sizes": (with_config(sizes=[784, 10**12, 10]), "does not hold the parameters of a network 784-1000000000000-10"),
    "no activation": (with_config(activation="tanh"), "config.json is damaged: its activation is 'tanh'."),
    "no data set": (with_config(activation="sigmoid", dataset="letters"), "config.json is damaged: its dataset is 'letters'."),
    "another data set": (of_another_data_set, "does not fit fashion-mnist, which has 784 inputs and 10 outputs"),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_run_exits_with_2_and_one_sentence(damage, message, run, capsys, tmp_path):
    damage(run)
    code, out, err = manualgrad(capsys, "explain", *with_run(run))
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("manualgrad: ")
    assert err.count("\n") == 1
    assert not (tmp_path / "explain.png").exists()


BAD = {
    "no label": (["explain", "--digit", 12], "--digit: no training image has the label 12; there are 0 to 9"),
    "no image": (["explain", "--index", 300], "--index: the training images are 0 to 299, and not 300"),
    "no neuron": (["explain", "--neuron", 10], "--neuron: the network has the outputs 0 to 9, and not 10"),
    "two examples": (["explain", "--digit", 2, "--index", 3], "argument --index: not allowed with argument --digit"),
    "no number": (["explain", "--index", "-1"], "argument --index: '-1' is not a whole number of 0 or more"),
    "trained twice": (["explain", "--epochs", 3], "--epochs is for a network trained now, and --checkpoint names one"),
    "too many": (["sensitivity", "--examples", 301], "--examples: there are 300 training examples, and not 301"),
    "none": (["sensitivity", "--examples", 0], "argument --examples: 0 is not a whole number above 0"),
    "no weight": (["average", "--weight", "W9[0,0]"], "--weight: the network has the layers 1 to 3, and no W9[0,0]"),
    "no such digit": (["average", "--only-digit", 11], "--only-digit: no training image has the label 11"),
    "few": (["descent", "--examples", 20], "--examples: must be from 21 to 300, and is 20"),
    "no folder": (["explain", "--out", "run/model.pt/here.png"], "--out: run/model.pt/here.png cannot be written"),
    "no picture": (["explain", "--out", "here.docx"], "--out: here.docx cannot be written (Format 'docx' is not supported"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_exits_with_2_and_one_sentence(arguments, message, run, capsys):
    code, _, err = manualgrad(capsys, *arguments, *with_run(run))
    assert code == 2
    assert message in err


@pytest.mark.parametrize("command", ["chain", "derive"])
def test_a_chain_longer_than_a_screen_is_refused(command, capsys):
    code, _, err = manualgrad(capsys, command, "--layers", 9)
    assert code == 2
    assert "--layers: up to 8 layers" in err


def test_a_run_that_is_not_there_exits_with_2(capsys):
    code, _, err = manualgrad(capsys, "sensitivity", "--checkpoint", "nowhere")
    assert code == 2
    assert "nowhere does not exist" in err


def test_data_that_is_not_there_exits_with_2(run, capsys, tmp_path, monkeypatch):
    def gone(*_):
        raise data.DataError("It is gone.")

    monkeypatch.setattr(data, "_download", gone)
    code, _, err = manualgrad(capsys, "explain", "--checkpoint", run, "--data-dir", tmp_path / "empty")
    assert (code, err) == (2, "manualgrad: It is gone.\n")


def test_every_command_has_help(capsys):
    for command in ("explain", "chain", "sensitivity", "average", "descent", "derive", "check"):
        code, out, _ = manualgrad(capsys, command, "--help")
        assert code == 0
        assert out.startswith(f"usage: manualgrad {command}")


def test_a_missing_extra_is_named_with_the_command_that_installs_it(tmp_path):
    hide = "import sys; sys.modules['matplotlib'] = None; from manualgrad.cli import main; sys.exit(main(['chain']))"
    done = subprocess.run([sys.executable, "-c", hide], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == 'manualgrad: matplotlib is missing: pip install "manualgrad[train]"\n'

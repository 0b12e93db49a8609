"""What train.py is asked for: recipes, what goes together, and what each option does to a run."""

import argparse
import json
import sys

import pytest
import torch
from runs import outcome

from manualgrad.training import comparison, options
from manualgrad.training.options import tomllib
from manualgrad.training.processes import Processes
from manualgrad.training.rates import default_rate

RECIPES = options.RECIPES


def parsed(*arguments, recipes=RECIPES, processes=Processes()):  # noqa: B008
    return options.options([*map(str, arguments)], "documentation", processes, recipes)[0]


def test_the_default_is_the_network_of_the_notes():
    chosen = parsed()
    assert (chosen.recipe, chosen.hidden, chosen.activation, chosen.layers) == ("notes", [16, 16], "sigmoid", "manualgrad")
    assert (chosen.cost, chosen.epochs, chosen.batch_size, chosen.lr) == ("quadratic", 30, 100, 5.0)
    assert (chosen.optimizer, chosen.schedule, chosen.distort, chosen.weight_decay) == ("sgd", "cosine", 0.0, 0.0)
    assert (chosen.engine, chosen.amp, chosen.clip_grad_norm, chosen.validation) == ("autograd", None, None, None)


def test_the_command_line_goes_before_the_recipe_and_the_recipe_before_the_notes():
    assert parsed("--recipe", "nielsen-30").hidden == [30]
    assert parsed("--recipe", "nielsen-30").batch_size == 10
    assert parsed("--recipe", "nielsen-30").epochs == 30
    assert parsed("--recipe", "nielsen-30", "--hidden", 5, 4, "--epochs", 2).hidden == [5, 4]
    assert parsed("--recipe", "nielsen-30", "--hidden", 5, 4, "--epochs", 2).epochs == 2


@pytest.mark.parametrize("cost", ["quadratic", "cross-entropy"])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "adamw"])
def test_a_learning_rate_that_is_not_given_is_the_default_one(optimizer, cost):
    chosen = parsed("--optimizer", optimizer, "--batch-size", 10, "--hidden", 100, "--activation", "tanh", "--cost", cost)
    assert (chosen.lr, chosen.lr_is_chosen_for) == default_rate([100], "tanh", 10, optimizer, cost=cost)
    given = parsed("--optimizer", optimizer, "--lr", 3)
    assert (given.lr, given.lr_is_chosen_for) == (3, "")


def test_the_recipes_name_their_learning_rates_but_for_those_that_have_the_default_one():
    named = {path.stem: "lr" in tomllib.loads(path.read_text()) for path in RECIPES.glob("*.toml")}
    assert named == {"notes": False, "nielsen-30": True, "nielsen-100": True, "best": True, "lenet5": False, "softmax": False}
    assert {parsed("--recipe", f"nielsen-{n}").lr for n in (30, 100)} == {0.5}


@pytest.mark.parametrize("recipe", [path.stem for path in RECIPES.glob("*.toml")])
def test_a_recipe_is_one_that_train_py_takes(recipe):
    chosen = parsed("--recipe", recipe)
    assert chosen.activation == {"lenet5": None, "softmax": "relu"}.get(recipe, "sigmoid")
    assert chosen.cost == ("cross-entropy" if recipe == "softmax" else "quadratic")
    assert chosen.layers == "manualgrad"


BAD_RECIPES = {
    'hidden = "many"': "argument --hidden: must be a positive integer, got 'many'",
    "hiden = [3]": "unrecognized arguments: --hiden 3",
    "hidden = [3": "invalid TOML (",
}


@pytest.mark.parametrize("recipe", BAD_RECIPES)
def test_a_bad_recipe_is_named_with_what_is_wrong_in_it(recipe, tmp_path, capsys):
    (tmp_path / "notes.toml").write_text((RECIPES / "notes.toml").read_text())
    (tmp_path / "mine.toml").write_text(recipe)
    with pytest.raises(SystemExit, match="2"):
        parsed("--recipe", "mine", recipes=tmp_path)
    assert f"train.py: {tmp_path / 'mine.toml'}: {BAD_RECIPES[recipe]}" in capsys.readouterr().err


@pytest.mark.parametrize("sizes", ["16,16", "16x16", "[16, 16]", "(16,16)", "16-16", "16;16"])
def test_sizes_that_are_not_separated_by_spaces_are_written_as_they_should_be(sizes, capsys):
    with pytest.raises(SystemExit) as stop:
        parsed("--hidden", sizes)
    assert stop.value.code == 2
    assert capsys.readouterr().err.endswith("separate them with spaces: --hidden 16 16\n")


@pytest.mark.parametrize("size", ["1.5", "many", "-3", "0"])
def test_what_is_no_size_is_said_to_be_none(size, capsys):
    with pytest.raises(SystemExit):
        parsed("--hidden", size)
    assert capsys.readouterr().err == f"train.py: argument --hidden: must be a positive integer, got {size!r}\n"


@pytest.mark.parametrize(
    ("option", "why"), {"--epochs": "must be below 2^63, got ", "--threads": "is above the maximum of 1024 threads"}.items()
)
def test_numbers_that_are_too_large_are_said_to_be(option, why, capsys):
    with pytest.raises(SystemExit):
        parsed(option, 2**63 if option == "--epochs" else 1025)
    assert why in capsys.readouterr().err


def test_a_network_that_does_not_fit_into_the_memory_is_a_sentence(train_py, tmp_path):
    code, out, err = train_py("--hidden", 2**60, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert f"--hidden: 784-{2**60}-10 does not fit in memory (" in err
    assert not (tmp_path / "out").exists()


def test_what_a_run_keeps_is_json_and_enough_to_resume_it():
    chosen = parsed("--data-dir", "here", "--device", "cpu")
    kept = options.config(chosen)
    assert json.loads(json.dumps(kept)) == kept
    assert kept["device"] == "cpu"
    missing = set(vars(chosen)) - set(kept)
    assert missing == {"out", "resume", "quiet", "compare", "lr_is_chosen_for"}


def test_a_recipe_has_lists_numbers_and_switches(tmp_path):
    (tmp_path / "notes.toml").write_text((RECIPES / "notes.toml").read_text())
    (tmp_path / "mine.toml").write_text("hidden = []\nlr = 1e-2\ncompile = true\nweight-decay = 0.5")
    chosen = parsed("--recipe", "mine", recipes=tmp_path)
    assert (chosen.hidden, chosen.lr, chosen.compile, chosen.weight_decay) == ([], 0.01, True, 0.5)


def test_without_the_recipes_train_py_says_what_is_missing(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        parsed(recipes=tmp_path)
    expected = f"train.py: {tmp_path / 'notes.toml'}: cannot read the recipe (No such file or directory)\n"
    assert capsys.readouterr().err == expected


IN_TWO = {
    "--engine backprop": "torchrun requires --engine autograd: backprop takes plain SGD steps in float32, in one process",
    "--compare": "torchrun cannot be combined with --compare, which trains two new networks in one process",
}


@pytest.mark.parametrize("option", IN_TWO)
def test_what_is_for_one_process_is_refused_in_two(option, capsys):
    with pytest.raises(SystemExit, match="2"):
        parsed(*option.split(), processes=Processes(0, 2))
    assert capsys.readouterr().err == f"train.py: {IN_TWO[option]}\n"


def test_a_device_of_its_own_is_torchruns_to_give(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SystemExit, match="2"):
        parsed("--device", "cuda:1", processes=Processes(0, 2))
    assert "--device cuda:1: torchrun gives each process its own device; use --device cuda" in capsys.readouterr().err


def test_more_processes_than_devices_are_refused(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    with pytest.raises(SystemExit, match="2"):
        parsed("--device", "cuda", processes=Processes(0, 3))
    assert "torchrun started 3 processes on this machine, which has 2 cuda device(s)" in capsys.readouterr().err


def test_one_process_a_machine_prints_what_is_wrong(capsys, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(SystemExit, match="2"):
        parsed("--epochs", 0)
    assert capsys.readouterr().err == ""


RESTARTS = {"TORCHELASTIC_MAX_RESTARTS": "2", "TORCHELASTIC_USE_AGENT_STORE": "True"}


def test_restarts_need_a_folder_to_find_the_checkpoint_in(capsys, monkeypatch):
    for name, value in RESTARTS.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match="2"):
        parsed()
    assert "--out is required with torchrun's --max-restarts" in capsys.readouterr().err
    assert parsed("--out", "here")


def test_restarts_on_several_machines_need_a_store_of_their_own(capsys, monkeypatch):
    for name, value in {**RESTARTS, "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    here = ("--device", "cpu", "--out", "here")
    with pytest.raises(SystemExit, match="2"):
        parsed(*here)
    assert "needs TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1" in capsys.readouterr().err
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "False")
    assert parsed(*here)


def test_a_process_started_anew_before_the_first_checkpoint_starts_the_run(train_py, small, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_MAX_RESTARTS", "2")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert train_py(*small, "--out", tmp_path / "out")[0] == 0
    before = outcome(tmp_path / "out")[1]
    code, out, _ = train_py(*small, "--out", tmp_path / "out")
    assert code == 0
    assert f"{tmp_path / 'out'} is finished after 2 epochs" in out
    assert outcome(tmp_path / "out")[1] == before


# What an option does to a run


def test_quiet_prints_nothing(train_py, small, tmp_path):
    assert train_py(*small, "--quiet", "--out", tmp_path / "out") == (0, "", "")
    assert train_py(*small, "--quiet", "--out", tmp_path / "out")[2] != ""


def test_threads_are_those_asked_for(train_py, small, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    assert train_py(*small, "--threads", 3, "--out", tmp_path / "out")[0] == 0
    assert asked[0] == 3


CHANGES = ["--optimizer momentum", "--optimizer adamw", "--schedule constant", "--schedule step", "--weight-decay 0.1"]
CHANGES += ["--clip-grad-norm 0.001", "--distort 1", "--amp bf16", "--amp fp16", "--validation 10", "--activation relu"]
CHANGES += ["--optimizer adam", "--activation tanh", "--cost cross-entropy"]


@pytest.mark.parametrize("option", CHANGES)
def test_an_option_changes_what_is_trained_and_is_kept(option, train_py, small, tmp_path):
    assert train_py(*small, "--out", tmp_path / "plain")[0] == 0
    assert train_py(*small, *option.split(), "--out", tmp_path / "out")[0] == 0
    (plain, _), (other, _) = outcome(tmp_path / "plain"), outcome(tmp_path / "out")
    assert any(not torch.equal(plain[name], other[name]) for name in plain)
    name, value = option[2:].split()
    kept = json.loads((tmp_path / "out" / "config.json").read_text())[name.replace("-", "_")]
    assert str(kept) == value or kept == pytest.approx(float(value))


def test_torchs_layers_train_the_same_network(train_py, small, tmp_path):
    assert train_py(*small, "--out", tmp_path / "ours")[0] == 0
    assert train_py(*small, "--layers", "torch", "--out", tmp_path / "theirs")[0] == 0
    torch.testing.assert_close(outcome(tmp_path / "ours"), outcome(tmp_path / "theirs"))


def test_validation_tests_on_the_last_training_images_and_trains_on_the_others(train_py, small, tmp_path, monkeypatch):
    seen = {}

    def note(chosen, sizes, layers, training, test, processes):
        seen.update(training=training, test=test)
        raise SystemExit(0)

    whole, _ = train_py.train.read_data(parsed(*small, "--device", "cpu"))
    monkeypatch.setattr(train_py.train, "make_training", note)
    train_py(*small, "--validation", 10, "--device", "cpu")
    assert torch.equal(seen["training"].x, whole.x[:40])
    assert torch.equal(seen["test"].x, whole.x[40:])
    code, _, err = train_py(*small, "--validation", 50)
    assert (code, err) == (2, "train.py: --validation must leave images to train on, got 50 of 50 training images.\n")


def test_tensorboard_is_told_the_numbers_the_gradients_and_the_weights(train_py, small, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert train_py(*small, "--tensorboard", "--out", tmp_path / "out")[0] == 0
    log = EventAccumulator(str(tmp_path / "out" / "tensorboard"), size_guidance={"histograms": 0})
    log.Reload()
    parameters, metrics = outcome(tmp_path / "out")
    numbers = {"cost", "test_cost", "accuracy", "training_accuracy", "lr", "seconds"}
    assert set(log.Tags()["scalars"]) == numbers | {f"gradient norm/{name}" for name in parameters}
    assert set(log.Tags()["histograms"]) == set(parameters)
    assert [(e.step, e.value) for e in log.Scalars("cost")] == [(m[0], pytest.approx(m[1])) for m in metrics]
    assert all(event.value > 0 for name in parameters for event in log.Scalars(f"gradient norm/{name}"))
    assert len(log.Histograms("0.weight")) == 2


def test_without_tensorboard_the_extra_is_named(train_py, small, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.delitem(sys.modules, "manualgrad.training.tensorboard", raising=False)
    code, _, err = train_py(*small, "--tensorboard", "--out", tmp_path / "out")
    assert code == 2
    assert err == 'train.py: --tensorboard: tensorboard is missing: pip install -e ".[tensorboard]"\n'
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("how", [(), ("--cost", "cross-entropy", "--activation", "tanh", "--optimizer", "adam")])
def test_compare_shows_both_layers_side_by_side(how, train_py, small, tmp_path):
    code, out, err = train_py(*small, *how, "--compare", "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert "Largest relative difference of the costs in the first 10 steps: " in out
    assert "within assert_close's tolerance" in out
    assert "within half a point" in out
    assert "s with manualgrad's layers" in out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["compare.png"]
    assert (tmp_path / "out" / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_compare_finds_layers_that_compute_something_else(train_py, small, tmp_path, monkeypatch):
    make = train_py.train.make_training

    def wrong(chosen, sizes, layers, *rest):
        if layers == "manualgrad":
            chosen = argparse.Namespace(**{**vars(chosen), "lr": 1.01 * chosen.lr})
        return make(chosen, sizes, layers, *rest)

    monkeypatch.setattr(train_py.train, "make_training", wrong)
    monkeypatch.setattr(comparison, "_POINTS", -1)
    code, out, _ = train_py(*small, "--compare", "--out", tmp_path / "out")
    assert code == 1
    assert "more than assert_close allows" in out
    assert "more than half a point" in out

"""What the commands that show backpropagation have in common, as their users run them."""

import shutil
import subprocess

import pytest
from datasets import write_dataset
from paths import ROOT
from screens import is_picture, manualgrad, with_run

import manualgrad.commands.network as commands_network

COMMANDS = {
    "explain": (["explain", "--digit", 3], "a 3, wants of 784-12-11-10"),
    "explain one": (["explain", "--index", 14], "What training image 14, a 4, wants of"),
    "explain a neuron": (["explain", "--index", 14, "--neuron", 9], "Output 9 alone: bias"),
    "sensitivity": (["sensitivity", "--examples", 200], "times more sensitive to W"),
    "average": (["average"], "What 100 examples want of W"),
    "average of a weight": (["average", "--weight", "W1[4,300]"], "What 100 examples want of W1[4,300]"),
    "only one digit": (["average", "--only-digit", 2], "A network that listens to 2s alone"),
    "descent": (["descent", "--steps", 10, "--examples", 50], "Two ways down from 784-12-11-10"),
}


@pytest.mark.few(5)
@pytest.mark.parametrize(("arguments", "printed"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_prints_tables_and_writes_a_picture(arguments, printed, run, capsys, tmp_path):
    code, out, err = manualgrad(capsys, *arguments, *with_run(run), "--out", "pictures/here.png")
    assert (code, err) == (0, "")
    assert printed in " ".join(out.split())
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "picture" in out.splitlines()[-1]
    assert out.splitlines()[-1].endswith("pictures/here.png")
    assert is_picture(tmp_path / "pictures" / "here.png")


BAD = {
    "no label": (
        ["explain", "--digit", 12],
        "--digit: no training image has the label 12; the labels are 0 to 9",
    ),
    "no image": (["explain", "--index", 300], "--index must be a training image from 0 to 299, got 300"),
    "no neuron": (["explain", "--neuron", 10], "--neuron must be an output from 0 to 9, got 10"),
    "two examples": (["explain", "--digit", 2, "--index", 3], "argument --index: not allowed with argument --digit"),
    "no number": (["explain", "--index", "-1"], "argument --index: invalid value '-1': expected a non-negative integer"),
    "trained twice": (["explain", "--epochs", 3], "--epochs cannot be combined with --checkpoint"),
    "too many": (["sensitivity", "--examples", 301], "--examples must be at most 300, all training examples, got 301"),
    "none": (["sensitivity", "--examples", 0], "argument --examples: invalid value '0': expected a positive integer"),
    "no weight": (["average", "--weight", "W9[0,0]"], "--weight: expected a layer from 1 to 3, got W9[0,0]"),
    "no such digit": (["average", "--only-digit", 11], "--only-digit: no training image has the label 11"),
    "few": (["descent", "--examples", 20], "--examples must be from 21 to 300, got 20"),
    "no folder": (["explain", "--out", "run/model.pt/here.png"], "--out: run/model.pt/here.png cannot be written"),
    "no picture": (
        ["explain", "--out", "here.docx"],
        "--out: here.docx cannot be written (it must end in one of .",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_exits_with_2_and_one_sentence(arguments, message, run, capsys):
    code, _, err = manualgrad(capsys, *arguments, *with_run(run))
    assert code == 2
    assert message in err


IMPOSSIBLE = {
    "no label": (["explain", "--digit", 10], "--digit: no training image has the label 10; the labels are 0 to 9"),
    "no image": (["explain", "--index", 60_000], "--index must be a training image from 0 to 59999, got 60000"),
    "no neuron": (["explain", "--neuron", 10], "--neuron must be an output from 0 to 9, got 10"),
    "too many": (["sensitivity", "--examples", 60_001], "--examples must be at most 60000, all training examples, got 60001"),
    "no weight": (
        ["average", "--weight", "W3[10,0]"],
        "--weight: expected a weight of layer 3 from W3[0,0] to W3[9,15], got W3[10,0]",
    ),
    "not a weight": (["average", "--weight", "W3"], "--weight: expected a weight such as W3[2,5]"),
    "no such digit": (
        ["average", "--only-digit", 12],
        "--only-digit: no training image has the label 12; the labels are 0 to 9",
    ),
    "a rate of nothing": (["average", "--lr", 1], "--lr requires --only-digit"),
    "few": (["descent", "--epochs", 1, "--examples", 20], "--examples must be from 21 to 60000, got 20"),
    "no folder": (["explain", "--data-dir", ""], "argument --data-dir: must be a folder, got ''"),
    "no file": (["explain", "--out", ""], "argument --out: must be a file or a folder, got ''"),
}


@pytest.mark.parametrize(("arguments", "message"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_cannot_be_done_is_said_before_a_network_is_trained(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(commands_network, "_train", lambda *_: pytest.fail("it trained"))
    code, out, err = manualgrad(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_an_index_is_explained_whatever_digits_there_are(run, capsys):
    write_dataset(run.parent, train=2, test=2)
    code, out, _ = manualgrad(capsys, "explain", "--index", 1, *with_run(run))
    assert code == 0
    assert "What training image 1, a 1, wants of" in out


@pytest.mark.parametrize("command", ["chain", "derive"])
def test_a_chain_longer_than_a_screen_is_refused(command, capsys):
    code, _, err = manualgrad(capsys, command, "--layers", 9)
    assert code == 2
    assert "--layers must be at most 8" in err


@pytest.mark.parametrize("command", ["explain", "sensitivity", "average", "descent"])
def test_a_picture_that_cannot_be_written_is_refused_before_any_work(command, run, capsys, monkeypatch):
    monkeypatch.setattr(commands_network, "load", lambda *_: pytest.fail("it worked"))
    for out in ("here.docx", "run/model.pt/here.png"):
        code, _, err = manualgrad(capsys, command, *with_run(run), "--out", out)
        assert code == 2
        assert f"--out: {out} cannot be written" in err
    assert not list(run.parent.glob("here*"))


@pytest.mark.parametrize(
    "command", ["explain --checkpoint", "predict picture.png --checkpoint", "explain --data-dir", "chain --out"]
)
def test_a_name_that_is_too_long_is_a_sentence(command, capsys):
    code, out, err = manualgrad(capsys, *command.split(), "n" * 300)
    assert (code, out) == (2, "")
    assert err.startswith("manualgrad: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("there", [True, False])
def test_a_picture_is_put_into_the_folder_that_is_named(there, capsys, tmp_path):
    folder = tmp_path / "my pictures.d"
    if there:
        folder.mkdir()
    code, out, _ = manualgrad(capsys, "chain", "--out", folder if there else f"{folder}/")
    assert code == 0
    assert out.splitlines()[-1] == f"The picture: {folder / 'chain.png'}"
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.is_file()] == [
        "my pictures.d/chain.png"
    ]


def test_pictures_go_to_where_git_ignores_them(capsys, tmp_path):
    shutil.copy(ROOT / ".gitignore", tmp_path)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert manualgrad(capsys, "chain")[0] == 0
    assert is_picture(tmp_path / "runs" / "chain.png")
    status = subprocess.run(["git", "status", "--porcelain"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert status.stdout == "?? .gitignore\n"


def test_a_picture_without_an_ending_is_a_png_and_is_named_in_full(capsys, tmp_path):
    code, out, _ = manualgrad(capsys, "chain", "--out", "here")
    assert code == 0
    assert out.splitlines()[-1] == "The picture: here.png"
    assert [path.name for path in tmp_path.iterdir()] == ["here.png"]

"""The programs of examples/, on small settings: they run, print what they promise, and are by hand throughout."""

import importlib.util

import pytest
import torch
from paths import ROOT

EXAMPLES = ROOT / "examples"


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_tested():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {"gpt", "vit_mnist", "score_matching", "resnet_by_hand"}


@pytest.mark.exhaustive
def test_the_resnet_is_by_hand_and_compiles_to_the_same_gradients(capsys):
    example("resnet_by_hand").main(size=32)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("torch.nn:") and " 0.0%" in lines[0]  # noqa: PT018
    assert lines[2].endswith("100.0%")
    costs = [float(c) for c in lines[3].partition(": ")[2].split(", ")]
    assert costs == sorted(costs, reverse=True)


def test_the_gpt_trains_on_a_text_of_ones_own_and_writes(capsys, tmp_path):
    text = tmp_path / "mine.txt"
    text.write_text("to be or not to be, that is the question; " * 10)
    assert example("gpt").main([str(text), "--steps", "30", "--batch-size", "4"]) == 0
    out = capsys.readouterr().out
    assert "100.0% of the gradients are by hand" in out
    costs = [float(line.split("cost")[1].split()[0]) for line in out.splitlines() if "cost" in line]
    assert costs[-1] < costs[0] / 2
    assert len(out.partition("It writes:\n")[2]) >= 400


def test_the_gpts_gradients_are_torch_nns(capsys):
    assert example("gpt").main(["--check"]) == 0
    assert "of the largest" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["nothing.txt"], ["--steps", "0"], ["--batch-size", "0"]])
def test_the_gpt_refuses_bad_input_in_a_sentence(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        example("gpt").main(arguments)
    assert stop.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_the_vit_learns_and_is_by_hand(capsys):
    assert example("vit_mnist").main(["--epochs", "1", "--images", "3000"]) == 0
    out = capsys.readouterr().out
    assert "100.0% of the gradients are by hand" in out
    assert float(out.rpartition("epoch 1")[2].split("%")[0]) > 25


def test_score_matching_learns_and_torch_nn_cannot(capsys):
    assert example("score_matching").main(["--steps", "40"]) == 0
    lines = capsys.readouterr().out.splitlines()
    errors = [float(line.split("score")[1].split("%")[0]) for line in lines if "error of the score" in line]
    assert errors[-1] < errors[0]
    assert "forward AD" in lines[-1] or "has a gradient now" in lines[-1]

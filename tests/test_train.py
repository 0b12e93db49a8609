"""train.py, as its users run it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
import torch
from datasets import write_dataset
from paths import TRAIN

from manualgrad.training.loop import make_network
from manualgrad.training.runs import load_checkpoint


def command(*options, cwd):
    return subprocess.run(
        [sys.executable, str(TRAIN), *map(str, options)], cwd=cwd, capture_output=True, text=True, timeout=300
    )


def test_the_command_trains_the_network_of_the_notes_on_mnist(tmp_path):
    done = command("--epochs", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout, "no colour and no bar where the output is no terminal"
    assert "784-16-16-10 (sigmoid) on mnist: 13,002 parameters, on " in done.stdout
    assert "60,000 training images, 10,000 test images" in done.stdout
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.endswith("-mnist-784-16-16-10")
    assert ":" not in folder.name
    pictures = ["confusion.png", "curve.png", "worst.png"]
    others = ["checkpoint.previous.pt", "checkpoint.pt", "config.json", "metrics.jsonl", "model.pt"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(pictures + others)

    (line,) = (folder / "metrics.jsonl").read_text().splitlines()
    metrics = json.loads(line)
    assert metrics["epoch"] == 1
    assert metrics["accuracy"] > 0.85
    assert f"{metrics['accuracy']:.2%}" in done.stdout

    config = json.loads((folder / "config.json").read_text())
    assert config["sizes"] == [784, 16, 16, 10]
    assert config["lr"] == 5.0
    assert config["versions"]["torch"] == torch.__version__

    model = make_network(config["sizes"], config["activation"])
    model.load_state_dict(torch.load(folder / "model.pt", weights_only=True))
    for picture in pictures:
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")


@pytest.mark.exhaustive
def test_the_command_trains_on_files_of_another_data_set(tmp_path):
    write_dataset(tmp_path, "FashionMNIST", train=200, packed=True)
    options = ("--dataset", "fashion-mnist", "--data-dir", tmp_path, "--hidden", 12, "--batch-size", 7, "--out", "here")
    done = command(*options, "--activation", "relu", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "200 training images, 20 test images" in done.stdout
    assert len((tmp_path / "here" / "metrics.jsonl").read_text().splitlines()) == 30


@pytest.mark.exhaustive
@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_saves_what_was_trained_so_far(tmp_path):
    write_dataset(tmp_path, train=2000)
    options = (
        "--dataset",
        "fashion-mnist",
        "--data-dir",
        tmp_path,
        "--batch-size",
        1,
        "--epochs",
        10_000,
        "--out",
        tmp_path / "out",
    )
    process = subprocess.Popen(
        [sys.executable, str(TRAIN), *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored, if pytest runs in a shell's background
    )
    metrics = tmp_path / "out" / "metrics.jsonl"
    give_up = time.monotonic() + 120
    while not (metrics.is_file() and metrics.read_text().count("\n") >= 2):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < give_up
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "the network was saved" in out
    make_network([784, 16, 16, 10]).load_state_dict(torch.load(tmp_path / "out" / "model.pt", weights_only=True))
    assert (tmp_path / "out" / "curve.png").is_file()


BAD_OPTIONS = {
    "--hidden -3": "must be a positive integer, got '-3'",
    "--hidden 16 0": "must be a positive integer, got '0'",
    "--epochs 0": "must be a positive integer, got '0'",
    "--epochs many": "must be a positive integer, got 'many'",
    "--batch-size -1": "must be a positive integer, got '-1'",
    "--lr 0": "must be a positive finite number, got '0'",
    "--lr nan": "must be a positive finite number, got 'nan'",
    "--lr inf": "must be a positive finite number, got 'inf'",
    "--lr fast": "must be a positive finite number, got 'fast'",
    "--seed -1": "must be an integer from 0 to 2^63 - 1, got '-1'",
    "--seed 9223372036854775808": "must be an integer from 0 to 2^63 - 1",
    "--activation gelu": "invalid choice: 'gelu'",
    "--cost entropy": "invalid choice: 'entropy'",
    "--engine backprop --optimizer adam": "--optimizer adam requires --engine autograd",
    "--dataset cifar": "invalid choice: 'cifar'",
    "--device tpu": "must be auto, cpu, cuda, cuda:N (such as cuda:0) or mps, got 'tpu'",
    "--device cuda:x": "must be auto, cpu, cuda, cuda:N (such as cuda:0) or mps, got 'cuda:x'",
    "--device cpu:1": "must be auto, cpu, cuda, cuda:N (such as cuda:0) or mps, got 'cpu:1'",
    "--device cuda:99": "'cuda:99' is not available: this machine has ",
    "--engine hand": "invalid choice: 'hand'",
    "--engine backprop --compile": "--compile requires --engine autograd: backprop takes plain SGD steps in float32",
    "--engine backprop --amp bf16": "--amp requires --engine autograd",
    "--engine backprop --optimizer adamw": "--optimizer adamw requires --engine autograd",
    "--engine backprop --layers torch": "--layers torch requires --engine autograd",
    "--engine backprop --compare": "--compare requires --engine autograd",
    "--compare --layers torch": "--layers torch cannot be combined with --compare",
    "--save-every 0": "must be a number of epochs, such as 1, or of seconds, such as 30s, got '0'",
    "--save-every 5m": "such as 30s, got '5m'",
    "--save-every infs": "such as 30s, got 'infs'",
    "--amp int8": "invalid choice: 'int8'",
    "--weight-decay -1": "must be a non-negative finite number, got '-1'",
    "--distort nan": "must be a non-negative finite number, got 'nan'",
    "--clip-grad-norm 0": "must be a positive finite number, got '0'",
    "--threads 0": "must be a positive integer, got '0'",
    "--validation 0": "must be a positive integer, got '0'",
    "--recipe cake": "invalid choice: 'cake'",
    "--resume ''": "argument --resume: must be a folder, such as runs/mine, got ''",
    "--out ''": "argument --out: must be a folder, such as runs/mine, got ''",
    "--data-dir ''": "argument --data-dir: must be a folder, such as runs/mine, got ''",
    "--data-dir nowhere": "--data-dir: nowhere/MNIST/raw does not contain train-images-idx3-ubyte or its .gz",
    "--resume runs/nowhere": "cannot be read (No such file or directory)",
    "--momentum 0.9": "unrecognized arguments: --momentum",
}


@pytest.mark.parametrize(("options", "sentence"), BAD_OPTIONS.items(), ids=BAD_OPTIONS)
def test_a_bad_option_ends_in_one_sentence_and_exit_code_2(options, sentence, train_py, tmp_path):
    code, out, err = train_py(*shlex.split(options))
    assert code == 2
    assert out == ""
    assert sentence in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_on_a_machine_without_one_is_a_bad_option(train_py):
    code, _, err = train_py("--device", "cuda")
    assert code == 2
    assert "'cuda' is not available: this machine has no cuda device(s)" in err


def test_the_command_exits_with_2_too(tmp_path):
    done = command("--epochs", "-1", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "train.py: argument --epochs: must be a positive integer, got '-1'\n"


def test_a_folder_that_cannot_be_written_to_is_refused_before_training(train_py, small, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for folder in (file, file / "out"):
        code, out, err = train_py(*small, "--out", folder)
        assert code == 2
        assert out == ""
        assert f"--out: cannot write to {folder} (" in err


def test_an_earlier_run_is_not_overwritten(train_py, small, tmp_path):
    assert train_py(*small, "--out", tmp_path / "out")[0] == 0
    before = (tmp_path / "out" / "model.pt").read_bytes()
    code, _, err = train_py(*small, "--out", tmp_path / "out", "--seed", 1)
    assert code == 2
    assert "already holds a run" in err
    assert (tmp_path / "out" / "model.pt").read_bytes() == before


def test_damaged_data_are_named_before_training(train_py, small, tmp_path):
    damaged = tmp_path / "data" / "FashionMNIST" / "raw" / "train-labels-idx1-ubyte"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    code, out, err = train_py(*small)
    assert code == 2
    assert out == ""
    assert "train-labels-idx1-ubyte is damaged" in err


def test_the_same_seed_gives_the_same_network(train_py, small, tmp_path):
    networks = []
    for out, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert train_py(*small, "--seed", seed, "--out", tmp_path / out)[0] == 0
        networks.append(torch.load(tmp_path / out / "model.pt", weights_only=True)["0.weight"])
    assert torch.equal(networks[0], networks[1])
    assert not torch.equal(networks[0], networks[2])


def trained(train_py, small, out, *options):
    assert train_py(*small, "--out", out, *options)[0] == 0
    config = json.loads((out / "config.json").read_text())
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return config, torch.load(out / "model.pt", weights_only=True), [(m["cost"], m["accuracy"], m["lr"]) for m in metrics]


def test_the_engines_train_the_same_network(train_py, small, tmp_path):
    config, network, metrics = trained(train_py, small, tmp_path / "autograd")
    config_of_backprop, *by_backprop = trained(train_py, small, tmp_path / "backprop", "--engine", "backprop")
    assert (config["engine"], config_of_backprop["engine"]) == ("autograd", "backprop")
    torch.testing.assert_close(by_backprop, [network, metrics])


@pytest.mark.exhaustive
def test_a_compiled_network_is_trained_to_the_same(train_py, small, tmp_path):
    _, *expected = trained(train_py, small, tmp_path / "eager")
    config, *compiled = trained(train_py, small, tmp_path / "compiled", "--compile")
    assert config["compile"] is True
    torch.testing.assert_close(compiled, expected)


def test_a_machine_that_cannot_compile_is_told_so_before_anything_is_written(train_py, small, tmp_path, monkeypatch):
    def fails(model):
        def forward(x):
            raise torch._dynamo.exc.TorchDynamoException("no compiler here\nand more of it")

        model.forward = forward

    monkeypatch.setattr(torch.nn.Module, "compile", fails)
    code, out, err = train_py(*small, "--compile", "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert err == "train.py: --compile: torch.compile failed on this machine (no compiler here).\n"
    assert not (tmp_path / "out").exists()


def test_a_learning_rate_that_was_chosen_is_printed_with_the_reason(train_py, small, tmp_path):
    _, out, _ = train_py(*small, "--hidden", 500, "--out", tmp_path / "out")
    reason = "chosen for sigmoid layers of up to 500 neurons and mini-batches of 10; --lr overrides it"
    assert f"learning rate 0.16, {reason}\n" in out
    assert json.loads((tmp_path / "out" / "config.json").read_text())["lr"] == pytest.approx(0.16)
    assert "learning rate 3\n" in train_py(*small, "--lr", 3, "--out", tmp_path / "given")[1]


WORSE = {
    "relu in large steps": (
        ("--activation", "relu", "--lr", 1000),
        "no better than guessing: try --lr 0.1, the default here",
    ),
    "a deep network of sigmoids": (("--hidden", *[16] * 9, "--lr", 1e-9), "or --optimizer adamw, or --activation relu"),
}


@pytest.mark.parametrize(("options", "said"), WORSE.values(), ids=WORSE)
def test_a_training_that_does_not_train_says_so_once_and_in_the_last_lines(options, said, train_py, small, tmp_path, watched):
    code, out, err = train_py(*small, *options, "--epochs", 4, "--out", tmp_path / "out")
    assert code == 0
    assert err.startswith("train.py: after epoch 1 the accuracy is ")
    assert said in err
    assert err.count("\n") == 1
    assert "Training problem: after epoch 4 the accuracy is " in out


@pytest.fixture
def watched(train_py, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(train_py.train, "draw", lambda *run: None)


def test_a_cost_that_is_no_number_ends_the_training_and_leaves_the_checkpoint_before_it(train_py, small, tmp_path, watched):
    lost = ("--activation", "relu", "--lr", 1e30, "--epochs", 9, "--out", tmp_path / "out", "--save-every", "1e-9s")
    code, out, err = train_py(*small, *lost)
    assert code == 1
    assert "after epoch 1 the cost is no longer finite: try --lr 0.1, the default here" in err
    assert "The network was not saved; checkpoint.pt holds the last finite one." in out
    assert not (tmp_path / "out" / "model.pt").exists()
    assert len((tmp_path / "out" / "metrics.jsonl").read_text().splitlines()) == 1
    network = load_checkpoint(tmp_path / "out").training["model"]
    assert all(tensor.isfinite().all() for tensor in network.values())


def test_a_product_library_that_is_none_is_named(tmp_path):
    environment = {**os.environ, "MANUALGRAD_PRODUCT": "numpy"}
    done = subprocess.run([sys.executable, str(TRAIN)], capture_output=True, text=True, env=environment)
    assert done.returncode == 2
    assert done.stderr == "train.py: MANUALGRAD_PRODUCT must be 'torch' or 'onednn', got 'numpy'\n"


@pytest.mark.exhaustive
def test_a_missing_extra_is_named_with_the_command_that_installs_it(tmp_path):
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError(\"No module named 'rich'\", name='rich')")
    done = subprocess.run(
        [sys.executable, str(TRAIN)], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )
    assert done.returncode == 2
    assert done.stderr == 'train.py: rich is missing: pip install -e ".[train]"\n'


@pytest.mark.parametrize(
    ("engine", "ready"), {"autograd": "fused formulas are ready after", "backprop": "the fused step is ready after"}.items()
)
def test_a_fused_training_says_so_learns_the_same_and_resumes_bit_for_bit(engine, ready, train_py, small, tmp_path):
    settings = (*small, "--schedule", "constant", "--engine", engine)
    results = {}
    for name, options in {"operators": (), "fused": ("--fused",)}.items():
        code, out, _ = train_py(*settings, *options, "--out", tmp_path / name)
        assert code == 0
        assert (ready in out) == ("fused formulas, " in out) == (name == "fused")
        results[name] = torch.load(tmp_path / name / "model.pt")
    torch.testing.assert_close(results["fused"], results["operators"], rtol=1e-4, atol=1e-5)
    assert train_py(*settings, "--fused", "--epochs", 1, "--out", tmp_path / "half")[0] == 0
    code, out, _ = train_py("--resume", tmp_path / "half", "--epochs", 2)
    assert code == 0
    assert ready in out
    resumed = torch.load(tmp_path / "half" / "model.pt")
    assert all(torch.equal(resumed[key], value) for key, value in results["fused"].items())


@pytest.mark.parametrize("options", [("--layers", "torch"), ("--compile",)])
def test_fused_is_for_manualgrads_layers(train_py, small, options):
    code, _, err = train_py(*small, "--fused", *options)
    assert code == 2
    assert "--fused " in err

"""`manualgrad COMMAND ...` in this process, on a run that no training made."""

import json

import torch

from manualgrad.cli import main
from manualgrad.training.loop import make_network

SIZES = [784, 12, 11, 10]


def write_run(folder, sizes=SIZES, activation="sigmoid", **config):
    folder.mkdir()
    config = {"sizes": sizes, "activation": activation, "dataset": "fashion-mnist"} | config
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(make_network(sizes, activation).state_dict(), folder / "model.pt")
    return folder


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

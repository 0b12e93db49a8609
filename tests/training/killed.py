"""Runs train.py to FOLDER/whole, and to FOLDER/killed, killing it KILLS times; prints what each kill left, as JSON.

python tests/training/killed.py FOLDER KILLS OPTION...
"""

import importlib.util
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
import torch._dynamo  # which the first optimizer would import, each time

from manualgrad.training.runs import has_checkpoint, load_checkpoint

TRAIN = Path(__file__).parent.parent.parent / "train.py"
spec = importlib.util.spec_from_file_location("train", TRAIN)
train = importlib.util.module_from_spec(spec)
spec.loader.exec_module(train)
train.draw = lambda *run: None  # the pictures take longer than the training


def start(*options):
    """train.py in a process of its own, which is forked, so that it is at work at once."""
    process = os.fork()
    if process == 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        sys.argv = ["train.py", *options]
        try:
            code = train.main()
        except SystemExit as stop:
            code = stop.code
        os._exit(code)
    return process


def finish(*options):
    """The exit code of train.py left to itself."""
    _, status = os.waitpid(start(*options), 0)
    return os.waitstatus_to_exitcode(status)


def main(folders, kills, *options):
    torch.set_num_threads(1)  # a forked process cannot use the threads of another
    whole = finish(*options, "--out", f"{folders}/whole")
    folder = f"{folders}/killed"
    options = (*options, "--save-every", "0.01s")
    moments = random.Random(0)
    left: list[tuple[int, int]] = []
    begun = time.monotonic()
    while len(left) < kills:
        process = start(*(("--resume", folder) if left else (*options, "--out", folder)))
        if not left:
            while not has_checkpoint(Path(folder)):
                time.sleep(0.001)
            until_at_work = time.monotonic() - begun
        else:
            time.sleep(moments.uniform(0, 2 * until_at_work + 0.1))  # half of the time before, half of it at work
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        state = load_checkpoint(Path(folder)).training
        left.append((len(state["results"]), state["step"]))
    print(json.dumps({"left": left, "codes": [whole, finish("--resume", folder, "--save-every", "30s")]}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])

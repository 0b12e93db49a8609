"""`manualgrad sensitivity`."""

import re

import torch
from datasets import write_dataset
from screens import manualgrad, with_run, write_run

from manualgrad.training.runs import load_network


def sensitivity(capsys, run):
    code, out, err = manualgrad(capsys, "sensitivity", "--examples", 100, *with_run(run))
    assert (code, err) == (0, "")
    assert all(len(line) <= 80 for line in out.splitlines())
    return " ".join(out.split())


def test_two_weights_are_compared_in_a_sentence_and_both_are_in_the_table(run, capsys):
    printed = sensitivity(capsys, run)
    times, first, other = re.search(r"C is ([\d,]+) times more sensitive to (W\S+) than to (W\S+)\.", printed).groups()
    assert re.search(rf"│ 1 │ {re.escape(first)} ", printed)
    assert re.search(rf"│ {re.escape(other)} +│ \S+ │ {times}", printed)


def test_of_weights_without_effect_no_number_is_claimed(capsys, tmp_path):
    """Where no neuron of the first layer is active, no weight behind it matters, nor any before it."""
    write_dataset(tmp_path, train=300, test=50)
    run = write_run(tmp_path / "run", [784, 30, 10], "relu")
    model, _ = load_network(run)
    with torch.no_grad():
        model[0].bias.fill_(-1e4)
    torch.save(model.state_dict(), run / "model.pt")
    printed = sensitivity(capsys, run)
    assert "C does not depend on any weight: every derivative is 0." in printed
    assert "inf" not in printed
    assert "nan" not in printed
    assert "∞" in printed

"""`manualgrad explain`."""

import re

import pytest
import torch
from screens import SIZES, manualgrad, with_run

from manualgrad.training import data
from manualgrad.training.loop import make_network


@pytest.mark.exhaustive
def test_of_a_digit_it_takes_the_image_with_the_strongest_wishes_and_says_why(run, capsys):
    _, out, _ = manualgrad(capsys, "explain", "--digit", 4, *with_run(run))
    printed = " ".join(out.split())
    index = int(re.search(r"training image (\d+), a 4", printed)[1])
    wishes = re.search(r"Of the first 30 training images of a 4, .* strongest wishes, Σ \|∂C₀/∂z\| = ([\d.]+)\.", printed)[1]
    model = make_network(SIZES)
    model.load_state_dict(torch.load(run / "model.pt", weights_only=True))
    training, _ = data.load("fashion-mnist", run.parent)
    a = model(training.x).detach()
    delta = (2 * (a - training.y) * a * (1 - a)).abs().sum(1)
    assert index == torch.where(training.labels == 4, delta, 0).argmax()
    assert wishes == f"{delta[index]:.4f}"


def test_an_image_asked_for_by_its_number_needs_no_reason(run, capsys):
    _, out, _ = manualgrad(capsys, "explain", "--index", 14, *with_run(run))
    assert out.startswith("What training image 14, a 4, wants of")
    assert "Of the first" not in out


def test_a_network_whose_outputs_are_no_numbers_exits_with_2(run, capsys, tmp_path):
    state = torch.load(run / "model.pt", weights_only=True)
    torch.save({name: torch.full_like(p, torch.nan) for name, p in state.items()}, run / "model.pt")
    code, out, err = manualgrad(capsys, "explain", *with_run(run))
    assert (code, out) == (2, "")
    assert "has the cost nan in 784-12-11-10 of run" in err
    assert not (tmp_path / "runs" / "explain.png").exists()


@pytest.mark.exhaustive
def test_the_wishes_of_weights_and_those_of_activations_are_ranked_apart(run, capsys):
    _, out, _ = manualgrad(capsys, "explain", "--index", 14, *with_run(run))
    weights, activations = re.split(r"\nOutput \d alone: ", out)[1:3]
    for table, heading in ((weights, "from k"), (activations, "nudge to a_k")):
        assert heading in table
        nudges = [abs(float(n.replace("−", "-"))) for n in re.findall(r"│ +([+−][\d.e−-]+) │ [↑↓]", table.split("└")[0])]
        assert len(nudges) > 3
        assert nudges == sorted(nudges, reverse=True)
    assert "nudge to a_k" not in weights

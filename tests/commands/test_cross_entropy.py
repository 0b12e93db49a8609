"""The commands on a run that was trained for the cross entropy, with tanh: every number is held against autograd's."""

import re

import pytest
import torch
from screens import manualgrad, with_run, write_run

from manualgrad.training import data, images
from manualgrad.training.runs import load_network


@pytest.fixture
def run(run, tmp_path):
    """Beside the data set of the other run."""
    torch.manual_seed(1)
    return write_run(tmp_path / "softmax", activation="tanh", cost="cross-entropy")


def numbers(line):
    return [float(text.replace("−", "-")) for text in re.findall(r"[+−]?\d+\.\d*(?:e[+-−]\d+)?", line)]


def rows(out, title):
    """The cells of a table's rows."""
    lines = out[out.index(title) :].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(("├", "┡")))
    last = next(i for i, line in enumerate(lines) if line.startswith("└"))
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines[first + 1 : last]]


def close(text, value):
    return numbers(text)[0] == pytest.approx(value, rel=6e-4, abs=6e-5)


def test_explain_prints_what_autograd_finds(run, capsys):
    code, out, err = manualgrad(capsys, "explain", "--index", 7, *with_run(run))
    assert (code, err) == (0, "")
    model, training = load_network(run)[0].double(), data.load("fashion-mnist", run.parent)[0]
    x, y, label = training.x[7].double(), training.y[7].double(), int(training.labels[7])
    before = model[:-2](x).detach().requires_grad_()
    z = model[-2](before)
    z.retain_grad()
    C = torch.nn.functional.cross_entropy(z[None], y[None])
    C.backward()
    a, delta, W = z.detach().softmax(0), z.grad, model[-2].weight
    assert_close = torch.testing.assert_close
    assert_close(delta, a - y)

    assert f"C₀ = −Σ y log a, with a = softmax(z), = {C.item():.4f} is this" in " ".join(out.split())
    for j, (number, shown_a, target, nudge, _) in enumerate(rows(out, "What it wants of the outputs")):
        assert (number, shown_a, target) == (str(j), f"{a[j]:.4f}", f"{y[j]:.0f}")
        assert close(nudge, -delta[j].item())
    assert close(re.search(rf"Output {label} alone: bias (\S+);", " ".join(out.split()))[1], -delta[label].item())
    for k, shown_a, to_weight, _ in rows(out, f"Output {label} alone: bias"):
        assert shown_a == f"{before[int(k)].item():.4f}"
        assert close(to_weight, -W.grad[label, int(k)].item())
    for k, weight, to_a, _ in rows(out, f"Output {label} alone: its"):
        assert close(weight, W[label, int(k)].item())
        assert close(to_a, (-delta[label] * W[label, int(k)]).item())
    for k, own, others, total, _ in rows(out, "The wishes of all outputs"):
        assert close(total, -before.grad[int(k)].item())
        assert close(own, (-delta[label] * W[label, int(k)]).item())
        assert numbers(own)[0] + numbers(others)[0] == pytest.approx(numbers(total)[0], abs=1e-3)
    for _, predicted, measured in rows(out, "What a step of"):
        assert numbers(predicted)[0] < 0
        assert numbers(measured)[0] == pytest.approx(numbers(predicted)[0], rel=0.1)


def test_the_picture_has_the_formulas_of_softmax(run):
    from texts import texts, unreadable

    from manualgrad.teaching.explain import explain
    from manualgrad.teaching.plots.explain import plot_explanation

    model, training = load_network(run)[0].double(), data.load("fashion-mnist", run.parent)[0]
    e = explain(model, training.x[7].double(), training.y[7].double(), 3, "cross-entropy")
    figure = plot_explanation(e, "title")
    assert unreadable(figure) == []
    shown = "\n".join(texts(figure))
    assert "\\Sigma_j\\,y_j \\log a_j" in shown
    assert "\\partial z_j = y_j - a_j" in shown
    assert "2\\,(y_j - a_j)" not in shown


def test_predict_shows_the_softmax_of_the_outputs(tmp_path, capsys):
    from PIL import Image, ImageDraw

    run = write_run(tmp_path / "softmax", dataset="mnist", cost="cross-entropy")
    drawing = Image.new("L", (28, 28))
    ImageDraw.Draw(drawing).line([(6, 6), (20, 6), (10, 24)], fill=255, width=3)
    drawing.save("seven.png")
    code, out, err = manualgrad(capsys, "predict", "--checkpoint", run, "seven.png")
    assert (code, err) == (0, "")
    z = load_network(run)[0](images.read(tmp_path / "seven.png").x[None])[0]
    (row,) = (line.split() for line in out.splitlines() if line.startswith("seven.png "))
    assert row[-10:] == [f"{value:.2f}" for value in z.softmax(0).tolist()]


def test_sensitivity_ranks_by_autograds_derivatives(run, capsys):
    code, out, err = manualgrad(capsys, "sensitivity", "--examples", 100, *with_run(run))
    assert (code, err) == (0, "")
    model, training = load_network(run)[0].double(), data.load("fashion-mnist", run.parent)[0]
    torch.nn.functional.cross_entropy(model(training.x[:100].double()), training.labels[:100]).backward()
    W = [p.grad for p in model.parameters() if p.dim() == 2]
    in_order = torch.cat([g.flatten() for g in W]).abs().sort(descending=True).values
    for place, weight, derivative, _, predicted, measured in rows(out, "The weights by rank"):
        l, j, k = map(int, re.findall(r"\d+", weight))
        assert close(derivative, W[l - 1][j, k].item())
        assert abs(numbers(derivative)[0]) == pytest.approx(in_order[int(place.replace(",", "")) - 1].item(), rel=6e-4)
        assert numbers(measured)[0] == pytest.approx(numbers(predicted)[0], rel=0.1, abs=1e-8)


def test_average_shows_the_nudges_that_autograd_finds(run, capsys):
    code, out, err = manualgrad(capsys, "average", "--weight", "W3[2,5]", "--seed", 4, *with_run(run))
    assert (code, err) == (0, "")
    model, training = load_network(run)[0].double(), data.load("fashion-mnist", run.parent)[0]
    torch.manual_seed(4)
    batch = torch.randperm(len(training))[:100]
    torch.nn.functional.cross_entropy(model(training.x[batch].double()), training.labels[batch]).backward()
    shown = re.search(r"average nudge, which descent follows, is (\S+)\.", " ".join(out.split()))[1]
    assert close(shown, -model[4].weight.grad[2, 5].item())


def test_descent_lowers_the_cross_entropy(run, capsys):
    code, out, err = manualgrad(capsys, "descent", "--steps", 20, "--examples", 100, "--lr", 0.1, *with_run(run))
    assert (code, err) == (0, "")
    model, training = load_network(run)[0], data.load("fashion-mnist", run.parent)[0][:100]
    start = torch.nn.functional.cross_entropy(model(training.x), training.labels).item()
    costs = re.findall(r"examples +│ +([\d.]+) +│ +([\d.]+) +│", out)
    assert len(costs) == 2
    for first, last in costs:
        assert float(first) == pytest.approx(start, abs=1e-4)
        assert float(last) < float(first)


@pytest.mark.parametrize("how", [{"cost": "cross-entropy"}, {"activation": "tanh"}])
def test_the_page_says_which_runs_it_takes(how, tmp_path, capsys):
    pytest.importorskip("fastapi", reason='pip install "manualgrad[play]"')
    run = write_run(tmp_path / "other", dataset="mnist", **how)
    code, out, err = manualgrad(capsys, "play", "--no-browser", "--checkpoint", run)
    assert (code, out) == (2, "")
    assert "the page supports only sigmoid, relu and the quadratic cost" in err

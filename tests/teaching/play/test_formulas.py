"""The formula behind each number: its value is trace's, and its line stands in this package's source."""

import ast
import inspect
import re

import pytest
import torch
from paths import ROOT

from manualgrad import MLP
from manualgrad.network import stack
from manualgrad.teaching.play.drawing import desired
from manualgrad.teaching.play.formulas import OF_EXAMPLES, OF_PLACE, Place
from manualgrad.teaching.play.formulas.source import find

IMAGE = {"split": "test", "index": 3}
CHAIN = {"w": [1.5, -2.0, 0.7], "b": [0.1, 0.4, -0.3], "x": 0.7, "y": 1.0}
QUANTITIES = [f"chain.{name}" for name in ("z1", "a1", "z3", "a3", "C")]
FACTORS = [f"chain.{name}" for name in ("z1.w1", "z1.b1", "z1.x", "z2.a1", "a2.z2", "C.a3")]
PRODUCTS = [f"chain.C.{name}" for name in ("w1", "b2", "z1", "a1", "x")]
KEYS = [*OF_PLACE, *OF_EXAMPLES, *QUANTITIES, *FACTORS, *PRODUCTS]


def ask(client, of, **fields):
    body = {"of": of, "l": 2, "j": 3, "k": 12, "image": IMAGE, "target": 2, "rate": 0.5, "examples": [1, 2, 3], "chain": CHAIN}
    return client.post("/api/formula", json=body | fields)


@pytest.mark.few(20)
@pytest.mark.parametrize("l", [1, 2, 3])
@pytest.mark.parametrize("key", KEYS)
def test_each_formulas_line_stands_where_it_says(key, l, tab, drawing):
    for image in (IMAGE, drawing):
        answer = ask(tab, key, l=l, image=image)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        lines = (ROOT / found["file"]).read_text(encoding="utf-8").splitlines()
        assert lines[found["line"] - 1].strip() == found["code"]
        assert found["code"] not in ("", '"""')
        assert not found["code"].startswith("#")


@pytest.mark.parametrize("key", KEYS)
def test_each_formula_ends_with_its_value_and_says_a_sentence(key, tab):
    found = ask(tab, key).json()
    numbers = found["numbers"].partition(";")[0].rpartition("= ")[2].replace("−", "-")
    assert float(numbers) == pytest.approx(found["value"], rel=1e-3)
    assert found["letters"]
    assert re.fullmatch(r"[A-Z1W].*\.", found["says"])


def test_the_values_are_those_of_the_wishes(tab):
    wishes = tab.post("/api/wishes", json={"image": IMAGE, "target": 2}).json()
    for l in (1, 2, 3):
        layer = wishes["layers"][l - 1]
        for name in ("z", "a", "dC_da", "da_dz", "delta", "wish_a", "wish_b"):
            assert ask(tab, name, l=l).json()["value"] == layer[name][3]
        assert ask(tab, "wish_W", l=l).json()["value"] == layer["wish_W"][3][12]
    assert ask(tab, "wish_before", l=3).json()["value"] == wishes["layers"][2]["wish_before"][3][12]
    assert ask(tab, "wish_before_sum", l=3).json()["value"] == wishes["layers"][2]["wish_before_sum"][12]
    assert ask(tab, "cost").json()["value"] == wishes["cost"]
    assert ask(tab, "y", l=3, j=2).json()["value"] == 1


def test_a_sum_of_few_terms_is_written_out_and_comes_to_its_value():
    model = MLP([2, 3, 10], dtype=torch.float64)
    found = OF_PLACE["z"](Place.of(model, torch.rand(2).double(), desired(2), 1, 0, 0, 1.0, False))
    text = found.numbers.rpartition(" = ")[0].replace("−", "-").replace("·", "*")
    assert eval(compile(ast.parse(text, mode="eval"), "", "eval")) == pytest.approx(found.value, rel=1e-3)


def test_the_step_is_the_one_that_is_taken(tab):
    foretold = ask(tab, "step", l=3, j=2, k=5).json()
    taken = tab.post("/api/step", json={"image": IMAGE, "target": 2, "rate": 0.5, "take": True}).json()
    assert taken["network"]["W"][2][2][5] == pytest.approx(foretold["value"], rel=1e-7)


def test_what_is_foretold_is_the_steps(tab):
    step = tab.post("/api/step", json={"image": IMAGE, "target": 2, "rate": 0.5}).json()
    assert ask(tab, "foretold").json()["value"] == pytest.approx(step["foretold"], rel=1e-7)


def test_the_mean_and_the_nudge_are_those_of_the_average(tab):
    asked = {"image": IMAGE, "target": 2, "examples": [1, 2, 3], "weight": {"l": 3, "j": 2, "k": 5}}
    average = tab.post("/api/average", json=asked).json()
    nudge = tab.post("/api/nudge", json={**asked, "epsilon": 0.02}).json()
    weight = asked["weight"]
    assert ask(tab, "mean_wish", weight=weight).json()["value"] == average["mean"]
    assert ask(tab, "nudge", weight=weight, epsilon=0.02).json()["value"] == nudge["predicted"]
    small = average["gradient"]["small"]["weight"]
    assert ask(tab, "ratio", weight=small).json()["value"] == pytest.approx(average["gradient"]["ratio"], rel=1e-6)


def test_without_a_weight_the_mean_is_of_the_most_wanted(tab):
    asked = {"image": IMAGE, "target": 2, "examples": [1, 2, 3], "weight": None}
    assert ask(tab, "mean_wish", weight=None).json()["value"] == tab.post("/api/average", json=asked).json()["mean"]


def test_the_chains_values_are_the_chains(tab):
    shown = tab.post("/api/chain", json=CHAIN).json()
    values = {value["name"]: value for value in shown["values"]}
    assert ask(tab, "chain.z2").json()["value"] == values["z2"]["value"]
    assert ask(tab, "chain.C.z1").json()["value"] == pytest.approx(values["z1"]["derivative"], rel=1e-7)
    for p in shown["parameters"]:
        assert ask(tab, f"chain.C.{p['name']}").json()["value"] == pytest.approx(p["derivative"], rel=1e-7)
        for link in p["links"]:
            assert ask(tab, f"chain.{link['of']}.{link['by']}").json()["value"] == pytest.approx(link["value"], rel=1e-7)


def test_relus_formulas_are_relus():
    model = MLP([4, 3, 10], ["relu", "sigmoid"], dtype=torch.float64)
    place = Place.of(model, torch.rand(4).double(), desired(2), 1, 0, 0, 1.0, False)
    assert OF_PLACE["a"](place).letters.startswith("a⁽¹⁾₀ = max(0, z⁽¹⁾₀)")
    assert OF_PLACE["da_dz"](place).value in (0, 1)
    assert "relu" in OF_PLACE["a"](place).line.code


def test_a_line_that_is_gone_is_an_error():
    with pytest.raises(LookupError, match="weighted_input has no line with"):
        find(stack.weighted_input, "no such code")
    assert find(stack.weighted_input, "product.linear(").code in inspect.getsource(stack.weighted_input)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"of": "nothing"}, "of"),
        ({"of": "chain.a3.w1"}, "of"),
        ({"of": "chain.C.w9"}, "of"),
        ({"of": "chain."}, "of"),
        ({"of": "chain.z²"}, "of"),
        ({"of": "chain.z1.w1", "chain": None}, "chain"),
        ({"of": "z" * 100}, "of"),
        ({"l": 4}, "l"),
        ({"l": 0}, "l"),
        ({"j": 16}, "j"),
        ({"k": 16}, "k"),
        ({"image": None}, "image"),
        ({"of": "mean_wish", "image": None}, "image"),
        ({"of": "mean_wish", "weight": {"l": 2, "j": 500, "k": 0}}, "weight"),
        ({"rate": -1}, "rate"),
    ],
)
def test_a_formula_of_nothing_is_refused(fields, named, tab):
    answer = ask(tab, **{"of": "z"} | fields)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(named)

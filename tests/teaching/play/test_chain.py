"""The network of single neurons: factors, products, and a nudge that travels."""

import pytest
import torch

from manualgrad import MLP, trace

CHAIN = {"w": [1.5, -2.0, 0.7], "b": [0.1, 0.4, -0.3], "x": 0.7, "y": 1.0}


@pytest.fixture
def traced():
    model = MLP([1, 1, 1, 1], dtype=torch.float64)
    with torch.no_grad():
        for l in range(3):
            model[2 * l].weight.fill_(CHAIN["w"][l])
            model[2 * l].bias.fill_(CHAIN["b"][l])
    return trace(model, *(torch.tensor([[CHAIN[name]]], dtype=torch.float64) for name in "xy"))


def test_every_quantity_and_its_derivative_are_those_of_trace(server, traced):
    shown = server.post("/api/chain", json=CHAIN).json()
    found = {value["name"]: (value["value"], value["derivative"]) for value in shown["values"]}
    wanted = {"x": (0.7, traced.layers[0].dC_da_prev.item())}
    for l, layer in enumerate(traced.layers, 1):
        wanted |= {f"z{l}": (layer.z.item(), layer.delta.item()), f"a{l}": (layer.a.item(), layer.dC_da.item())}
    assert list(found) == list(wanted)
    for name, pair in wanted.items():
        assert found[name] == pytest.approx(pair, rel=1e-6)
    assert shown["cost"] == pytest.approx(traced.cost.item(), rel=1e-7)
    assert shown["travel"] is None


def test_a_parameters_derivative_is_the_product_of_its_links(server, traced):
    shown = server.post("/api/chain", json=CHAIN).json()
    assert [p["name"] for p in shown["parameters"]] == ["w3", "b3", "w2", "b2", "w1", "b1"]
    for p in shown["parameters"]:
        product = torch.tensor([link["value"] for link in p["links"]], dtype=torch.float64).prod().item()
        assert p["derivative"] == pytest.approx(product, rel=1e-6)
        assert p["derivative"] == pytest.approx(p["difference"], rel=1e-4)
        assert p["links"][0]["by"] == p["name"]
        assert p["links"][-1]["of"] == "C"


@pytest.mark.parametrize("of", ["x", "w1", "b1", "z1", "a1", "w2", "b2", "z2", "a2", "w3", "b3", "z3", "a3"])
def test_a_small_nudge_travels_as_foretold(of, server):
    travel = server.post("/api/chain", json={**CHAIN, "nudge": {"of": of, "by": 1e-4}}).json()["travel"]
    order = ["x", "z1", "a1", "z2", "a2", "z3", "a3", "C"]
    first = order.index(of.replace("w", "z").replace("b", "z")) + (of[0] not in "wb")
    assert [arrival["name"] for arrival in travel] == order[first:]
    for arrival in travel:
        assert arrival["measured"] == pytest.approx(arrival["predicted"], rel=1e-3)


def test_a_large_nudge_is_measured_not_foretold(server):
    nudged = {**CHAIN, "w": [1.5 + 3, -2.0, 0.7]}
    before, after = (server.post("/api/chain", json=body).json() for body in (CHAIN, nudged))
    travel = server.post("/api/chain", json={**CHAIN, "nudge": {"of": "w1", "by": 3}}).json()["travel"]
    assert travel[-1]["measured"] == pytest.approx(after["cost"] - before["cost"], rel=1e-5)
    assert travel[-1]["measured"] != pytest.approx(travel[-1]["predicted"], rel=0.1)


@pytest.mark.parametrize("layers", [1, 5])
def test_one_to_five_layers(layers, server):
    body = {"w": [0.5] * layers, "b": [0] * layers, "x": 1, "y": 0, "nudge": {"of": f"w{layers}", "by": 0.1}}
    shown = server.post("/api/chain", json=body).json()
    assert len(shown["values"]) == 1 + 2 * layers
    assert [arrival["name"] for arrival in shown["travel"]] == [f"z{layers}", f"a{layers}", "C"]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"w": [], "b": []}, "w"),
        ({"w": [1] * 6, "b": [1] * 6}, "w"),
        ({"w": [1, 2]}, "as many w as b"),
        ({"w": ["1", 1, 1]}, "w.0"),
        ({"x": 101}, "x"),
        ({"y": None}, "y"),
        ({"x": True}, "x"),
        ({"nudge": {"of": "w4", "by": 1}}, "nudge.of"),
        ({"nudge": {"of": "C", "by": 1}}, "nudge.of"),
        ({"nudge": {"of": "w1⁽¹", "by": 1}}, "nudge.of"),
        ({"nudge": {"of": "w" * 100, "by": 1}}, "nudge.of"),
        ({"nudge": {"of": "w1"}}, "nudge.by"),
    ],
)
def test_a_chain_out_of_range_is_refused(fields, named, server):
    answer = server.post("/api/chain", json={**CHAIN, **fields})
    assert answer.status_code == 422
    assert named in answer.json()["error"]

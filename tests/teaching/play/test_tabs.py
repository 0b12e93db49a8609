"""Each tab has a network of its own; their number is bounded, and those that are not used are dropped."""

import threading

import pytest
from torch.nn import Linear, Sequential

from manualgrad.teaching.play.faults import Fault
from manualgrad.teaching.play.tabs import DEEP, IDLE, Tab, Tabs

IMAGE = {"split": "test", "index": 0}
STEP = {"image": IMAGE, "target": 2, "rate": 1.0, "times": 1, "take": True}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def model():
    return Sequential(Linear(1, 1))


@pytest.mark.parametrize("headers", [{}, {"X-Tab": "nothing"}, {"X-Tab": "x" * 1000}])
def test_an_unknown_tab_is_a_sentence(headers, server):
    answer = server.post("/api/look", json={"image": IMAGE}, headers=headers)
    assert answer.status_code == (400 if not headers else 404 if len(headers["X-Tab"]) < 64 else 422)
    assert set(answer.json()) == {"error"}


def test_a_tab_that_was_dropped_is_a_404(clock):
    tabs = Tabs(10, clock)
    name = tabs.add(Tab("", model()))
    clock.now = IDLE - 1
    tabs.get(name)
    clock.now = 2 * IDLE - 2
    tabs.get(name)
    clock.now = 3 * IDLE
    with pytest.raises(Fault) as fault:
        tabs.get(name)
    assert fault.value.status == 404
    assert len(tabs) == 0


def test_tabs_are_bounded_and_the_one_used_longest_ago_goes_first(clock):
    tabs = Tabs(10, clock)
    names = [tabs.add(Tab("", model())) for _ in range(tabs.most)]
    tabs.get(names[0])
    names.append(tabs.add(Tab("", model())))
    assert len(tabs) == tabs.most == 64
    tabs.get(names[0])
    with pytest.raises(Fault):
        tabs.get(names[1])


def test_fewer_tabs_have_room_for_larger_networks():
    assert Tabs(13_002).most == 64
    assert 4 <= Tabs(250_000).most < 10
    assert Tabs(10**9).most == 4


def test_two_tabs_have_networks_of_their_own(server):
    one, other = ({"X-Tab": server.post("/api/tabs", json={}).json()["tab"]} for _ in range(2))
    before = server.get("/api/network", headers=other).json()
    server.post("/api/step", json=STEP, headers=one)
    assert server.get("/api/network", headers=other).json() == before
    assert server.get("/api/network", headers=one).json() != before


def test_undo_restores_the_network_bit_for_bit(tab, lesson):
    kept = next(iter(tab.app.app.state.tabs._tabs.values()))[0]
    before = [p.clone() for p in kept.model.parameters()]
    shown = tab.get("/api/network").json()
    tab.post("/api/step", json=STEP)
    tab.post("/api/train", json={"batch": 10, "rate": 1.0, "milliseconds": 5})
    assert all((p != q).any() for p, q in zip(kept.model.parameters(), before, strict=True))
    tab.post("/api/undo", json={})
    answer = tab.post("/api/undo", json={})
    assert answer.json() == shown
    assert all(p.equal(q) for p, q in zip(kept.model.parameters(), before, strict=True))


def test_undo_goes_twenty_changes_back_and_then_says_so(tab):
    for _ in range(DEEP + 2):
        tab.post("/api/step", json=STEP)
    for left in reversed(range(DEEP)):
        answer = tab.post("/api/undo", json={})
        assert (answer.status_code, answer.json()["undo"]) == (200, left)
    assert answer.json()["steps"] == 2
    answer = tab.post("/api/undo", json={})
    assert answer.status_code == 409
    assert "nothing to undo" in answer.json()["error"]


def test_a_stretch_of_training_is_undone_at_once(tab):
    for rate in (1.0, 1.0, 1.0, 2.0):
        tab.post("/api/train", json={"batch": 10, "rate": rate, "milliseconds": 1})
    assert tab.get("/api/network").json()["undo"] == 2
    tab.post("/api/undo", json={})
    assert tab.post("/api/undo", json={}).json()["steps"] == 0


def test_changes_from_many_threads_are_all_made(tab):
    def step():
        for _ in range(5):
            tab.post("/api/step", json={**STEP, "rate": 0.01})

    threads = [threading.Thread(target=step) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tab.get("/api/network").json()["steps"] == 20

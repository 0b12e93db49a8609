"""Requests at once: a network that others look at stays what it is."""

import sys
import threading

import pytest

WANTED = {"image": {"split": "test", "index": 1}, "target": 2}


@pytest.fixture
def in_turns():
    """Threads take turns after microseconds, so that whatever happens between is seen."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("in_turns")
@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("look", None),
        ("wishes", {}),
        ("step", {"rate": 1.0, "take": False}),
        ("average", {}),
        ("nudge", {"weight": {"l": 3, "j": 2, "k": 5}}),
        ("formula", {"of": "mean_wish", "l": 3}),
    ],
)
def test_who_only_looks_leaves_the_tabs_network_untouched_at_every_moment(tab, path, more):
    model = tab.app.app.state.tabs.get(tab.headers["X-Tab"]).model
    parameters = list(model.parameters())
    asked = {"image": WANTED["image"]} if more is None else {**WANTED, **more}
    answers = []
    asking = threading.Thread(
        target=lambda: answers.extend(tab.post(f"/api/{path}", json=asked).status_code for _ in range(25))
    )
    asking.start()
    same = True
    while asking.is_alive():
        same &= all(now is then and now.requires_grad for now, then in zip(model.parameters(), parameters, strict=True))
    asking.join()
    assert same
    assert set(answers) == {200}

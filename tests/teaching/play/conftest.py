import base64

import pytest
import torch

pytest.importorskip("fastapi", reason='pip install "manualgrad[play]"')

from starlette.testclient import TestClient

from manualgrad.teaching.play.app import make_app
from manualgrad.teaching.play.lesson import Lesson, load_start

OWN = "http://127.0.0.1:8765"


@pytest.fixture(scope="session")
def lesson():
    return Lesson(*load_start())


@pytest.fixture
def server(lesson):
    """A client of a server that has no tabs yet."""
    with TestClient(make_app(lesson, "127.0.0.1", 8765), base_url=OWN, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def tab(server):
    """A client with a tab of the trained network."""
    server.headers["X-Tab"] = server.post("/api/tabs", json={}).json()["tab"]
    return server


@pytest.fixture
def drawing():
    """An Image: a 7 of two thick lines."""
    ink = torch.zeros(112, 112, dtype=torch.uint8)
    ink[20:30, 30:80] = 255
    for row in range(30, 95):
        column = 75 - (row - 30) // 2
        ink[row, column - 5 : column + 5] = 200
    return {"drawing": base64.b64encode(ink.numpy().tobytes()).decode()}

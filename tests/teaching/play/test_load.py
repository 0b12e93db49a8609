"""Twenty clients at once, on a server of its own: no error, and memory that stays within bounds."""

import itertools
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest

CLIENTS, SECONDS = 20, 4
CHAIN = {"w": [1.0, -1.0], "b": [0.0, 0.5], "x": 0.5, "y": 1.0}
STEP = {"target": 2, "rate": 0.5, "times": 2}
IMAGES = [{"split": "test", "index": index} for index in range(50)]


def listening():
    """A server, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    line = [sys.executable, "-m", "manualgrad", "play", "--no-browser", "--port", str(port)]
    server = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline().startswith("manualgrad play: ")
    return server, f"http://127.0.0.1:{port}"


def resident(pid):
    """Memory in MB, of a process on Linux."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024


class Client(threading.Thread):
    """Does what a page does, over and over; now and then it leaves in the middle of an answer, or begins anew."""

    def __init__(self, address, until):
        super().__init__()
        self.http, self.until = httpx2.Client(base_url=address, timeout=30), until
        self.asked, self.errors, self.seconds = 0, [], []

    def run(self):
        try:
            for image in itertools.cycle(IMAGES):
                if time.monotonic() > self.until:
                    return
                if self.asked % 100 == 0:
                    self.http.headers["X-Tab"] = self.ask("tabs", {"start": "random", "seed": self.asked})["tab"]
                self.page(image)
        except Exception as error:
            self.errors.append(repr(error))

    def page(self, image):
        start = time.perf_counter()
        self.ask("look", {"image": image})
        self.seconds.append(time.perf_counter() - start)
        self.ask("wishes", {"image": image, "target": 2})
        self.ask("step", {"image": image, **STEP, "take": True})
        self.ask("undo", {})
        self.ask("train", {"batch": 10, "rate": 1.0, "milliseconds": 25, "image": image})
        self.ask("average", {"image": image, "target": 2, "examples": list(range(50)), "weight": None})
        self.ask("chain", CHAIN)
        self.ask("formula", {"of": "z", "l": 1, "image": image, "target": 2})
        if self.asked % 60 < 9:
            with self.http.stream("POST", "/api/map", json={"batches": [10, 0], "rate": 1.0}) as answer:
                next(answer.iter_lines())

    def ask(self, path, body):
        answer = self.http.post(f"/api/{path}", json=body)
        self.asked += 1
        if answer.status_code != 200:
            self.errors.append(f"{path}: {answer.status_code} {answer.text[:200]}")
        return answer.json()


def load(seconds, clients=CLIENTS):
    """What came of it: the clients, and the server's memory before, in the middle and at the end."""
    server, address = listening()
    try:
        memory = [resident(server.pid)]
        at_work = [Client(address, time.monotonic() + seconds) for _ in range(clients)]
        for client in at_work:
            client.start()
        time.sleep(seconds / 2)
        memory.append(resident(server.pid))
        for client in at_work:
            client.join()
        memory.append(resident(server.pid))
        return at_work, memory
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.exhaustive
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_twenty_clients_at_once_meet_no_error_and_memory_is_bounded():
    clients, (before, _, after) = load(SECONDS)
    assert [error for client in clients for error in client.errors] == []
    assert all(client.asked > 8 for client in clients)
    assert after - before < 500


@pytest.mark.exhaustive
def test_clients_that_stop_in_the_middle_of_a_request_hold_nobody_up():
    server, address = listening()
    host = address.removeprefix("http://")
    half = f"POST /api/tabs HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{{"
    name, port = host.split(":")
    try:
        stuck = [socket.create_connection((name, int(port))) for _ in range(50)]
        for client in stuck:
            client.sendall(half.encode())
        with httpx2.Client(base_url=address, timeout=5) as client:
            client.headers["X-Tab"] = client.post("/api/tabs", json={}).json()["tab"]
            assert client.post("/api/look", json={"image": IMAGES[0]}).status_code == 200
        for client in stuck:
            client.close()
    finally:
        server.terminate()
        server.wait(10)

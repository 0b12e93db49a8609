"""No other page may drive the server, and nothing too large or too slow gets in."""

import socket

import anyio
import pytest
import torch
from alone import run_alone
from starlette.testclient import TestClient

from manualgrad.teaching.play import guards
from manualgrad.teaching.play.addresses import bracketed
from manualgrad.teaching.play.app import PAGE, make_app
from manualgrad.teaching.play.endpoints import look
from manualgrad.teaching.play.guards import LARGEST, Guards


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:8765", "[::1]:8765", "LOCALHOST:8765"])
def test_the_servers_own_names_are_let_in(host, server):
    assert server.get("/api/about", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example:8765", "127.0.0.1", "127.0.0.1:80", "127.0.0.1.evil.example:8765", "localhost:8765@evil.example", ""]
)
def test_a_foreign_host_is_refused(host, server):
    answer = server.get("/api/about", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("Host must be this server's own")


@pytest.mark.parametrize("origin", ["http://evil.example", "https://127.0.0.1:8765", "http://127.0.0.1:3000", "null", ""])
def test_a_foreign_origin_is_refused(origin, server):
    answer = server.post("/api/tabs", json={}, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "Origin" in answer.json()["error"]


def test_the_own_origin_is_let_in(server):
    assert server.post("/api/tabs", json={}, headers={"Origin": "http://localhost:8765"}).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_page_asks_for_is_refused(site, server):
    assert server.get("/api/about", headers={"Sec-Fetch-Site": site}).status_code == 403
    assert server.get("/page/index.html", headers={"Sec-Fetch-Site": site}).status_code == 403


def test_a_link_in_a_mail_leads_to_the_page_and_nowhere_else(server):
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert server.get("/", headers=followed).status_code != 403
    assert server.get("/api/about", headers=followed).status_code == 403
    assert server.get("/", headers={**followed, "Sec-Fetch-Dest": "iframe"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/page/nothing.js", "/api/about", "/api/nothing"])
@pytest.mark.parametrize("host", ["127.0.0.1:8765", "evil.example"])
def test_every_answer_bears_the_policy(path, host, server):
    headers = server.get(path, headers={"Host": host}).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_post_that_is_no_json_is_a_415(kind, server):
    assert server.post("/api/tabs", content=b"{}", headers={"Content-Type": kind}).status_code == 415


def test_a_body_of_more_than_64_kib_is_a_413(server):
    json = {"Content-Type": "application/json"}
    whole = b" " * (LARGEST - 2) + b"{}"
    assert server.post("/api/tabs", content=whole, headers=json).status_code == 200
    answer = server.post("/api/tabs", content=b" " + whole, headers=json)
    assert answer.status_code == 413
    assert "65,536 bytes" in answer.json()["error"]


def test_a_body_of_unsaid_length_is_cut_off_at_64_kib(server):
    sent = []

    def chunks():
        for _ in range(100):
            sent.append(1)
            yield b" " * 10_000

    answer = server.post("/api/tabs", content=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize("length", ["-1", "many", "99999999999999999999"])
def test_a_length_that_is_none_is_refused(length, server):
    answer = server.post("/api/tabs", content=b"{}", headers={"Content-Type": "application/json", "Content-Length": length})
    assert answer.status_code == 413


def test_a_body_that_does_not_come_is_a_408(monkeypatch):
    monkeypatch.setattr(guards, "_PATIENCE", 0.05)

    async def called(scope, receive, send):
        raise AssertionError("the application was called")

    sent = []

    async def receive():
        await anyio.sleep(5)
        raise AssertionError("it was waited for")

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"127.0.0.1:1"), (b"content-type", b"application/json"), (b"content-length", b"10")]
    scope = {"type": "http", "method": "POST", "path": "/api/tabs", "headers": headers}
    run_alone(Guards(called, "127.0.0.1", 1), scope, receive, send)
    assert sent[0]["status"] == 408


def test_a_client_that_leaves_in_the_middle_of_its_body_is_not_answered_by_the_application():
    async def called(scope, receive, send):
        raise AssertionError("the application was called")

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        raise AssertionError("nobody is there")

    headers = [(b"host", b"127.0.0.1:1"), (b"content-type", b"application/json"), (b"content-length", b"10")]
    scope = {"type": "http", "method": "POST", "path": "/api/tabs", "headers": headers}
    run_alone(Guards(called, "127.0.0.1", 1), scope, receive, send)


def test_at_every_address_the_one_connected_to_is_the_servers_own(lesson):
    app = make_app(lesson, "0.0.0.0", 8765)
    with TestClient(app, base_url="http://192.168.1.7:8765") as client:  # which the test client gives as the server's address
        assert client.get("/api/about").status_code == 200
        assert client.get("/api/about", headers={"Host": "192.168.1.8:8765"}).status_code == 400
        assert client.get("/api/about", headers={"Host": "evil.example:8765"}).status_code == 400


def test_at_every_address_the_machines_names_are_its_own_too(lesson, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "Class")
    for host, own in (("0.0.0.0", 200), ("::", 200), ("127.0.0.1", 400)):
        with TestClient(make_app(lesson, host, 8765), base_url="http://127.0.0.1:8765") as client:
            for name in ("class", "class.local"):
                assert client.get("/api/about", headers={"Host": f"{name}:8765"}).status_code == own


def test_an_address_of_ipv4_that_ipv6_maps_is_written_as_it_is_typed(lesson):
    assert bracketed("::ffff:192.168.1.7") == "192.168.1.7"
    assert bracketed("2001:db8::7") == "[2001:db8::7]"


TRAVERSALS = [
    "/page/../app.py",
    "/page/..%2fapp.py",
    "/page/%2e%2e/app.py",
    "/page//etc/passwd",
    "/page/..%5capp.py",
    "/page/%00",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out_of_the_page(path, server):
    answer = server.get(path)
    assert answer.status_code in (400, 404)
    assert b"make_app" not in answer.content
    assert b"root:" not in answer.content


def test_the_pages_files_have_their_types(server):
    assert server.get("/").headers["Content-Type"] == "text/html; charset=utf-8"
    assert server.get("/page/index.html").headers["Content-Type"] == "text/html; charset=utf-8"
    for ending, kind in {"js": "text/javascript", "css": "text/css", "woff2": "font/woff2"}.items():
        file = next(PAGE.rglob(f"*.{ending}"))
        answer = server.get(f"/page/{file.relative_to(PAGE).as_posix()}")
        assert answer.headers["Content-Type"].startswith(kind)


def test_another_method_or_path_is_a_sentence(server):
    for answer, status in ((server.get("/api/look"), 405), (server.get("/api/nothing"), 404), (server.delete("/"), 405)):
        assert answer.status_code == status
        assert set(answer.json()) == {"error"}


def test_a_failure_of_the_server_is_a_sentence_without_its_insides(tab, monkeypatch):
    def fail(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(look, "trace", fail)
    answer = tab.post("/api/look", json={"image": {"split": "test", "index": 0}})
    assert answer.status_code == 500
    assert answer.json()["error"].startswith("The server failed (RuntimeError)")
    assert "secret" not in answer.text
    assert torch.is_grad_enabled()

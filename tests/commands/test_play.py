"""manualgrad play: where it listens, what it shows, how it ends."""

import json
import queue
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest
from datasets import write_dataset
from screens import manualgrad, write_run

pytest.importorskip("fastapi", reason='pip install "manualgrad[play]"')

from manualgrad.commands import play
from manualgrad.teaching.play import addresses, serve

JSON = {"Content-Type": "application/json"}
_HALF = "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{"


@pytest.fixture
def free():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def opened(monkeypatch):
    """What a browser was to open."""
    urls = queue.SimpleQueue()
    monkeypatch.setattr(play.webbrowser, "open", urls.put)
    return urls


@pytest.fixture
def served(monkeypatch, opened):
    """What would be served, and where, without serving it."""
    seen = []

    def run(app, listener, when_ready):
        when_ready()
        seen.append((app, listener.getsockname()[:2]))

    monkeypatch.setattr(serve, "run", run)
    return seen


def test_it_says_where_the_page_is_and_opens_a_browser(served, opened, free, capsys):
    code, out, err = manualgrad(capsys, "play", "--port", free)
    assert (code, err) == (0, "")
    assert out == f"manualgrad play: http://127.0.0.1:{free}/ (press Ctrl-C to stop)\n"
    assert opened.get(timeout=10) == f"http://127.0.0.1:{free}/"
    assert served[0][1] == ("127.0.0.1", free)


def test_no_browser_opens_none(served, opened, free, capsys):
    threads = threading.active_count()
    manualgrad(capsys, "play", "--no-browser", "--port", free)
    assert len(served) == 1
    assert threading.active_count() == threads
    assert opened.empty()


def test_where_the_default_port_is_taken_the_next_free_one_is_used(served, free, capsys, monkeypatch):
    monkeypatch.setattr(play, "_PORT", free)
    with socket.create_server(("127.0.0.1", free)):
        code, out, _ = manualgrad(capsys, "play", "--no-browser")
    assert code == 0
    assert out.startswith(f"Port {free} is in use; using the next free port.\nmanualgrad play: http://127.0.0.1:")
    assert served[0][1][1] > free


def test_a_port_asked_for_that_is_taken_is_a_sentence(served, free, capsys):
    with socket.create_server(("127.0.0.1", free)):
        code, out, err = manualgrad(capsys, "play", "--no-browser", "--port", free)
    assert (code, out) == (2, "")
    assert err.startswith(f"manualgrad: cannot listen on 127.0.0.1, port {free} (")
    assert len(err.splitlines()) == 1
    assert served == []


@pytest.mark.parametrize(("host", "here"), {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.items())
def test_at_every_address_those_of_the_network_are_printed(host, here, served, free, capsys, monkeypatch):
    found = ["192.168.1.7", "2001:db8::7"] if host == "::" else ["192.168.1.7"]
    monkeypatch.setattr(addresses, "network_addresses", lambda host: found)
    monkeypatch.setattr(addresses, "machine_names", lambda: ["class", "class.local"])
    code, out, err = manualgrad(capsys, "play", "--no-browser", "--port", free, "--host", host)
    if code == 2 and host == "::":
        pytest.skip("this machine has no IPv6")
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    assert first == f"manualgrad play: http://{here}:{free}/ (press Ctrl-C to stop)"
    also = f" or http://[2001:db8::7]:{free}/" if host == "::" else ""
    names = f"http://class:{free}/ or http://class.local:{free}/"
    known = f"; if the network resolves this machine's name, also {names}"
    assert second == f"On other machines of the network: http://192.168.1.7:{free}/{also}{known}"


def test_without_a_network_it_is_said_that_no_other_machine_reaches_the_page(served, free, capsys, monkeypatch):
    monkeypatch.setattr(addresses, "network_addresses", lambda host: [])
    _, out, _ = manualgrad(capsys, "play", "--no-browser", "--port", free, "--host", "0.0.0.0")
    assert out.splitlines()[1] == "This machine has no network address: no other machine can open the page."


def test_addresses_that_other_machines_cannot_reach_are_not_of_the_network(monkeypatch):
    found = ["127.0.0.1", "192.168.1.7", "169.254.3.4", "0.0.0.0"]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: [(None, None, None, "", (address, 0)) for address in found])
    assert "192.168.1.7" in addresses.network_addresses("0.0.0.0")
    assert not {"127.0.0.1", "169.254.3.4", "0.0.0.0"} & set(addresses.network_addresses("0.0.0.0"))


def test_an_address_without_letters_is_refused(capsys):
    code, _, err = manualgrad(capsys, "play", "--host", "")
    assert code == 2
    assert "argument --host: must be an address, such as 0.0.0.0, got ''" in err


def test_an_answers_body_does_not_wait_for_the_acknowledgement_of_its_head(free):
    with serve.listen("127.0.0.1", free, others=False) as listener:
        assert listener.proto == socket.IPPROTO_TCP  # with which asyncio sets TCP_NODELAY


@pytest.mark.parametrize("options", [("--port", "0"), ("--port", "65536"), ("--port", "http")])
def test_what_is_no_port_is_refused(options, capsys):
    assert manualgrad(capsys, "play", *options)[0] == 2


def test_a_host_that_is_none_is_a_sentence(served, capsys):
    code, _, err = manualgrad(capsys, "play", "--no-browser", "--host", "no.such.host.invalid")
    assert code == 2
    assert len(err.splitlines()) == 1


def about(served):
    """What the page is told."""
    lesson = served[-1][0].app.state.lesson
    return lesson, lesson.starts


def test_a_run_of_ones_own_is_shown(served, free, tmp_path, capsys):
    run = write_run(tmp_path / "mine", [784, 30, 10], "relu", dataset="mnist")
    code, _, err = manualgrad(capsys, "play", "--no-browser", "--port", free, "--checkpoint", run)
    assert (code, err) == (0, "")
    lesson, starts = about(served)
    assert "run" in starts
    assert lesson.run_name == "784-30-10 of mine"
    assert lesson.run[0].weight.shape == (30, 784)


RUNS = {
    "fashion": ({"sizes": [784, 16, 10], "dataset": "fashion-mnist"}, "trained on fashion-mnist"),
    "large": ({"sizes": [784, 201, 10], "dataset": "mnist"}, "784-201-10"),
    "deep": ({"sizes": [784, 9, 9, 9, 9, 10], "dataset": "mnist"}, "784-9-9-9-9-10"),
    "narrow": ({"sizes": [100, 9, 10], "dataset": "mnist"}, "100-9-10"),
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_run_that_the_page_has_no_room_for_is_a_sentence(kind, served, free, tmp_path, capsys):
    fields, named = RUNS[kind]
    run = write_run(tmp_path / kind, **fields)
    code, _, err = manualgrad(capsys, "play", "--no-browser", "--port", free, "--checkpoint", run)
    assert code == 2
    assert named in err
    assert len(err.splitlines()) == 1
    assert served == []


def test_a_missing_run_and_a_folder_without_mnist_are_sentences(served, free, tmp_path, capsys):
    for options in (("--checkpoint", tmp_path / "nothing"), ("--data-dir", tmp_path)):
        code, _, err = manualgrad(capsys, "play", "--no-browser", "--port", free, *options)
        assert code == 2
        assert len(err.splitlines()) == 1


def test_a_folder_of_ones_own_gives_all_its_images(served, free, tmp_path, capsys, monkeypatch):
    from manualgrad.training import data

    write_dataset(tmp_path, "MNIST", train=70, test=30)
    monkeypatch.setattr(data, "_MD5", dict.fromkeys(data._MD5))
    code, _, err = manualgrad(capsys, "play", "--no-browser", "--port", free, "--data-dir", tmp_path)
    assert (code, err) == (0, "")
    lesson, _ = about(served)
    assert (len(lesson.training), len(lesson.test)) == (70, 30)


@pytest.mark.exhaustive
@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_without_the_extra_it_is_named(missing, tmp_path):
    hide = f"import sys; sys.modules[{missing!r}] = None; from manualgrad.cli import main; sys.exit(main(['play']))"
    done = subprocess.run([sys.executable, "-c", hide], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f'manualgrad: {missing} is missing: pip install -e ".[play]"\n'


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C of another process is POSIX's")
def test_ctrl_c_ends_it_while_an_answer_streams_and_a_body_is_awaited(free, tmp_path):
    line = [sys.executable, "-m", "manualgrad", "play", "--no-browser", "--port", str(free)]
    server = subprocess.Popen(
        line,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored, if pytest runs in a shell's background
    )
    try:
        assert server.stdout.readline().startswith("manualgrad play: http://127.0.0.1:")
        asked = urllib.request.Request(
            f"http://127.0.0.1:{free}/api/map", json.dumps({"batches": [1, 0], "rate": 1.0}).encode(), JSON
        )
        half = f"POST /api/tabs HTTP/1.1\r\nHost: 127.0.0.1:{free}\r\n{_HALF}"
        with urllib.request.urlopen(asked) as stream, socket.create_connection(("127.0.0.1", free)) as slow:
            slow.sendall(half.encode())
            assert "progress" in json.loads(stream.readline())
            server.send_signal(signal.SIGINT)
            out, err = server.communicate(timeout=20)
    finally:
        server.kill()
    assert (server.returncode, out.strip(), err) == (130, "", "")

"""`manualgrad play`: a page on which backpropagation can be drawn, touched and followed."""

from __future__ import annotations

import argparse
import socket
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manualgrad.commands.errors import BadInput
from manualgrad.commands.network import folder, note, run_path

if TYPE_CHECKING:
    from manualgrad.teaching.play.lesson import Lesson

__all__ = ["add"]

_HOST, _PORT = "127.0.0.1", 8765
_LAYERS, _NEURONS = 4, 200  # of a run: more could not be seen, nor be answered while one draws


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "play",
        help="a page on which to draw a digit and to touch what backpropagation does",
        description="Serve a page, to this machine alone unless --host says otherwise, on which a digit can be drawn and "
        "backpropagation be followed: what it wishes of every weight, the step, the average over examples, descent, the chain "
        "rule.",
    )
    parser.add_argument(
        "--checkpoint",
        type=run_path,
        metavar="RUN",
        help=f"a run's folder or model.pt, to start with: of mnist, with up to {_LAYERS} layers of {_NEURONS} neurons",
    )
    parser.add_argument(
        "--data-dir", type=folder, metavar="DIR", help="where torchvision's folder MNIST/raw/ lies (12,000 images)"
    )
    parser.add_argument(
        "--host",
        type=host_name,
        default=_HOST,
        metavar="H",
        help=f"the address to listen at ({_HOST}: this machine alone; 0.0.0.0: others in the network can open the page, too)",
    )
    parser.add_argument("--port", type=port, metavar="N", help=f"the port to listen at ({_PORT}, or the next that is free)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open no browser")
    parser.set_defaults(run=run)


def host_name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("an address is wanted, and not ''")
    return text


def port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 1 to 65535")
    return int(text)


def run(options: argparse.Namespace) -> int:
    from manualgrad.teaching.play.addresses import ANY, bracketed
    from manualgrad.teaching.play.app import make_app
    from manualgrad.teaching.play.serve import run as serve

    listener = _listen(options)
    with listener:
        lesson = _lesson(options)
        bound, number = listener.getsockname()[:2]
        host = bound if bound in ANY else options.host
        url = f"http://{bracketed({'0.0.0.0': _HOST, '::': '::1'}.get(host, host))}:{number}/"
        if options.port is None and number != _PORT:
            print(f"Port {_PORT} is taken, so this is another.")

        def ready() -> None:
            print(f"manualgrad play: {url} (Ctrl-C ends it)", flush=True)
            if host in ANY:
                print(_from_elsewhere(host, number), flush=True)
            if not options.no_browser:
                threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()  # some wait for theirs to end

        serve(make_app(lesson, host, number), listener, ready)
    return 0


def _from_elsewhere(host: str, number: int) -> str:
    """What to type on the other machines of the network."""
    from manualgrad.teaching.play.addresses import bracketed, machine_names, network_addresses

    addresses = network_addresses(host)
    if not addresses:
        return "This machine has no address in a network: no other one can open the page."
    here = [f"http://{bracketed(address)}:{number}/" for address in addresses]
    names = [f"http://{name}:{number}/" for name in machine_names()]
    known = f"; where the network knows this machine by its name, also {' or '.join(names)}" if names else ""
    return f"On other machines of the network: {' or '.join(here)}{known}"


def _listen(options: argparse.Namespace) -> socket.socket:
    from manualgrad.teaching.play.serve import listen

    try:
        return listen(options.host, _PORT if options.port is None else options.port, others=options.port is None)
    except OSError as error:
        where = f"{options.host}, port {_PORT if options.port is None else options.port}"
        raise BadInput(f"nothing can be served at {where} ({error.strerror or error})") from error


def _lesson(options: argparse.Namespace) -> Lesson:
    """The examples and networks.

    Raises:
        BadInput: when the run or the data cannot be read, or the run's network does not fit the page.
    """
    from manualgrad.teaching.play.lesson import Lesson, load_start
    from manualgrad.training.data import DataError, load
    from manualgrad.training.runs import RunError, load_network, run_name

    try:
        training, test, trained = load_start()
        if options.data_dir is not None:
            training, test = load("mnist", options.data_dir, note)
        if options.checkpoint is None:
            return Lesson(training, test, trained)
        model, config = load_network(options.checkpoint)
    except (DataError, RunError) as error:
        raise BadInput(str(error)) from error
    _check_fits(config, options.checkpoint)
    return Lesson(training, test, trained, model, f"{'-'.join(map(str, config['sizes']))} of {run_name(options.checkpoint)}")


def _check_fits(config: dict[str, Any], checkpoint: Path) -> None:
    """That the page has room for the network."""
    sizes = config["sizes"]
    if config["network"] != "mlp":
        raise BadInput(
            f"{checkpoint} holds a {config['network']}: the page shows Linear, sigmoid and ReLU layers alone (--network mlp)"
        )
    if config["cost"] != "quadratic" or config["activation"] == "tanh":
        raise BadInput(
            f"{checkpoint} was trained with --activation {config['activation']} and --cost {config['cost']}: the page's "
            "formulas are those of sigmoid, relu and the quadratic cost (manualgrad explain shows the others, too)"
        )
    if config["dataset"] != "mnist":
        raise BadInput(f"{checkpoint} was trained on {config['dataset']}, and the page's images are mnist's")
    if [sizes[0], sizes[-1]] != [784, 10] or len(sizes) - 1 > _LAYERS or max(sizes[1:]) > _NEURONS:
        wanted = f"784 inputs, 10 outputs and at most {_LAYERS} layers of {_NEURONS} neurons"
        raise BadInput(f"{checkpoint} is {'-'.join(map(str, sizes))}, and the page has room for {wanted}")

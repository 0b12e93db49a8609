"""`manualgrad play`: an interactive page about backpropagation."""

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
_LAYERS, _NEURONS = 4, 200  # limits for a run: larger networks could neither be shown nor be computed while the user draws


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "play",
        help="draw a digit in the browser and follow backpropagation",
        description="Serve a page, by default to this machine only, on which to draw a digit and follow backpropagation: the "
        "nudges that it wants for every weight, the step, the average over examples, gradient descent, and the chain rule.",
    )
    parser.add_argument(
        "--checkpoint",
        type=run_path,
        metavar="RUN",
        help=f"a run's folder or model.pt to start with, trained on mnist, with up to {_LAYERS} layers of {_NEURONS} neurons",
    )
    parser.add_argument(
        "--data-dir",
        type=folder,
        metavar="DIR",
        help="folder that contains torchvision's MNIST/raw/ (default: the 12,000 images that come with the page)",
    )
    parser.add_argument(
        "--host",
        type=host_name,
        default=_HOST,
        metavar="H",
        help=f"address to listen on (default: {_HOST}, this machine only; 0.0.0.0 lets other machines open the page)",
    )
    parser.add_argument("--port", type=port, metavar="N", help=f"port to listen on (default: {_PORT}, or the next free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address without opening a browser")
    parser.set_defaults(run=run)


def host_name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("must be an address, such as 0.0.0.0, got ''")
    return text


def port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"must be a port from 1 to 65535, got {text!r}")
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
            print(f"Port {_PORT} is in use; using the next free port.")

        def ready() -> None:
            print(f"manualgrad play: {url} (press Ctrl-C to stop)", flush=True)
            if host in ANY:
                print(_from_elsewhere(host, number), flush=True)
            if not options.no_browser:
                threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()  # some browsers block

        serve(make_app(lesson, host, number), listener, ready)
    return 0


def _from_elsewhere(host: str, number: int) -> str:
    """Return the addresses for other machines of the network."""
    from manualgrad.teaching.play.addresses import bracketed, machine_names, network_addresses

    addresses = network_addresses(host)
    if not addresses:
        return "This machine has no network address: no other machine can open the page."
    here = [f"http://{bracketed(address)}:{number}/" for address in addresses]
    names = [f"http://{name}:{number}/" for name in machine_names()]
    known = f"; if the network resolves this machine's name, also {' or '.join(names)}" if names else ""
    return f"On other machines of the network: {' or '.join(here)}{known}"


def _listen(options: argparse.Namespace) -> socket.socket:
    from manualgrad.teaching.play.serve import listen

    try:
        return listen(options.host, _PORT if options.port is None else options.port, others=options.port is None)
    except OSError as error:
        where = f"{options.host}, port {_PORT if options.port is None else options.port}"
        raise BadInput(f"cannot listen on {where} ({error.strerror or error})") from error


def _lesson(options: argparse.Namespace) -> Lesson:
    """Load the examples and networks.

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
    """Raise BadInput if the page cannot show the network."""
    sizes = config["sizes"]
    if config["network"] != "mlp":
        raise BadInput(
            f"--checkpoint: {checkpoint} contains a {config['network']}; the page shows only Linear, sigmoid and ReLU layers"
            " (--network mlp)"
        )
    if config["cost"] != "quadratic" or config["activation"] == "tanh":
        raise BadInput(
            f"--checkpoint: {checkpoint} was trained with --activation {config['activation']} and --cost {config['cost']}; the "
            "page supports only sigmoid, relu and the quadratic cost (manualgrad explain supports the others, too)"
        )
    if config["dataset"] != "mnist":
        raise BadInput(f"--checkpoint: {checkpoint} was trained on {config['dataset']}, but the page needs mnist")
    if [sizes[0], sizes[-1]] != [784, 10] or len(sizes) - 1 > _LAYERS or max(sizes[1:]) > _NEURONS:
        wanted = f"784 inputs, 10 outputs and at most {_LAYERS} layers of {_NEURONS} neurons"
        raise BadInput(f"--checkpoint: {checkpoint} is {'-'.join(map(str, sizes))}, but the page supports {wanted}")

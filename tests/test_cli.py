"""`manualgrad` on the command line: what holds for every command."""

import subprocess
import sys

import pytest
from screens import manualgrad

from manualgrad import __version__
from manualgrad.cli import main


def test_every_command_has_help(capsys):
    for command in ("train", "explain", "chain", "sensitivity", "average", "descent", "derive", "check", "play"):
        code, out, _ = manualgrad(capsys, command, "--help")
        assert code == 0
        assert out.startswith(f"usage: manualgrad {command}")


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("command", "hidden"),
    {"chain": "torchvision platformdirs tensorboard", "derive": "torchvision platformdirs tensorboard matplotlib PIL"}.items(),
)
def test_chain_and_derive_need_no_more_than_they_use(command, hidden, tmp_path):
    hide = f"import sys; sys.modules.update(dict.fromkeys({hidden.split()!r})); from manualgrad.cli import main"
    done = subprocess.run([sys.executable, "-c", f"{hide}; sys.exit(main([{command!r}]))"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_a_missing_extra_is_named_with_the_command_that_installs_it(tmp_path):
    hide = "import sys; sys.modules['matplotlib'] = None; from manualgrad.cli import main; sys.exit(main(['chain']))"
    done = subprocess.run([sys.executable, "-c", hide], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == 'manualgrad: matplotlib is missing: pip install -e ".[train]"\n'


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"manualgrad {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["check"], ["chekc"]])
def test_a_command_that_argparse_refuses_exits_with_2(arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2

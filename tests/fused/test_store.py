"""Kernels on disk: written whole or not at all, loaded without Inductor, and never trusted if damaged or foreign."""

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from paths import ROOT

from manualgrad._fused import compiler, store
from manualgrad._fused.kernels import Formula

pytestmark = pytest.mark.skipif(not shutil.which("c++") and not shutil.which("cl"), reason="no compiler")


def twice_and_three(x, y, *, out):
    return 2 * x + y * 3


FORMULA = Formula(twice_and_three, ("N", "N"), (torch.float32, torch.float32), (), 1)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """What the compiler returns for the formula, with libraries that stay."""
    call, libraries = compiler.compiled(FORMULA)
    folder = tmp_path_factory.mktemp("libraries")
    return call, {name: shutil.copy(path, folder / (name + path.suffix)) for name, path in libraries.items()}


@pytest.fixture
def place(compiled, tmp_path, monkeypatch):
    """An empty folder for kernels, and a list of what is compiled into it."""
    calls = []

    def compile_(formula):
        calls.append(formula)
        return compiled

    monkeypatch.setenv("MANUALGRAD_CACHE", str(tmp_path))
    monkeypatch.setattr(compiler, "compiled", compile_)
    store.folder.cache_clear()
    yield store.folder(), calls
    store.folder.cache_clear()


def kernel():
    return store.kernel(FORMULA)


def assert_right(call):
    x, y = torch.randn(7), torch.randn(7)
    torch.testing.assert_close(call(x, y)[0], 2 * x + 3 * y)


def entry(folder):
    (found,) = folder.iterdir()
    return found


def test_a_kernel_is_compiled_once_and_then_loaded(place):
    _, calls = place
    assert_right(kernel())
    assert_right(kernel())
    assert len(calls) == 1


@pytest.mark.parametrize("file", ["entry.json", "kernel"])
@pytest.mark.parametrize("damage", ["cut", "changed", "removed"])
def test_a_damaged_entry_is_compiled_again(place, file, damage):
    folder, calls = place
    kernel()
    damaged = next(path for path in entry(folder).iterdir() if (path.name == "entry.json") == (file == "entry.json"))
    data = damaged.read_bytes()
    damaged.unlink()  # this process has loaded the library, which must not change under it
    if damage != "removed":
        damaged.write_bytes(data[: len(data) // 2] if damage == "cut" else data[:-9] + b"#" + data[-8:])
    assert_right(kernel())
    assert len(calls) == 2
    assert_right(kernel())
    assert len(calls) == 2


def test_an_entry_without_a_library_it_names_is_compiled_again(place):
    folder, calls = place
    kernel()
    hash, text = (entry(folder) / "entry.json").read_text().split("\n", 1)
    assert set(json.loads(text)) == {"call", "libraries"}
    (entry(folder) / "entry.json").write_text(hash + "\n" + text.replace("2", "3", 1))
    assert_right(kernel())
    assert len(calls) == 2


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
@pytest.mark.parametrize("whose", ["folder", "entry"])
def test_what_others_can_write_to_is_not_loaded(place, whose):
    folder, calls = place
    kernel()
    (folder if whose == "folder" else entry(folder)).chmod(0o777)
    store.folder.cache_clear()
    assert (store.folder() == folder) == (whose == "entry")
    assert_right(kernel())
    assert len(calls) == 2


def test_of_two_processes_that_compile_at_once_the_first_ones_kernel_stays(place, monkeypatch):
    folder, _ = place
    compile_ = compiler.compiled

    def slow(formula):
        monkeypatch.setattr(compiler, "compiled", compile_)
        kernel()  # the other process
        before.append(entry(folder).stat().st_ino)
        return compile_(formula)

    before = []
    monkeypatch.setattr(compiler, "compiled", slow)
    assert_right(kernel())
    assert entry(folder).stat().st_ino == before[0]


def test_the_folder_is_bounded(place, monkeypatch):
    folder, _ = place
    kernel()
    size = sum(path.stat().st_size for path in entry(folder).iterdir())
    monkeypatch.setattr(store, "_LARGEST", 2 * size + size // 2)
    for age in range(3):
        old = shutil.copytree(entry(folder) if age == 0 else newest, folder / f"old{age}")  # noqa: F821
        newest = max((path for path in folder.iterdir() if not path.name.startswith("old")), key=lambda p: p.stat().st_mtime)
        os.utime(old, (1000 + age, 1000 + age))
    store._bound(folder)
    assert {path.name for path in folder.iterdir()} == {newest.name, "old2"}


def outer_product(x, y):
    return torch.mm(x, y)


@pytest.mark.skipif(torch.__version__ < "2.14", reason="Inductor multiplied these numbers without a guard")
def test_a_kernel_that_fits_few_sizes_is_refused_the_second_time_too():
    """Inductor multiplies few numbers in another way. Its cache, which has the kernel then, adds no guard."""
    formula = Formula(outer_product, ("N1", "1M"), (torch.float32,) * 2, (), 1)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="would hold only where"):
            compiler.compiled(formula)


LATER = """
import sys, torch
from manualgrad import fused, nn
x = torch.linspace(-3, 3, 9, requires_grad=True)
with fused():
    y = nn.functional.gelu(x)
y.sum().backward()
print(*x.grad.tolist())
print("torch._inductor" in sys.modules, "sympy" in sys.modules)
"""


def test_a_second_process_imports_no_compiler_and_finds_the_same_bits(tmp_path):
    environment = {**os.environ, "MANUALGRAD_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT)}

    def process():
        done = subprocess.run([sys.executable, "-c", LATER], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    first, second = process(), process()
    assert first[0] == second[0]
    assert first[1] == "True True"
    assert second[1] == "False False"

"""The private names of PyTorch that the package uses: each exists in the torch at hand.

They may move without notice; this test says which are missing, and in which files they are used.
"""

import ast
import importlib
from functools import reduce

import torch
from paths import PACKAGE


def is_private(name):
    return any(part.startswith("_") and not part.startswith("__") for part in name.split("."))


def dotted(node):
    """The name that an expression spells, "torch._C._nn.gelu_", or None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return base and f"{base}.{node.attr}"
    return None


def imported(tree):
    """What the names of a module's imports from torch stand for, and those that it gives to other names of torch."""
    names = {"torch": "torch"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname and alias.name.startswith("torch.")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "torch":
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, (ast.Name, ast.Attribute)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            first, _, rest = dotted(node.value).partition(".") if dotted(node.value) else ("", "", "")
            if first in names and len(targets) == 1 and isinstance(targets[0], ast.Name):
                names[targets[0].id] = ".".join(filter(None, (names[first], rest)))
    return names


def private_names(path):
    """The private names of torch that a file uses."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = imported(tree)
    found = {name for name in names.values() if is_private(name)}
    for node in ast.walk(tree):
        first, _, rest = (dotted(node) or "").partition(".")
        if isinstance(node, ast.Attribute) and first in names and is_private(f"{names[first]}.{rest}"):
            found.add(f"{names[first]}.{rest}")
    return found


def used():
    """Each private name, with the files that use it."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in private_names(path):
            found.setdefault(name, []).append(str(path.relative_to(PACKAGE)))
    return found


def exists(name):
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        try:
            reduce(getattr, parts[end:], module)
        except AttributeError:
            return False
        return True
    return False


def test_every_private_name_exists_in_the_torch_at_hand():
    names = used()
    assert "torch._C._nn.gelu_" in names
    missing = [f"{name}, in {', '.join(files)}" for name, files in sorted(names.items()) if not exists(name)]
    assert not missing, f"torch {torch.__version__} does not have:\n" + "\n".join(missing)


def test_a_name_that_torch_does_not_have_is_noticed():
    assert not exists("torch._C._nn.no_such_kernel")
    assert not exists("torch._no_such_module.name")

"""Docstrings of `nn.functional` and `nn`, completed: what holds for all of them, and a class's from its function's.

A docstring has a summary, and then the sections Args, Shapes, Raises ("Type: when: `a call that raises it`.") and Example. Each
example runs, and each call raises: tests/test_reference.py.
"""

from __future__ import annotations

import ast
import inspect
import re

from manualgrad.torch_api.arguments import arguments

__all__ = ["in_dimensions", "of_function", "of_layer", "sections", "with_sections"]

_ORDER = ("Args", "Shapes", "Raises", "Example")


def sections(docstring: str) -> dict[str, str]:
    """Split a docstring into its summary, under "", and the texts of its sections."""
    summary, *rest = re.split(r"^(\w+):\n", inspect.cleandoc(docstring), flags=re.MULTILINE)
    texts = {title: inspect.cleandoc("\n" + text) for title, text in zip(rest[::2], rest[1::2], strict=True)}
    if "Raises" in texts:  # an error is a line there
        texts["Raises"] = re.sub(r"\n\s*(?!\w+: )", " ", texts["Raises"])
    return {"": summary.strip(), **texts}


def with_sections(found: dict[str, str]) -> str:
    """The docstring that has these sections."""
    titled = [f"{title}:\n    " + found[title].replace("\n", "\n    ") for title in _ORDER if found.get(title)]
    return "\n\n".join([found[""], *titled]) + "\n"


def of_function(name: str, docstring: str, page: str) -> str:
    """The docstring of `nn.functional.name`."""
    found = sections(docstring)
    found[""] += f"\n\nThe arguments are those of `torch.nn.functional.{name}`.\n{_derived(page)}"
    return with_sections(found)


def of_layer(cls: type, docstring: str, function: str, of_function: str, page: str = "") -> str:
    """The docstring of a layer: its own, completed, or its function's, in which `nn.functional.gelu(z)` becomes `nn.GELU()(z)`.

    Args:
        function: the name of its function in `nn.functional`, and
        of_function: the docstring of that.
        page: the module of `manualgrad.functions` that derives the gradient; if empty, that of the function.
    """
    name, found = cls.__name__, sections(docstring or of_function)
    page = page or re.findall(r"`manualgrad\.functions\.([\w.]+)`", of_function)[0]
    if not docstring:
        layer = _AsLayer(function, name, len(inspect.signature(cls.forward).parameters) - 1)  # type: ignore[attr-defined]
        found[""] = found[""].partition("\n\nThe arguments are those of")[0]
        found["Raises"] = re.sub(r"`(nn\..+)`", lambda m: f"`{layer.text(m[1])}`", found["Raises"])
        calls = rf"(?<=>>> )(?:\w+ = )?nn\.functional\.{function}\(.*$"
        found["Example"] = re.sub(calls, lambda m: layer.text(m[0]), found["Example"], flags=re.MULTILINE)
    same = f"Same arguments, parameters, state_dict and initialization as `torch.nn.{name}`, its base class."
    found[""] += f"\n\n{same}\n{_derived(page)}"
    return with_sections({**found, "Args": arguments(name, cls)})


class _AsLayer(ast.NodeTransformer):
    """Turns the call of a function into that of a layer, which is made with the arguments behind the inputs."""

    def __init__(self, function: str, name: str, inputs: int) -> None:
        self.function, self.name, self.inputs = f"nn.functional.{function}", name, inputs

    def text(self, code: str) -> str:
        code, remark, why = code.partition("  #")
        return ast.unparse(self.visit(ast.parse(code))) + remark + why

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if ast.unparse(node.func) != self.function:
            return node
        layer = ast.Attribute(ast.Name("nn", ast.Load()), self.name, ast.Load())
        made = ast.Call(layer, node.args[self.inputs :], node.keywords)
        return ast.Call(made, node.args[: self.inputs], [])


def _derived(page: str) -> str:
    return f"The gradient is derived in `manualgrad.functions.{page}`."


def in_dimensions(text: str, n: int, **texts: str) -> str:
    """A docstring for n dimensions, in which <n>, <where>, <sides>, <8 each> and the names of the texts are replaced."""
    texts = {"n": str(n), "where": ("line", "plane", "volume")[n - 1], "sides": ("l", "h, w", "d, h, w")[n - 1], **texts}
    text = re.sub(r"<(\w+)>", lambda m: texts.get(m[1], m[0]), text)
    return re.sub(r"<(\d+) each>", lambda m: ", ".join([m[1]] * n), text)

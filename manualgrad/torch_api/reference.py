"""Complete the docstrings of `nn.functional` and `nn`: add the common parts, and derive a layer's from its function's.

A docstring has a summary and the sections Args, Shapes, Raises ("Type: when: `a call that raises it`.") and Example.
tests/test_reference.py runs each example, and each call that must raise.
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
    if "Raises" in texts:  # one line per error
        texts["Raises"] = re.sub(r"\n\s*(?!\w+: )", " ", texts["Raises"])
    return {"": summary.strip(), **texts}


def with_sections(found: dict[str, str]) -> str:
    """Join the sections into a docstring."""
    titled = [f"{title}:\n    " + found[title].replace("\n", "\n    ") for title in _ORDER if found.get(title)]
    return "\n\n".join([found[""], *titled]) + "\n"


def of_function(name: str, docstring: str, page: str) -> str:
    """Return the docstring of `nn.functional.<name>`."""
    found = sections(docstring)
    found[""] += f"\n\nSame arguments as `torch.nn.functional.{name}`.\n{_derived(page)}"
    return with_sections(found)


def of_layer(cls: type, docstring: str, function: str, of_function: str, page: str = "") -> str:
    """Complete a layer's docstring, or derive it from its function's, where `nn.functional.gelu(z)` becomes `nn.GELU()(z)`.

    Args:
        function: the name of the layer's function in `nn.functional`.
        of_function: the docstring of that function.
        page: the module of `manualgrad.functions` that derives the gradient; if empty, the one in `of_function`.
    """
    name, found = cls.__name__, sections(docstring or of_function)
    page = page or re.findall(r"`manualgrad\.functions\.([\w.]+)`", of_function)[0]
    if not docstring:
        layer = _AsLayer(function, name, len(inspect.signature(cls.forward).parameters) - 1)  # type: ignore[attr-defined]
        found[""] = found[""].partition("\n\nSame arguments as")[0]
        found["Raises"] = re.sub(r"`(nn\..+)`", lambda m: f"`{layer.text(m[1])}`", found["Raises"])
        calls = rf"(?<=>>> )(?:\w+ = )?nn\.functional\.{function}\(.*$"
        found["Example"] = re.sub(calls, lambda m: layer.text(m[0]), found["Example"], flags=re.MULTILINE)
    same = f"Same arguments, parameters, state_dict and initialization as `torch.nn.{name}`, its base class."
    found[""] += f"\n\n{same}\n{_derived(page)}"
    return with_sections({**found, "Args": arguments(name, cls)})


class _AsLayer(ast.NodeTransformer):
    """Rewrites a function call as a layer call: the arguments after the inputs go to the constructor."""

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
    """Return the docstring for n dimensions: replace <n>, <where>, <sides>, <8 each> and the names of the texts."""
    texts = {"n": str(n), "where": ("line", "plane", "volume")[n - 1], "sides": ("l", "h, w", "d, h, w")[n - 1], **texts}
    text = re.sub(r"<(\w+)>", lambda m: texts.get(m[1], m[0]), text)
    return re.sub(r"<(\d+) each>", lambda m: ", ".join([m[1]] * n), text)

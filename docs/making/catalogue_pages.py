"""The catalogue's pages: of each file of `manualgrad/functions/`, its derivation, its code, and what is known of it."""

from __future__ import annotations

import ast
import functools
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from making import docstring, prose
from making.sources import ROOT, Page, is_in_place, names_of, pages, saved, shared_pages, tests_of
from making.speeds import of_functions, speeds
from making.written import Folder, table

__all__ = ["write"]

GITHUB = "https://github.com/manualgrad/manualgrad/blob/main"
PICTURES = {  # what is drawn by figures.py
    "convolution/convolution.py": ("convolution", "A convolution of one channel, and its two gradients"),
    "normalization/batch_norm.py": (
        "batch_norm",
        "From r g_i a straight line is subtracted: what is left has mean 0 and slope 0",
    ),
    "attention.py": ("attention", "From ∂C/∂P to ∂C/∂S: in each row, D_i = Σ_k P_ik ∂C/∂P_ik is subtracted"),
}
FAMILIES = {
    "activations": "Activations",
    "arithmetic": "Arithmetic",
    "linear": "Linear",
    "convolution": "Convolution",
    "embedding": "Embedding",
    "losses": "Losses",
    "normalization": "Normalization",
    "pooling": "Pooling",
    "attention": "Attention",
    "interpolate": "Interpolation",
    "_elementwise": "Element by element",
}


def write(folder: Folder) -> None:
    """All of them, and the indexes."""
    everything = [*pages(), *shared_pages()]
    for page in everything:
        folder.write(_document(page), _page(page))
    for family, title in FAMILIES.items():
        members = [page for page in everything if page.family == family]
        if len(members) > 1:
            folder.write(f"catalogue/{family}/index.md", _family(title, members))
    folder.write("catalogue/index.md", _index())
    folder.write("catalogue/by-torch-name.md", _by_name())


def _document(page: Page) -> str:
    return f"catalogue/{page.path.removesuffix('.py')}.md"


def page_of(name: str) -> str | None:
    """The page of a file that a text names, `softmax.py` or `linear/linear.py`, as a link."""
    for page in (*pages(), *shared_pages()):
        if page.path == name or page.path.endswith(f"/{name}"):
            return f"/generated/{_document(page)}"
    return None


# One page


def _page(page: Page) -> str:
    parts = [f"# {page.title}", docstring.markdown(page.docstring, page_of)]
    if page.path in PICTURES:
        name, caption = PICTURES[page.path]
        parts.append(
            f"```{{figure}} /generated/pictures/{name}.svg\n:alt: {caption}\n\n{prose.paragraph(caption, page_of)}\n```"
        )
    parts += ["## The code", f"[manualgrad/functions/{page.path}]({GITHUB}/manualgrad/functions/{page.path})", *_code(page)]
    if page in pages():
        parts += _known(page)
    return "\n\n".join(parts) + "\n"


def _code(page: Page) -> list[str]:
    """Each class with its docstring before it; then the functions that they call."""
    source = page.source
    parts: list[str] = []
    rest: list[str] = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            parts.append(f"### `{node.name}`")
            said = ast.get_docstring(node)
            if said:
                parts.append(docstring.markdown(said, page_of))
            parts.append(_fenced(_without_docstring(source, node)))
        elif not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr) and "__all__" not in ast.unparse(node):
            rest.append(_lines(source, node))
    if rest:
        parts += ["### What they call" if parts else "", _fenced(_joined(rest))]
    return [part for part in parts if part]


def _joined(pieces: list[str]) -> str:
    """Functions two lines apart, other lines together."""
    text = pieces[0]
    for before, piece in pairwise(pieces):
        apart = "def " in before or "def " in piece
        text += ("\n\n\n" if apart else "\n") + piece
    return text


def _lines(source: str, node: Any) -> str:
    start = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    return "\n".join(source.splitlines()[start - 1 : node.end_lineno])


def _without_docstring(source: str, node: ast.ClassDef) -> str:
    lines = source.splitlines()
    first = node.body[0]
    start = node.lineno - 1
    if ast.get_docstring(node) is None or len(node.body) == 1:
        return "\n".join(lines[start : node.end_lineno])
    after = lines[first.end_lineno or 0 : node.end_lineno]
    while after and not after[0].strip():
        after = after[1:]
    return "\n".join([*lines[start : first.lineno - 1], *after])


def _fenced(code: str) -> str:
    code = re.sub(r"  # noqa.*", "", code)
    return f"```python\n{code}\n```"


# What is known of a page


def _known(page: Page) -> list[str]:
    names = names_of()
    rows = [[f"`{cls.__name__}`", _code_or_nothing(saved(cls)), _autocast(cls)] for cls in page.classes]
    parts = ["## What it saves", table(["Function", "saved for the backward", "under autocast"], rows)]
    served = sorted({name for cls in page.classes for name in names.get(cls, [])})
    if served:
        parts += ["## What it serves", _served(served)]
    faults = [f"`{subject}`: {', '.join(links)}" for subject, links in _faults().items() if _name(subject) in served]
    if faults:
        parts += [
            "## What PyTorch's own gets wrong",
            "Programs that show it, function by function:",
            "\n".join(f"- {fault}" for fault in faults),
        ]
    measured = {cls.__name__: of_functions().get(cls.__name__.removesuffix("Function")) for cls in page.classes}
    ratios = [[f"`{name}`", *ratios] for name, ratios in measured.items() if ratios]
    parts += [
        "## Speed",
        "Forward and backward inside `by_hand`, as a multiple of torch's time, on two cores of an Intel Xeon"
        " ([how, and why not less](/speed.md)). A row is 512 numbers, or an image of 8 channels and 8 × 8 places:",
        table(["Function", "8 rows", "256 rows", "8,192 rows"], ratios),
    ]
    if page.path in speeds():
        parts += [
            "And of layers:",
            table(["layer", "torch.nn, µs", "manualgrad.nn, µs", "ratio"], speeds()[page.path]),
        ]
    if page.issues:
        parts += ["## PyTorch issues", prose.issues("Named in the file: " + ", ".join(page.issues) + ".")]
    return [*parts, *_claims(page)]


def _code_or_nothing(text: str) -> str:
    return f"`{text}`" if text else "nothing"


def _autocast(cls: Any) -> str:
    said = {"lower": "computed in autocast's dtype", "float32": "computed in float32", "widest": "in the widest dtype given"}
    policy = cls.autocast
    if isinstance(policy, dict):
        return "; ".join(f"{said[what]} on {device}" for device, what in policy.items() if what)
    return said.get(policy, "as given")


def _served(names: list[str]) -> str:
    """Their calls have this page's derivatives inside `by_hand`, where they may have those of other pages too."""
    changing = [name for name in names if is_in_place(name)]
    written = "Inside `by_hand`, these have their derivatives from here, some of them together with other pages: "
    written += ", ".join(f"`{name}`" for name in names if name not in changing) + "."
    return written + (f" In place: {', '.join(f'`{name}`' for name in changing)}." if changing else "")


def _claims(page: Page) -> list[str]:
    found = tests_of(page)
    if not found:
        return []
    parts = ["## What is tested", "Which modes and orders hold, by the names of the tests:"]
    for path, tests in found.items():
        claims = "\n".join(f"- {name.removeprefix('test_').replace('_', ' ')}" for name in tests)
        parts += [f"[tests/{path}]({GITHUB}/tests/{path})", claims]
    return parts


@functools.cache
def _faults() -> dict[str, list[str]]:
    """Of each function of PyTorch's that has a fault: links to the programs that show it."""
    text = (ROOT / "docs" / "torch-under-check.md").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    for subject, row in re.findall(r"^\| `(.+?)` \|(.*)$", text, re.MULTILINE):
        numbers = sorted(set(re.findall(r"\[fault (\d+)\]", row)), key=int)
        if numbers:
            found[subject] = numbers
    of_checks = {number for numbers in found.values() for number in numbers}
    for number, function in re.findall(r"^\| \[fault (\d+)\]\(.+?\) \| (\w+)", text, re.MULTILINE):
        if number not in of_checks:
            found.setdefault(f"F.{function}", []).append(number)
    links = "[fault {0}](/torch-under-check.md#fault-{0})"
    return {subject: [links.format(number) for number in numbers] for subject, numbers in found.items()}


def _name(subject: str) -> str:
    """F.batch_norm, training: torch.nn.functional.batch_norm."""
    return re.sub(r"^F\.", "torch.nn.functional.", subject.partition(",")[0])


# Indexes


def _family(title: str, members: list[Page]) -> str:
    return f"# {title}\n\n{_list(members)}\n\n{_toctree([Path(member.path).stem for member in members])}"


def _list(members: list[Page]) -> str:
    return table(
        ["page", "what it is"],
        [[f"[{page.title}](/generated/{_document(page)})", prose.paragraph(page.first_sentence, page_of)] for page in members],
    )


def _toctree(names: list[str]) -> str:
    return "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n"


def _index() -> str:
    everything = [*pages(), *shared_pages()]
    parts = [
        "# The catalogue",
        f"{len(pages())} files derive {sum(len(page.classes) for page in pages())} Functions. Each page below is one of these"
        " files: its derivation with every step, and then the code, which is the same formulas. The pages are made from the"
        " files whenever this site is built, so that nothing here is written twice.",
        "Looking for a function of PyTorch's? See [the index by torch name](by-torch-name.md). How much of a whole model is"
        " by hand is in [whose gradients are by hand](/catalogue.md).",
    ]
    for family, title in FAMILIES.items():
        members = [page for page in everything if page.family == family]
        parts += [f"## {title}", _list(members)]
    families = [family if any(page.path == f"{family}.py" for page in everything) else f"{family}/index" for family in FAMILIES]
    return "\n\n".join([*parts, _toctree([*families, "by-torch-name", "Whose gradients are by hand </catalogue>"])])


def _by_name() -> str:
    """Every name that by_hand answers, and the pages that its derivative is made of."""
    where = {cls: page for page in pages() for cls in page.classes}
    found: dict[str, list[str]] = {}
    for cls, names in names_of().items():
        for name in names:
            if cls in where:
                found.setdefault(name, []).append(
                    f"[{cls.__name__.removesuffix('Function')}](/generated/{_document(where[cls])})"
                )
    groups: dict[str, list[list[str]]] = {}
    for name, links in sorted(found.items()):
        group, _, last = name.rpartition(".")
        groups.setdefault(group, []).append([f"`{last}`", ", ".join(sorted(set(links)))])
    parts = [
        "# By torch name",
        f"{len(found)} names of PyTorch's that [`by_hand`](/generated/reference/manualgrad.md) answers, and the Functions"
        " that it answers with, which depend on the arguments.",
    ]
    for group, rows in sorted(groups.items()):
        parts += [f"## {group}", table(["name", "Functions"], rows)]
    return "\n\n".join(parts) + "\n"

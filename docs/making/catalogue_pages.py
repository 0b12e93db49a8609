"""The catalogue's pages, one for each file of `manualgrad/functions/`: its derivation, code, faults, speed and tests."""

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
PICTURES = {  # drawn by figures.py
    "convolution/convolution.py": ("convolution", "A convolution of one channel, and its two gradients"),
    "normalization/batch_norm.py": (
        "batch_norm",
        "A straight line is subtracted from r g_i; the remainder has mean 0 and slope 0",
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
    "_elementwise": "Elementwise",
    "_slope": "Slopes of elementwise functions",
}


def write(folder: Folder) -> None:
    """Write all pages and the indexes."""
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
    """Return a link to the page of a file that a text names, such as `softmax.py` or `linear/linear.py`."""
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
    """Return each class, with its docstring before it, and then the functions and constants that they use."""
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
        parts += ["### Helpers" if parts else "", _fenced(_joined(rest))]
    return [part for part in parts if part]


def _joined(pieces: list[str]) -> str:
    """Join the pieces, with two blank lines around functions and none between other lines."""
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


# Facts about a page


def _known(page: Page) -> list[str]:
    names = names_of()
    rows = [[f"`{cls.__name__}`", _code_or_nothing(saved(cls)), _autocast(cls)] for cls in page.classes]
    parts = ["## Saved tensors and autocast", table(["Function", "saved for the backward", "computed under autocast"], rows)]
    served = sorted({name for cls in page.classes for name in names.get(cls, [])})
    if served:
        parts += ["## PyTorch functions", _served(served)]
    faults = [f"`{subject}`: {', '.join(links)}" for subject, links in _faults().items() if _name(subject) in served]
    if faults:
        parts += [
            "## Faults of PyTorch's own functions",
            "Programs that reproduce them, by function:",
            "\n".join(f"- {fault}" for fault in faults),
        ]
    measured = {cls.__name__: of_functions().get(cls.__name__.removesuffix("Function")) for cls in page.classes}
    ratios = [[f"`{name}`", *ratios] for name, ratios in measured.items() if ratios]
    parts += [
        "## Speed",
        "Time of forward and backward inside `by_hand`, as a multiple of torch's, on two cores of an Intel Xeon"
        " ([method and reasons](/speed.md)). A row is 512 numbers, or an image of 8 channels and 8 × 8 pixels:",
        table(["Function", "8 rows", "256 rows", "8,192 rows"], ratios),
    ]
    if page.path in speeds():
        parts += [
            "Layers:",
            table(["layer", "torch.nn, µs", "manualgrad.nn, µs", "ratio"], speeds()[page.path]),
        ]
    if page.issues:
        parts += ["## PyTorch issues", prose.issues("The file refers to " + ", ".join(page.issues) + ".")]
    return [*parts, *_claims(page)]


def _code_or_nothing(text: str) -> str:
    return f"`{text}`" if text else "nothing"


def _autocast(cls: Any) -> str:
    said = {"lower": "in the autocast dtype", "float32": "in float32", "widest": "in the widest input dtype"}
    policy = cls.autocast
    if isinstance(policy, dict):
        return "; ".join(f"{said[what]} on {device}" for device, what in policy.items() if what)
    return said.get(policy, "in the input dtypes")


def _served(names: list[str]) -> str:
    """List the functions that use this page's derivatives inside `by_hand`; they may also use those of other pages."""
    changing = [name for name in names if is_in_place(name)]
    written = "Inside `by_hand`, these use the derivatives of this page, some together with those of other pages: "
    written += ", ".join(f"`{name}`" for name in names if name not in changing) + "."
    return written + (f" In place: {', '.join(f'`{name}`' for name in changing)}." if changing else "")


def _claims(page: Page) -> list[str]:
    found = tests_of(page)
    if not found:
        return []
    parts = ["## Tests", "The names of the tests state which modes and orders work:"]
    for path, tests in found.items():
        claims = "\n".join(f"- {name.removeprefix('test_').replace('_', ' ')}" for name in tests)
        parts += [f"[tests/{path}]({GITHUB}/tests/{path})", claims]
    return parts


@functools.cache
def _faults() -> dict[str, list[str]]:
    """Map each PyTorch function that has a fault to links to the programs that reproduce it."""
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
    """Return the full name of a subject: torch.nn.functional.batch_norm for `F.batch_norm, training`."""
    return re.sub(r"^F\.", "torch.nn.functional.", subject.partition(",")[0])


# Indexes


def _family(title: str, members: list[Page]) -> str:
    return f"# {title}\n\n{_list(members)}\n\n{_toctree([Path(member.path).stem for member in members])}"


def _list(members: list[Page]) -> str:
    return table(
        ["page", "subject"],
        [[f"[{page.title}](/generated/{_document(page)})", prose.paragraph(page.first_sentence, page_of)] for page in members],
    )


def _toctree(names: list[str]) -> str:
    return "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n"


def _index() -> str:
    everything = [*pages(), *shared_pages()]
    parts = [
        "# The catalogue",
        f"{len(pages())} files derive {sum(len(page.classes) for page in pages())} Functions. Each page below shows one of"
        " these files: its derivation, step by step, and the code, which implements the same formulas. The pages are"
        " generated from the files whenever this site is built.",
        "To find a PyTorch function, see [the index by torch name](by-torch-name.md). The table of"
        " [coverage of models](/catalogue.md) shows how much of a whole model is differentiated by hand.",
    ]
    for family, title in FAMILIES.items():
        members = [page for page in everything if page.family == family]
        parts += [f"## {title}", _list(members)]
    families = [family if any(page.path == f"{family}.py" for page in everything) else f"{family}/index" for family in FAMILIES]
    return "\n\n".join([*parts, _toctree([*families, "by-torch-name", "Coverage of models </catalogue>"])])


def _by_name() -> str:
    """Return the index of the names that by_hand handles, with the pages of their derivatives."""
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
        f"The {len(found)} PyTorch names that [`by_hand`](/generated/reference/manualgrad.md) handles, and the Functions that"
        " it applies, depending on the arguments.",
    ]
    for group, rows in sorted(groups.items()):
        parts += [f"## {group}", table(["name", "Functions"], rows)]
    return "\n\n".join(parts) + "\n"

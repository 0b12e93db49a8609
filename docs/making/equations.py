"""A block of equations in a docstring, typeset as one display with columns of labels, left sides, right sides and remarks.

In the docstrings, a gap of at least two spaces separates the parts of a line: a label, one or more equations, a remark.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from making.lexer import NotAFormula
from making.notation import tex

__all__ = ["display"]

WIDTH = 96  # characters of the longest line that fits on a page

_GAP = re.compile(r"(?<=[^\s=])\s{2,}(?=[^\s=])")
_LABEL = re.compile(r"[\w-]{3,}|.*:")
_RELATION = re.compile(r"\s*([=≤≥⟺]|(?<=\s)[<>](?=\s))\s*")
_WORD = re.compile(
    r"(?<![\w(∂_'`])(?!d[A-Za-z](?![A-Za-z])|max\b|min\b|log\b|sign\b|delta|tanh|prev|softmax|softplus|erf)[A-Za-z]{2,}(?![\w(_'])"
)


@dataclass
class _Row:
    label: str = ""
    equations: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def display(lines: list[str]) -> str:
    """Convert the block to TeX.

    Raises:
        NotAFormula: if a line is not in the notation.
    """
    rows = _rows(lines)
    written = []
    widest = max((_width(equation) for row in rows for equation in row.equations), default=0)
    labels = any(row.label for row in rows)
    for row in rows:
        room = WIDTH - (max(len(row.label) for row in rows) if labels else 0)
        label = rf"\text{{{row.label}}} && " if row.label else "&& " if labels else ""
        sides = _beside(row.equations, room)
        beside = bool(row.remarks) and len(row.equations) > 0 and widest + _width(row.remarks[0]) + 12 <= room
        for number, line in enumerate(sides):
            remark = rf" && {tex(row.remarks[0])}" if beside and number == 0 else ""
            written.append((label if number == 0 else "&& " if labels else "") + line + remark)
        for remark in row.remarks[beside:]:
            written += [("&& " if labels else "") + rf"& \quad \rlap{{{line}}}" for line in _wrapped(remark, room)]
    return "\\begin{aligned}\n" + " \\\\[0.4em]\n".join(written) + "\n\\end{aligned}"


def _rows(lines: list[str]) -> list[_Row]:
    rows: list[_Row] = []
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    for line in lines:
        pieces = [piece.strip() for piece in _GAP.split(line.strip())]
        if rows and len(line) - len(line.lstrip()) > margin + 8 and not _is_equation(pieces[0]):
            before = rows[-1]  # the previous remark continues
            before.remarks[-1:] = [" ".join([*before.remarks[-1:], *pieces])]
            continue
        rows += _rows_of(pieces)
    return rows


def _rows_of(pieces: list[str]) -> list[_Row]:
    """Return the rows of a line. An equation after a remark, or a second label, starts a new row, to keep the order."""
    rows = [_Row()]
    for number, piece in enumerate(pieces):
        piece = re.sub(r"\s+", " ", piece).rstrip(",")
        is_label = number < len(pieces) - 1 and _LABEL.fullmatch(piece) is not None and (number == 0 or piece.endswith(":"))
        is_equation = _is_equation(piece) and not (rows[-1].equations and _is_said(piece))
        if (is_label and number > 0) or (is_equation and rows[-1].remarks):
            rows.append(_Row())
        if is_label:
            rows[-1].label = piece
        elif is_equation or not rows[-1].equations:
            rows[-1].equations.append(piece)
        else:
            rows[-1].remarks.append(piece)
    return rows


def _without_brackets(piece: str) -> str:
    while re.search(r"[(\[{][^()\[\]{}]*[)\]}]", piece):
        piece = re.sub(r"[(\[{][^()\[\]{}]*[)\]}]", "§", piece)
    return piece


def _is_equation(piece: str) -> bool:
    """Return whether a relation outside brackets precedes the first word."""
    plain = _without_brackets(piece)
    relation = _RELATION.search(plain)
    word = _WORD.search(plain)
    return relation is not None and (word is None or relation.start() < word.start() or plain.startswith(("slope", "constant")))


def _is_said(piece: str) -> bool:
    """Return whether the piece is a sentence rather than an equation."""
    return len(_WORD.findall(_without_brackets(piece))) > 2


def _width(text: str) -> int:
    """Estimate the width in characters when typeset; a fraction is as wide as its longer side."""
    text = re.sub(r"(\S+)/(\S+)", lambda both: max(both[1], both[2], key=len), text)
    return len(re.sub(r"[_^{}]", "", text))


def _beside(equations: list[str], room: int) -> list[str]:
    """Place equations side by side if they fit, otherwise below one another with their relations aligned."""
    lines: list[list[str]] = []
    for equation in equations:
        if lines and sum(map(_width, [*lines[-1], equation])) + 6 * len(lines[-1]) <= room:
            lines[-1].append(equation)
        else:
            lines.append([equation])
    return [piece for first, *others in lines for piece in _steps(first, others, room)]


def _steps(first: str, others: list[str], room: int) -> list[str]:
    """Put & at the relation of an equation; break a chain of equalities that is too long into several lines."""
    after = "".join(rf" \qquad {tex(other)}" for other in others)
    steps = _at_equals(first)
    if _width(first) <= room or len(steps) < 3:
        left, right = (steps[0], " = ".join(steps[1:])) if len(steps) > 1 else ("", first)
        return [(f"{tex(left)} &= {tex(right)}" if len(steps) > 1 else _aligned(first)) + after]
    lines: list[list[str]] = [[]]
    for step in steps[1:]:
        if lines[-1] and _width(steps[0] + " = ".join([*lines[-1], step])) > room:
            lines.append([])
        lines[-1].append(step)
    written = [f"&= {tex(' = '.join(line))}" for line in lines]
    return (
        [f"{tex(steps[0])} {written[0]}", *written[1:-1], written[-1] + after]
        if len(written) > 1
        else [f"{tex(steps[0])} {written[0]}{after}"]
    )


def _at_equals(equation: str) -> list[str]:
    """Split a chain of equalities into its sides, but not inside brackets or after words."""
    sides, depth, start = [], 0, 0
    for at, sign in enumerate(equation):
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "=" and depth == 0:
            if _WORD.search(equation[start:at]) and sides:
                break
            sides.append(equation[start:at].strip())
            start = at + 1
    return [*sides, equation[start:].strip()]


def _aligned(equation: str) -> str:
    relation = _RELATION.search(equation)
    if relation is None or (relation.start() == 0 and equation[:1] != "="):
        return f"& {tex(equation)}"
    return f"{tex(equation[: relation.start()])} & {tex(equation[relation.start() :])}"


def _wrapped(text: str, room: int) -> list[str]:
    """Wrap a remark to lines that fit, without breaking inside brackets."""
    lines = [""]
    for word in text.split():
        is_whole = not any(lines[-1].count(opening) > lines[-1].count(closing) for opening, closing in ("()", "[]", "{}"))
        is_whole = is_whole and not re.search(r"Σ\S*$", lines[-1])
        if lines[-1] and is_whole and len(lines[-1]) + len(word) > room:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    try:
        return [tex(line) for line in lines]
    except NotAFormula:
        return [tex(text)]

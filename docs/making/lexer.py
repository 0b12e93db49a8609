"""Tokens of a formula: symbols, names and words."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from making import signs

__all__ = ["NotAFormula", "Token", "tokens"]


class NotAFormula(ValueError):
    """Raised if a text is not in the notation; the caller shows it unchanged."""


@dataclass(frozen=True)
class Token:
    kind: str  # number, letter, name, word, script, sign
    text: str
    after_space: bool


_MARKS = "".join(signs.MARKS)
_LETTER = r"[A-Za-zαβγδεηλπσφΦℓ∞]"
_RAISED, _LOWERED = "".join(signs.RAISED), "".join(signs.LOWERED)

_PATTERNS = {
    "quoted": r'"[^"]*"|`[^`]*`|[\w/]+\.py(?!\w)|\d+-[a-z]+|[a-z]{3,}(?:_[a-z]{3,})+|[A-Z]\d(?!\w)',
    "number": r"\d+(?:\.\d+)?",
    "word": r"[A-Za-z]{2}[A-Za-z0-9]*(?:['’-][a-z]+)*(?![" + _MARKS + "])",
    "letter": _LETTER + f"[{_MARKS}]*",
    "raised": f"[{_RAISED}]+",
    "lowered": f"[{_LOWERED}]+",
    "sign": r"···|\.\.\.|[=<>≤≥≠→⟺∈+−·∗±,;:!.()\[\]{}⌊⌋⌈⌉|‖ΣΠ∫∂√_^/′″'-]",
}
_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _PATTERNS.items()))
_DIFFERENTIAL = re.compile(r"(?!do\b)d" + _LETTER + f"(?![A-Za-z])[{_MARKS}]*")


def tokens(text: str) -> list[Token]:
    """Split a text into tokens; a letter keeps its hats and bars as combining characters."""
    text = _apart(text)
    found: list[Token] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        after_space = at > 0 and text[at - 1].isspace()
        kind, piece = _next(text, at, found[-1] if found and not after_space else None)
        found.append(Token(kind, piece, after_space))
        at += len(piece)
    return found


def _next(text: str, at: int, before: Token | None) -> tuple[str, str]:
    if before is not None and before.text == "_":  # a subscript: indices of one letter each, or a word
        run = re.compile(r"[A-Za-z0-9]+").match(text, at)
        if run:
            return "subscript", run[0]
    differential = _DIFFERENTIAL.match(text, at)
    if differential:
        return "differential", differential[0]
    match = _TOKEN.match(text, at)
    if match is None:
        raise NotAFormula(f"unexpected {text[at]!r} in {text!r}")
    kind, piece = str(match.lastgroup), match[0]
    if kind == "word" and piece in signs.NAMES:
        kind = "name"
    return kind, piece


def _apart(text: str) -> str:
    """Decompose letters with marks, such as x̂ into x and a hat, however they are encoded."""
    return "".join(unicodedata.normalize("NFD", sign) if sign.isalpha() else sign for sign in text)

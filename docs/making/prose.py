"""Paragraphs of docstrings as MyST: formulas typeset, shapes and names as code, references as links."""

from __future__ import annotations

import re
from collections.abc import Callable

from making import signs
from making.lexer import NotAFormula, Token, tokens
from making.notation import tex

__all__ = ["paragraph"]

Link = Callable[[str], str | None]  # returns the page of a file that the text names

_APART = re.compile(
    r"(?P<code>`[^`]*`|\b(?:d[a-z]_d[a-z]|(?!delta)(?:torch\.)?[a-z]{3,}(?:_[a-z0]+)+)\b)"
    r"|(?P<file>[\w/]+\.(?:py|md)(?!\w))"
    r"|(?P<shape>(?<![\w\])])\[[^\[\]=<>≠≥≤−]*\](?![²³]))"
    r"|(?P<issues>pytorch issues? \d+(?:(?:, | and )\d+)*)"
)
_LEAD = re.compile(r"(Backward|Forward mode|Forward|Shapes|Complex numbers)(?=[.,: ])")
_SPECIAL = re.compile(r"([\\`*_\[\]<>$#|{}~])")
_TOUCHED = re.compile(r"[\w∂Σ^′][(\[{][^()\[\]{}]*$")
_OPERATORS = ("=", "<", ">", "≤", "≥", "≠", "→", "+", "−", "-", "·", "/")
_ALONE = {"a", "A", "I"}
_VERBS = {"is", "are", "and", "or", "does", "has", "occurs", "alone", "says", "where", "on", "at", "against", "counts", "a"}


def paragraph(text: str, link: Link) -> str:
    """Convert the paragraph to MyST."""
    text = " ".join(text.split())
    lead = _LEAD.match(text)
    written = f"**{lead[0]}**" if lead else ""
    at = lead.end() if lead else 0
    for match in _APART.finditer(text):
        if match.start() < at:
            continue
        written += _with_formulas(text[at : match.start()], match["shape"] is not None) + _apart(match, link)
        at = match.end()
    return written + _with_formulas(text[at:])


def issues(text: str) -> str:
    """Link the numbers in a text such as `pytorch issues 1 and 2`."""
    return re.sub(r"\d+", lambda number: f"[{number[0]}](https://github.com/pytorch/pytorch/issues/{number[0]})", text)


def _apart(match: re.Match[str], link: Link) -> str:
    text = match[0]
    if match["code"]:
        return f"`{text.strip('`')}`"
    if match["shape"]:
        return f"`{text}`"
    if match["issues"]:
        return issues(text)
    page = link(text)
    return f"[{_escaped(text)}]({page})" if page else f"`{text}`"


def _with_formulas(text: str, is_before_a_shape: bool = False) -> str:
    """Typeset the runs of words that are a formula; leave the others unchanged."""
    pieces = re.split(r"(\s+)", text)
    written, at = "", 0
    while at < len(pieces):
        end = at if not pieces[at] or pieces[at].isspace() else _end_of_run(pieces, at)
        found = None
        while end > at and found is None:
            found = _formula("".join(pieces[at:end]), pieces[end : end + 2], is_before_a_shape and end >= len(pieces) - 2)
            end = end if found else _before_a_bracket(pieces, at, end)
        if found is None:
            written += _escaped(pieces[at])
            at += 1
        else:
            written += found
            at = end
    return written


def _end_of_run(pieces: list[str], start: int) -> int:
    """Return where a run of formula-like words ends. Inside an argument, as in `∂(the final cost)`, any word counts."""
    end, at, run = start, start, ""
    while at < len(pieces):
        piece = pieces[at]
        at += 1
        if not piece or piece.isspace():
            run += piece
            continue
        opens = _is_open(run)
        if not (_is_formula_like(piece) or (run and piece == "...")) and not (opens and _TOUCHED.search(run)):
            break
        if piece == "a" and _is_article(pieces, at, run):
            break
        run += piece
        end = at
        if piece.endswith((",", ".", ";", ":", "'s")) and piece != "..." and not _is_open(run):
            break
    return end


def _before_a_bracket(pieces: list[str], start: int, end: int) -> int:
    """Return where a run ends without its last bracket, which may be a remark: a = 0 (√a, for one)."""
    at = max((at for at in range(start + 1, end) if pieces[at].startswith("(")), default=start)
    return at - 1 if at > start else start


def _is_article(pieces: list[str], at: int, run: str) -> bool:
    """Return whether the `a` before this position is the article of the next word, not part of the formula before it."""
    following = next((piece for piece in pieces[at:] if piece.strip()), "")
    goes_on = run.rstrip()[-1:] in ("", *_OPERATORS)
    return bool(run) and not goes_on and not _is_formula_like(following) and following.strip(",.;:") not in _VERBS


def _is_open(run: str) -> bool:
    return run.count("(") > run.count(")") or run.count("[") > run.count("]") or run.count("{") > run.count("}")


def _is_formula_like(word: str) -> bool:
    word = word.removesuffix("'s")
    opening = _TOUCHED.search(word)
    found = _tokens(word[: opening.start() + 1] if opening else word.strip(",.;:"))
    return bool(found) and all(token.kind not in ("word", "quoted") for token in found)


def _tokens(text: str) -> list[Token]:
    try:
        return tokens(text)
    except NotAFormula:
        return []


def _formula(run: str, following: list[str], is_before_a_shape: bool) -> str | None:
    """Typeset the run with the punctuation around it; return None if it is not a formula."""
    before, after = "", ""
    core = run.rstrip()
    if core.endswith("'s"):
        core, after = core[:-2], "'s"
    while core and core[-1] in ",.;:":
        core, after = core[:-1], core[-1] + after
    while core[:1] == "(" and core.count("(") > core.count(")"):
        core, before = core[1:].lstrip(), before + "("
    while core[-1:] == ")" and core.count(")") > core.count("("):
        core, after = core[:-1], ")" + after
    found = _tokens(core)
    if not _stands_for_something(found) or found[-1].text in _OPERATORS:
        return None
    lone = len(found) == 1 and found[0].text in _ALONE
    if lone and not (after or (is_before_a_shape and core == "A") or (following and following[-1].strip(",.;:") in _VERBS)):
        return None
    if len(found) > 1 and found[0].text == "a" and found[1].kind == "name" and found[1].after_space and not core.endswith(")"):
        return None  # "a tanh": an article
    if len(found) > 1 and found[0].text in signs.QUANTITIES[1:] and found[1].kind != "sign":
        return None  # "the slope sign d": a word, then a formula
    try:
        return f"{_escaped(before)}${tex(core)}${_escaped(after)}"
    except NotAFormula:
        return None


def _stands_for_something(found: list[Token]) -> bool:
    """Return whether a formula's letter occurs; a number, or a name alone, such as max, is prose."""
    if all(token.kind in ("name", "number") or token.text in (".", ",") for token in found):
        return any(token.text == "delta" for token in found)
    return any(
        token.kind in ("letter", "differential") or token.text in signs.BIG or token.text in ("∂", "delta") for token in found
    )


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)

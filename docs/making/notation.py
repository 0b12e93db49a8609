"""Conversion of the docstrings' notation to TeX: `∂C/∂x_j = r (h_j − h̄)` has a fraction, subscripts, and a mean with a bar.

The notation is one line of Unicode, as in an e-mail. `/` between spaces divides the product before it, back to a sum sign;
without spaces it divides the two factors that it joins. `_` and `^` apply to everything that touches them. A space multiplies
two factors. Words remain words. Anything else raises NotAFormula, and is shown unchanged.
"""

from __future__ import annotations

from itertools import pairwise

from making import signs
from making.lexer import NotAFormula, Token, tokens

__all__ = ["NotAFormula", "tex"]

_ARGUMENTS = (*signs.BRACKETS, *signs.BIG, "∂", "√", "(", "[")
_BIG = tuple(signs.BIG.values())
_BEFORE_A_SIGN = (*signs.RELATIONS.values(), *signs.PUNCTUATION.values(), r"\cdot")
_VERBS = {"is", "are", "and", "or", "does", "has", "occurs", "changes", "in", "where", "to", "of"}


def tex(text: str) -> str:
    """Convert the text to TeX.

    Raises:
        NotAFormula: if it is not in the notation.
    """
    parser = _Parser(tokens(text))
    written = parser.sequence(until=())
    if parser.at < len(parser.tokens):
        raise NotAFormula(text)
    return written


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self.tokens, self.at = found, 0
        self.open_bars = 0
        self.depth = 0  # nesting of brackets and subscripts

    def sequence(self, until: tuple[str, ...]) -> str:
        """Parse terms and the separators between them, up to one of the tokens in `until`."""
        written: list[str] = []
        while (token := self.peek()) is not None and token.text not in until:
            if self._is_prose():
                written.append(self._prose())
            elif token.text in signs.SEPARATORS and token.kind == "sign":
                self.at += 1
                is_unary = token.text in "−-+±" and (not written or written[-1].startswith((*_BEFORE_A_SIGN, r"\text")))
                written.append(f"{{{signs.SEPARATORS[token.text]}}}" if is_unary else signs.SEPARATORS[token.text])
            else:
                written.append(self._term(until))
        return " ".join(written)

    def peek(self, ahead: int = 0) -> Token | None:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else None

    def _touching(self, *texts: str) -> bool:
        """Return whether the next token is one of these, without a space before it."""
        token = self.peek()
        return token is not None and not token.after_space and token.text in texts

    # Prose

    def _is_prose(self) -> bool:
        token, following = self.peek(), self.peek(1)
        if token is None or token.kind in ("word", "quoted"):
            return token is not None
        if token.kind == "name":
            return self._is_a_name_in_prose(token, following)
        # The article: "else a number".
        article = token.text == "a" and following is not None and following.kind in ("word", "quoted") and following.after_space
        return article and following is not None and following.text not in _VERBS

    def _is_a_name_in_prose(self, token: Token, following: Token | None) -> bool:
        """Return whether a name does not have an argument and is a word: `the sign of b`, `a slope`."""
        if token.text in signs.QUANTITIES:
            return token.text != "delta" and self.at > 0 and self.tokens[self.at - 1].kind == "word"
        applied = following is not None and (following.kind not in ("word", "quoted", "sign") or following.text in _ARGUMENTS)
        return not applied

    def _prose(self) -> str:
        words: list[str] = []
        start = self.at
        while self._is_prose() or (words and self._touching(",", ".", ";", ":")):
            token = self.tokens[self.at]
            words.append(" " * (token.after_space and self.at > start) + token.text)
            self.at += 1
        text = "".join(words).replace("`", "")
        text = " " * (start > 0 and self.tokens[start].after_space) + text
        following = self.peek()
        text += " " * (following is not None and following.after_space)
        if self.depth:  # in scripts and brackets: the math font, whose metrics MathJax knows
            return (
                rf"\mathrm{{{text}}}".replace(" ", r"\ ")
                .replace("_", r"\_")
                .replace("-", r"\text{-}")
                .replace("'", r"\text{'}")
            )
        return rf"\text{{{text}}}"

    # Terms: products and quotients

    def _term(self, until: tuple[str, ...]) -> str:
        factors = [self._quotient()]
        while (token := self.peek()) is not None and token.text not in until and not self._is_prose():
            if token.text == "/" and token.after_space:
                self.at += 1
                # After a sum sign, the fraction is inside the sum: the divisor may depend on the summation index.
                start = max((n + 1 for n, factor in enumerate(factors) if factor.startswith(_BIG)), default=0)
                if start == len(factors):
                    raise NotAFormula("nothing to divide")
                divided = _bare(factors[start]) if len(factors) == start + 1 else _joined(factors[start:])
                factors[start:] = [rf"\frac{{{divided}}}{{{self._divisor(until)}}}"]
            elif token.kind == "sign" and token.text in signs.SEPARATORS:
                break
            else:
                factors.append(self._quotient())
        return _joined(factors)

    def _divisor(self, until: tuple[str, ...]) -> str:
        """Parse one factor, or a sum sign with all the factors that are summed."""
        token = self.peek()
        if token is None:
            raise NotAFormula("nothing to divide by")
        if token.text not in signs.BIG:
            return _bare(self._quotient())
        factors = []
        while (token := self.peek()) is not None and token.text not in (*until, *signs.SEPARATORS, "/"):
            factors.append(self._quotient())
        return _joined(factors)

    def _quotient(self) -> str:
        """Parse a factor, or factors that a slash joins."""
        found = self._factor()
        while self._touching("/"):
            self.at += 1
            found = rf"\frac{{{_bare(found)}}}{{{_bare(self._factor())}}}"
        return found

    # Factors

    def _factor(self) -> str:
        token = self.peek()
        if token is None:
            raise NotAFormula("a factor is missing")
        self.at += 1
        if token.text in signs.BIG:
            return self._with_scripts(signs.BIG[token.text])
        if token.text == "∂":
            return self._with_scripts(r"\partial") + " " + self._factor()
        if token.text == "√":
            return rf"\sqrt{{{_bare(self._factor())}}}"
        if token.text in signs.BRACKETS:
            return self._with_scripts(self._bracketed(token.text))
        if token.kind == "number":
            return self._with_scripts(token.text)
        if token.kind == "differential":
            return "d" + self._applied(_letter(token.text[1:]))
        if token.text == "d" and self._touching("(" if self.open_bars else "|", "("):
            return "d" + self._factor()
        if token.kind == "letter":
            return self._applied(_letter(token.text))
        if token.kind == "name":
            return self._applied(signs.NAMES[token.text])
        raise NotAFormula(f"expected a factor, got {token.text!r}")

    def _applied(self, symbol: str) -> str:
        """Parse a symbol's subscripts and powers, and its arguments or indices: σ(z), x[n,c]."""
        symbol = self._with_scripts(symbol)
        while self._touching("(", "["):
            opening = self.tokens[self.at].text
            self.at += 1
            symbol = self._with_scripts(symbol + self._bracketed(opening))
        return symbol

    def _bracketed(self, opening: str) -> str:
        closing = signs.BRACKETS[opening]
        self.open_bars += opening == "|"
        self.depth += 1
        inside = self.sequence(until=(closing,))
        self._expect(closing)
        self.open_bars -= opening == "|"
        self.depth -= 1
        tall = r"\frac" in inside or r"\sum" in inside or r"\prod" in inside
        left, right = (signs.DELIMITERS.get(sign, sign) for sign in (opening, closing))
        if tall:
            return rf"\left{left} {inside} \right{right}"
        return f"{left} {inside} {right}" if left.startswith("\\") else f"{left}{inside}{right}"

    def _expect(self, text: str) -> None:
        token = self.peek()
        if token is None or token.text != text:
            raise NotAFormula(f"{text!r} is missing")
        self.at += 1

    # Subscripts, powers, primes

    def _with_scripts(self, base: str) -> str:
        lower: list[str] = []
        upper: list[str] = []
        while (token := self.peek()) is not None and not token.after_space:
            if token.text == "_":
                self.at += 1
                lower.append(self._subscript())
            elif token.text == "^":
                self.at += 1
                upper.append(_bare(self._factor()))
            elif token.text in ("′", "'"):
                self.at += 1
                upper.append(r"\prime")
            elif token.text == "″":
                self.at += 1
                upper.append(r"\prime\prime")
            elif token.kind in ("raised", "lowered"):
                self.at += 1
                raised = token.kind == "raised"
                plain = "".join((signs.RAISED if raised else signs.LOWERED)[sign] for sign in token.text)
                (upper if raised else lower).append(r"\mathsf{T}" if plain == "T" else _power(plain))
            else:
                break
        return base + (f"_{{{', '.join(lower)}}}" if lower else "") + (f"^{{{' '.join(upper)}}}" if upper else "")

    def _subscript(self) -> str:
        """Parse everything that touches the underscore: W_(i_k)e, x_index(t), Σ_{j≠i}."""
        parts: list[str] = []
        while (token := self.peek()) is not None and not (token.after_space and parts):
            if token.text in ("(", "{"):
                self.at += 1
                closing = ")" if token.text == "(" else "}"
                self.depth += 1
                inside = self.sequence(until=(closing,))
                self.depth -= 1
                self._expect(closing)
                is_argument = token.text == "(" and bool(parts) and self.tokens[self.at - 1].text == ")"
                parts.append(f"({inside})" if is_argument else inside)
            elif token.kind in ("subscript", "letter", "number", "word", "name"):
                self.at += 1
                parts.append(_counted(token.text))
            else:
                break
        if not parts:
            raise NotAFormula("a subscript is missing")
        return " ".join(parts)


def _counted(text: str) -> str:
    """Typeset a subscript: up to three letters are indices, such as nk; a longer one is a word."""
    if len(text) >= 4:
        return rf"\mathrm{{{text}}}"
    return text


def _letter(text: str) -> str:
    letter, *marks = text
    symbol = signs.LETTERS.get(letter, letter)
    for mark in marks:
        symbol = f"{signs.MARKS[mark]}{{{symbol}}}"
    return symbol


def _power(plain: str) -> str:
    return plain.replace("−", "-")


def _bare(written: str) -> str:
    """Remove the brackets that a fraction bar or a root makes redundant."""
    for opening, closing in ((r"\left( ", r" \right)"), ("(", ")")):
        if written.startswith(opening) and written.endswith(closing):
            inside = written[len(opening) : len(written) - len(closing)]
            if _is_balanced(inside):
                return inside
    return written


def _is_balanced(text: str) -> bool:
    depth = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return False
    return depth == 0


def _joined(factors: list[str]) -> str:
    """Join factors with a space, which distinguishes a product c (x) from an application c(x)."""
    written = factors[0]
    for before, factor in pairwise(factors):
        opens = before.startswith(signs.SPACED)
        written += (" " if opens else r"\,") + factor
    return written

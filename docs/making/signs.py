"""The symbols in the docstrings' formulas, and their TeX commands."""

from __future__ import annotations

RELATIONS = {"=": "=", "<": "<", ">": ">", "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "→": r"\to", "⟺": r"\iff", "∈": r"\in"}
OPERATORS = {"+": "+", "−": "-", "-": "-", "·": r"\cdot", "∗": r"\ast", "±": r"\pm"}
PUNCTUATION = {",": r",\;", ";": r";\;", ":": r":\;", "!": "!", "...": r"\dots", "···": r"\cdots", ".": "."}
SEPARATORS = RELATIONS | OPERATORS | PUNCTUATION

BRACKETS = {"(": ")", "[": "]", "⌊": "⌋", "⌈": "⌉", "|": "|", "‖": "‖"}
DELIMITERS = {"⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil", "|": "|", "‖": r"\|"}

BIG = {"Σ": r"\sum", "Π": r"\prod", "∫": r"\int"}

LETTERS = {
    "α": r"\alpha", "β": r"\beta", "γ": r"\gamma", "δ": r"\delta", "ε": r"\varepsilon", "η": r"\eta", "λ": r"\lambda",
    "π": r"\pi", "σ": r"\sigma", "φ": r"\varphi", "Φ": r"\Phi", "ℓ": r"\ell", "∞": r"\infty",
}  # fmt: skip

# Words that belong to formulas; any other word of two letters or more is prose.
_UPRIGHT = "erf sign trunc conj Re index fold unfold slope constant small large ReLU softplus softmax hardsigmoid"
_OF_TEX = "log exp sin cos tanh max min"
NAMES = {"delta": r"\delta"}
NAMES |= {name: rf"\operatorname{{{name}}}" for name in _UPRIGHT.split()}
NAMES |= {name: rf"\{name}" for name in _OF_TEX.split()}
QUANTITIES = ("delta", "slope", "constant")  # names without arguments

# TeX inserts a space after these.
SPACED = tuple(NAMES[name] for name in ("erf", "sign", "Re", *_OF_TEX.split())) + tuple(BIG.values())

RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ᵀᵃᵇᵉⁱᵏⁿᵖᵗᵘˣʸᶻ", "0123456789+−()Tabeiknptuxyz", strict=True))
LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))

MARKS = {"\u0302": r"\hat", "\u0304": r"\bar", "\u0303": r"\tilde"}

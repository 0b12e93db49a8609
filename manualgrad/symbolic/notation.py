"""The notes' letters in Unicode: a⁽²⁾, w⁽²⁾₁₀."""

__all__ = ["subscript", "superscript"]

_UP = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_DOWN = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def superscript(l: int) -> str:
    """Return the superscript of a layer: ⁽²⁾."""
    return f"⁽{str(l).translate(_UP)}⁾"


def subscript(*indices: int) -> str:
    """Return the subscript of neurons: ₁₀, or ₁₂,₀ if an index has two digits."""
    return ("" if max(indices) < 10 else ",").join(map(str, indices)).translate(_DOWN)

"""Dropout."""

from __future__ import annotations

from manualgrad.nn._reference.entry import Entry

__all__ = ["CLASSES", "FUNCTIONS"]

_PAGE = "arithmetic.mul"
_P = "ValueError: when p is not between 0 and 1"
_EXAMPLE = """>>> a = {}
>>> a.unique()  # 1 / (1 − p) = 4
tensor([0., 4.])"""
_SHAPES = {1: "[n, channels, l] or [channels, l]", 2: "[n, channels, h, w]", 3: "[n, channels, d, h, w] or [channels, d, h, w]"}

FUNCTIONS = {
    "dropout": Entry(
        "In training each number becomes 0 with probability p, and the others are divided by 1 − p.",
        _PAGE,
        "input and result alike, of any shape.",
        (
            f"{_P}: `nn.functional.dropout(torch.rand(3), 1.5)`.",
            "TypeError: when the input is no tensor: `nn.functional.dropout([1.0])`.",
        ),
        _EXAMPLE.format("nn.functional.dropout(torch.ones(1000), 0.75)"),
    )
}
CLASSES = {
    "Dropout": Entry(
        "",
        _PAGE,
        "input and result alike, of any shape.",
        (f"{_P}: `nn.Dropout(1.5)`.", "TypeError: when the input is no tensor: `nn.Dropout()([1.0])`."),
        _EXAMPLE.format("nn.Dropout(0.75)(torch.ones(1000))"),
    )
}
for _n, _shapes in _SHAPES.items():
    _x = f"torch.ones(100, 10{', 2' * _n})"
    _no_tensor = "AttributeError: when the input is no tensor"
    FUNCTIONS[f"dropout{_n}d"] = Entry(
        "In training each channel of each example becomes 0 with probability p, and the others are divided by 1 − p.",
        _PAGE,
        f"input and result alike, {_shapes}.",
        (
            f"{_P}: `nn.functional.dropout{_n}d({_x}, 1.5)`.",
            f"{_no_tensor}: `nn.functional.dropout{_n}d([1.0])`.",
        ),
        _EXAMPLE.format(f"nn.functional.dropout{_n}d({_x}, 0.75)"),
    )
    CLASSES[f"Dropout{_n}d"] = Entry(
        "",
        _PAGE,
        f"input and result alike, {_shapes}.",
        (f"{_P}: `nn.Dropout{_n}d(1.5)`.", f"{_no_tensor}: `nn.Dropout{_n}d()([1.0])`."),
        _EXAMPLE.format(f"nn.Dropout{_n}d(0.75)({_x})"),
    )

"""The largest of each window, and the mean of each, along a line, a plane and a volume."""

from __future__ import annotations

from manualgrad.nn._reference.entry import Entry, places

__all__ = ["CLASSES", "FUNCTIONS"]

FUNCTIONS: dict[str, Entry] = {}
CLASSES: dict[str, Entry] = {}

_LARGEST = "The largest number of each window"
_MEAN = "The mean of each window"
_TOO_LARGE = "RuntimeError: when the window is larger than the input"
_NO_TENSOR = "TypeError: when the input is no tensor"
_PADDING = "RuntimeError: when `padding` is more than half of the window"
_SIZE = "RuntimeError: when a number of windows is below 0"

for _n, _where, _sides in ((1, "line", "l"), (2, "plane", "h, w"), (3, "volume", "d, h, w")):
    _x, _small = f"torch.rand(2, 3, {places(_n, 8)})", f"torch.rand(2, 3, {places(_n, 2)})"
    _in = f"[n, channels, {_sides}], the n may be left out"
    for _name, _class, _what, _page, _of_a_side in (
        (
            f"max_pool{_n}d",
            f"MaxPool{_n}d",
            _LARGEST,
            "max_pool",
            "(side + 2 padding − dilation (kernel_size − 1) − 1) / stride + 1",
        ),
        (f"avg_pool{_n}d", f"AvgPool{_n}d", _MEAN, "avg_pool", "(side + 2 padding − kernel_size) / stride + 1"),
    ):
        _shapes = f"{_in}, to [n, channels, ...], of each side\n{_of_a_side}, rounded down."
        _shapes += "\nWith `return_indices`, the places of the largest numbers too, of the same shape." * (_what is _LARGEST)
        _f, _layer = f"nn.functional.{_name}({{}}, {{}})", f"nn.{_class}({{1}})({{0}})"
        for _table, _key, _call in ((FUNCTIONS, _name, _f), (CLASSES, _class, _layer)):
            _table[_key] = Entry(
                f"{_what} of a {_where}.",
                f"pooling.{_page}",
                _shapes,
                (
                    f"{_TOO_LARGE}: `{_call.format(_small, 3)}`.",
                    f"{_PADDING}: `{_call.format(_x, '2, padding=2')}`.",
                    f"{_NO_TENSOR}: `{_call.format('[1.0]', 2)}`.",
                ),
                f">>> {_call.format(_x, 2)}.shape\ntorch.Size([2, 3, {places(_n, 4)}])",
            )
    _shapes = f"{_in}, to [n, channels, *output_size]."
    for _table, _key, _call in (
        (FUNCTIONS, f"adaptive_avg_pool{_n}d", f"nn.functional.adaptive_avg_pool{_n}d({{}}, {{}})"),
        (CLASSES, f"AdaptiveAvgPool{_n}d", f"nn.AdaptiveAvgPool{_n}d({{1}})({{0}})"),
    ):
        _error = "TypeError" if _n == 1 else "AttributeError"
        _table[_key] = Entry(
            f"The mean of each of `output_size` windows of a {_where}, which together are all of it.",
            "pooling.adaptive_avg_pool",
            _shapes,
            (
                f"{_SIZE}: `{_call.format(_x, -1)}`.",
                f"RuntimeError: when the input has too few dimensions: `{_call.format('torch.rand(8)', 2)}`.",
                f"{_error}: when the input is no tensor: `{_call.format('[1.0]', 2)}`.",
            ),
            f">>> {_call.format(_x, 3)}.shape\ntorch.Size([2, 3, {places(_n, 3)}])",
        )

"""Convolutions and transposed convolutions, along a line, a plane and a volume."""

from __future__ import annotations

from manualgrad.nn._reference.entry import Entry, places

__all__ = ["CLASSES", "FUNCTIONS"]

FUNCTIONS: dict[str, Entry] = {}
CLASSES: dict[str, Entry] = {}

_CHANNELS = "RuntimeError: when the channels of the input are not those of the kernels"
_TOO_SMALL = "RuntimeError: when the kernel is larger than the padded input"
_NO_TENSOR = "TypeError: when the input is no tensor"
_GROUPS = "ValueError: when the channels cannot be divided into the groups"

for _n, _where, _sides in ((1, "line", "l"), (2, "plane", "h, w"), (3, "volume", "d, h, w")):
    _8, _3, _2 = places(_n, 8), places(_n, 3), places(_n, 2)
    _x, _bad = f"torch.rand(2, 3, {_8})", f"torch.rand(2, 4, {_8})"
    _f, _layer = f"nn.functional.conv{_n}d", f"nn.Conv{_n}d(3, 5, 3)"
    _kernels = f"torch.rand(5, 3, {_3})"
    FUNCTIONS[f"conv{_n}d"] = Entry(
        f"The kernels `weight`, moved over the {_where} of each input channel and added up, plus `bias`.",
        "linear.convolution",
        f"input [n, in, {_sides}], the n may be left out; weight [out, in / groups, *kernel]; bias [out];\n"
        "result [n, out, ...], of each side (side + 2 padding − dilation (kernel − 1) − 1) / stride + 1, rounded down.",
        (
            f"{_CHANNELS}: `{_f}({_bad}, {_kernels})`.",
            f"{_TOO_SMALL}: `{_f}(torch.rand(2, 3, {_2}), {_kernels})`.",
            f"{_NO_TENSOR}: `{_f}([1.0], {_kernels})`.",
        ),
        f">>> {_f}({_x}, {_kernels}).shape\ntorch.Size([2, 5, {places(_n, 6)}])",
    )
    CLASSES[f"Conv{_n}d"] = Entry(
        "",
        "linear.convolution",
        f"[n, in_channels, {_sides}] to [n, out_channels, ...], the n may be left out;\n"
        "`weight` [out_channels, in_channels / groups, *kernel_size]; `bias` [out_channels].",
        (
            f"{_CHANNELS}: `{_layer}({_bad})`.",
            f"{_TOO_SMALL}: `{_layer}(torch.rand(2, 3, {_2}))`.",
            f"{_NO_TENSOR}: `{_layer}([1.0])`.",
            f"{_GROUPS}: `nn.Conv{_n}d(3, 8, 3, groups=2)`.",
        ),
        f">>> {_layer}({_x}).shape\ntorch.Size([2, 5, {places(_n, 6)}])",
    )
    _f, _layer = f"nn.functional.conv_transpose{_n}d", f"nn.ConvTranspose{_n}d(3, 5, 3)"
    _kernels = f"torch.rand(3, 5, {_3})"
    FUNCTIONS[f"conv_transpose{_n}d"] = Entry(
        f"What the derivative of conv{_n}d by its input does: each number of the input, times the kernels, is added there.",
        "linear.transposed_convolution",
        f"input [n, in, {_sides}], the n may be left out; weight [in, out / groups, *kernel]; bias [out];\n"
        "result [n, out, ...], of each side (side − 1) stride − 2 padding + dilation (kernel − 1) + output_padding + 1.",
        (
            f"{_CHANNELS}: `{_f}({_bad}, {_kernels})`.",
            f"{_NO_TENSOR}: `{_f}([1.0], {_kernels})`.",
        ),
        f">>> {_f}({_x}, {_kernels}).shape\ntorch.Size([2, 5, {places(_n, 10)}])",
    )
    CLASSES[f"ConvTranspose{_n}d"] = Entry(
        "",
        "linear.transposed_convolution",
        f"[n, in_channels, {_sides}] to [n, out_channels, ...], the n may be left out;\n"
        "`weight` [in_channels, out_channels / groups, *kernel_size]; `bias` [out_channels].",
        (
            f"{_CHANNELS}: `{_layer}({_bad})`.",
            f"{_NO_TENSOR}: `{_layer}([1.0])`.",
            f"ValueError: when `output_size` cannot be reached: `{_layer}({_x}, output_size=[{places(_n, 20)}])`.",
            f"{_GROUPS}: `nn.ConvTranspose{_n}d(3, 8, 3, groups=2)`.",
        ),
        f">>> {_layer}({_x}).shape\ntorch.Size([2, 5, {places(_n, 10)}])",
    )

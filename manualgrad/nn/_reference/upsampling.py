"""Interpolation."""

from __future__ import annotations

from manualgrad.nn._reference.entry import Entry

__all__ = ["CLASSES", "FUNCTIONS"]

_SHAPES = "[n, channels, l], [n, channels, h, w] or [n, channels, d, h, w], to [n, channels, *size]{}."
_PLANES = "[n, channels, h, w] to [n, channels, *size], or each side times scale_factor."
_FACTOR = ", or each side times scale_factor"
_NEITHER = "ValueError: when there is neither `size` nor `scale_factor`"
_DIMENSIONS = "NotImplementedError: when the input has not as many dimensions as the mode is for"
_EXAMPLE = """>>> x = torch.tensor([[[[1.0, 2.0]]]])
>>> {}
tensor([[[[{}],
          [{}]]]])"""
_NEAREST = ("1., 1., 2., 2.", "1., 1., 2., 2.")

FUNCTIONS = {
    "interpolate": Entry(
        "The input at more places, or fewer: each result a sum of the nearest numbers, times weights that add up to 1.",
        "interpolate",
        _SHAPES.format(_FACTOR),
        (
            f"{_NEITHER}: `nn.functional.interpolate(torch.rand(1, 1, 3, 3))`.",
            f"{_DIMENSIONS}: `nn.functional.interpolate(torch.rand(1, 1, 3), scale_factor=2, mode='bilinear')`.",
        ),
        _EXAMPLE.format("nn.functional.interpolate(x, scale_factor=2)", *_NEAREST),
    )
}
CLASSES = {
    "Upsample": Entry(
        "",
        "interpolate",
        _SHAPES.format(_FACTOR),
        (
            f"{_NEITHER}: `nn.Upsample()(torch.rand(1, 1, 3, 3))`.",
            f"{_DIMENSIONS}: `nn.Upsample(scale_factor=2, mode='bilinear')(torch.rand(1, 1, 3))`.",
        ),
        _EXAMPLE.format("nn.Upsample(scale_factor=2)(x)", *_NEAREST),
    ),
    "UpsamplingBilinear2d": Entry(
        "",
        "interpolate",
        _PLANES,
        (f"{_DIMENSIONS}: `nn.UpsamplingBilinear2d(scale_factor=2)(torch.rand(1, 1, 3))`.",),
        _EXAMPLE.format("nn.UpsamplingBilinear2d(scale_factor=2)(x)", *["1.0000, 1.3333, 1.6667, 2.0000"] * 2),
    ),
    "UpsamplingNearest2d": Entry(
        "",
        "interpolate",
        _PLANES,
        (f"{_DIMENSIONS}: `nn.UpsamplingNearest2d(scale_factor=2)(torch.rand(3, 3))`.",),
        _EXAMPLE.format("nn.UpsamplingNearest2d(scale_factor=2)(x)", *_NEAREST),
    ),
}

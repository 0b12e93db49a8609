"""Random distortions of square images: each image is rotated, scaled, sheared, shifted and elastically deformed.

The distorted image has at p, a position in pixels from the centre, the value that the original has at

    A p + t + d(p)

where A = R(θ) H(h) S(sx, sy) rotates by θ, shears by h and scales by sx and sy, t shifts, and d is a smooth random field: a
normal random number for each of 7 × 7 control points, in each of the two directions, spread over the pixels by a Gaussian.
(Simard, Steinkraus and Platt, 2003, "Best practices for convolutional neural networks applied to visual document analysis",
section 2; they draw a number for each pixel, which after smoothing is equivalent.)

The position is linear in the random coefficients: A, t and the numbers at the control points multiply a fixed basis of fields,
(px, py, 1, the 49 Gaussians). So the positions of a whole batch are one matrix product.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Distortion"]

# Maximum angle, scaling, shear and shift, and the size of the field, at strength 1.
_ANGLE = math.radians(15)
_SCALING, _SHEAR = 0.15, 0.15
_SHIFT = 1.5  # pixels
_BEND = 0.75  # pixels, the standard deviation of each component of d
_POINTS, _SMOOTHNESS = 7, 5.0  # control points per side; the Gaussian's standard deviation in pixels


class Distortion:
    """Random distortions of images of a fixed size.

    Args:
        pixels: the number of pixels in an image, a square number.
        strength: a factor for the maximum values above; 0 leaves the images unchanged.
        device: the device of the images.
    """

    def __init__(self, pixels: int, strength: float, device: torch.device) -> None:
        self.side = math.isqrt(pixels)
        if self.side**2 != pixels:
            raise ValueError(f"pixels must be a square number, got {pixels}")
        self.strength = strength
        end = (self.side - 1) / 2
        position, points = torch.linspace(-end, end, self.side), torch.linspace(-end, end, _POINTS)
        gaussians = torch.exp(-((position[:, None] - points) ** 2) / (2 * _SMOOTHNESS**2))
        gaussians /= gaussians.norm(dim=1, keepdim=True)  # gives d at each pixel the variance of the random numbers
        py, px = (p.flatten() for p in torch.meshgrid(position, position, indexing="ij"))
        fields = [torch.stack([px, py, torch.ones_like(px)]), torch.kron(gaussians, gaussians).T]
        self.basis = torch.cat(fields).to(device)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw the coefficients [n, 2, 3 + 49] of n distortions: for x and for y a row of (A, t), then the control points."""
        device = self.basis.device
        uniform = (2 * torch.rand(6, n, device=device, generator=generator) - 1) * self.strength
        angle, shear = uniform[0] * _ANGLE, uniform[1] * _SHEAR
        sx, sy = 1 + uniform[2:4] * _SCALING
        tx, ty = uniform[4:6] * _SHIFT
        cos, sin = angle.cos(), angle.sin()
        x_of = torch.stack([cos * sx, (cos * shear - sin) * sy, tx], 1)
        y_of = torch.stack([sin * sx, (sin * shear + cos) * sy, ty], 1)
        d = torch.randn(n, 2, _POINTS**2, device=device, generator=generator) * (_BEND * self.strength)
        return torch.cat([torch.stack([x_of, y_of], 1), d], 2)

    def __call__(self, x: Tensor, coefficients: Tensor) -> Tensor:
        """Distort the images x, [n, pixels], padded with 0, the background."""
        n, side = len(x), self.side
        positions = (coefficients @ self.basis).view(n, 2, side, side).permute(0, 2, 3, 1)
        # grid_sample's unit is half a side.
        distorted = F.grid_sample(x.view(n, 1, side, side), positions * (2 / side), align_corners=False)
        return distorted.view(n, side * side)

"""Random distortions of square images, to each image its own: turned, scaled, sheared, shifted, and bent as if drawn on rubber.

The distorted image shows at p, a position in pixels from the centre, what the original has at

    A p + t + d(p)

where A = R(θ) H(h) S(sx, sy) turns by θ, shears by h and scales by sx and sy, t shifts, and d is a smooth random field: a
normal number for each of 7 × 7 control points, in each of the two directions, spread over the pixels by a Gaussian. (Simard,
Steinkraus and Platt, 2003, "Best practices for convolutional neural networks applied to visual document analysis", section 2;
they draw a number a pixel, which smoothed comes to the same.)

The position is linear in what is drawn: A, t and the numbers at the control points are the coefficients of a fixed basis of
fields, (px, py, 1, the 49 Gaussians). So the positions for a batch are one matrix product.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Distortion"]

# The largest angle, scaling, shear and shift, and the size of the field, at strength 1.
_ANGLE = math.radians(15)
_SCALING, _SHEAR = 0.15, 0.15
_SHIFT = 1.5  # pixels
_BEND = 0.75  # pixels, the standard deviation of each component of d
_POINTS, _SMOOTHNESS = 7, 5.0  # control points a side; the Gaussian's standard deviation in pixels


class Distortion:
    """Distortions of images with so many pixels.

    Args:
        pixels: of an image, a square number.
        strength: what every largest value is multiplied by; 0 leaves the images as they are.
        device: of the images.
    """

    def __init__(self, pixels: int, strength: float, device: torch.device) -> None:
        self.side = math.isqrt(pixels)
        if self.side**2 != pixels:
            raise ValueError(f"images of {pixels} pixels are not square, as those to be distorted must be")
        self.strength = strength
        end = (self.side - 1) / 2
        position, points = torch.linspace(-end, end, self.side), torch.linspace(-end, end, _POINTS)
        gaussians = torch.exp(-((position[:, None] - points) ** 2) / (2 * _SMOOTHNESS**2))
        gaussians /= gaussians.norm(dim=1, keepdim=True)  # so that d has at each pixel the variance of the numbers drawn
        py, px = (p.flatten() for p in torch.meshgrid(position, position, indexing="ij"))
        fields = [torch.stack([px, py, torch.ones_like(px)]), torch.kron(gaussians, gaussians).T]
        self.basis = torch.cat(fields).to(device)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """The random coefficients [n, 2, 3 + 49] of n distortions: for x and y a row of (A, t), then the control points."""
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
        """The images x, [n, pixels], distorted; 0, the background, comes in from outside."""
        n, side = len(x), self.side
        positions = (coefficients @ self.basis).view(n, 2, side, side).permute(0, 2, 3, 1)
        # grid_sample measures in half sides.
        distorted = F.grid_sample(x.view(n, 1, side, side), positions * (2 / side), align_corners=False)
        return distorted.view(n, side * side)

"""LeNet-5, the convolutional network that read cheques: LeCun, Bottou, Bengio and Haffner, 1998, "Gradient-Based Learning
Applied to Document Recognition", Proceedings of the IEEE 86(11), section II.B; built here from modern layers.

===== ======================================================== ============ ==========
layer operation                                                output       parameters
===== ======================================================== ============ ==========
      the image, with a border of 2 background pixels          1 × 32 × 32
C1    6 kernels of 5×5 slide over the image                    6 × 28 × 28  156
S2    the average of each 2×2 square                           6 × 14 × 14
C3    16 kernels, each of 5×5 on all 6 maps                    16 × 10 × 10 2,416
S4    the average of each 2×2 square                           16 × 5 × 5
C5    120 kernels, each of 5×5 on all 16 maps                  120 × 1 × 1  48,120
F6    84 neurons, fully connected                              84           10,164
      10 outputs                                               10           850
===== ======================================================== ============ ==========

tanh follows C1, C3, C5 and F6. A sigmoid follows the outputs, or nothing if the network is trained for the cross entropy, which
takes their softmax. The network has 61,706 parameters.
"""

from __future__ import annotations

import math

import torch

from manualgrad import nn
from manualgrad._swap import unswap

__all__ = ["KERNELS", "SIZES", "make_lenet5"]

SIZES = [784, 10]  # inputs and outputs
KERNELS = "1.weight"  # the state_dict's key of C1's weight [6, 1, 5, 5]


def make_lenet5(layers: str = "manualgrad", cost: str = "quadratic") -> torch.nn.Sequential:
    """Make LeNet-5 for flattened images of 28×28: [n, 784] to [n, 10].

    It differs from the paper's network in five points:

    - Each kernel of C3 sees all six maps of S2. In the paper (Table I) a kernel sees three, four or six of them, which saves
      time and keeps the kernels from learning the same features. Random weights break this symmetry, too.
    - S2 and S4 only average. In the paper they are trained: the sum of the four pixels, times a coefficient, plus a bias, one
      of each per map, followed by a sigmoid.
    - The outputs are ten neurons with targets 0 or 1, under the quadratic cost or the cross entropy, as in every network here.
      In the paper they are radial basis functions: the distance of F6's 84 activations from a picture of each digit, 7×12
      pixels of -1 and 1, drawn by hand.
    - The activation is tanh itself, not 1.7159 tanh(2z/3).
    - The pixels go from 0 to 1, not from -0.1 to 1.175, and the initial weights differ: see `_initialize`.

    Args:
        layers: "manualgrad", or "torch" for torch.nn's layers; the same seed gives both the same parameters.
        cost: "quadratic" or "cross-entropy".
    """
    network = nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2)),  # C1, S2
        *(nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)),  # C3, S4
        *(nn.Conv2d(16, 120, 5), nn.Tanh(), nn.Flatten()),  # C5
        *(nn.Linear(120, 84), nn.Tanh()),  # F6
        *(nn.Linear(84, 10), nn.Sigmoid() if cost == "quadratic" else nn.Identity()),
    )
    _initialize(network)
    return network if layers == "manualgrad" else unswap(network)


@torch.no_grad()
def _initialize(network: torch.nn.Sequential) -> None:
    """Initialize weights that pass on the differences between images, and biases that make the outputs 0.1.

    nn.Conv2d's default weights, of variance 1/(3 inputs), scale a difference by 1/√3 per layer, since tanh has slope 1 at 0.
    Glorot and Bengio's weights preserve it, forward and backward (2010, "Understanding the difficulty of training deep
    feedforward neural networks", equation 16). Digits are then 0.04 apart in F6, instead of 0.02.
    A tenth is the fraction of the images for which an output's target is 1. With outputs of 1/2, all images would pull all
    outputs down at first, so hard that at higher rates the sigmoids saturate and nothing is learned. (Softmax gives tenths for
    any equal biases.)
    """
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            torch.nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            layer.bias.zero_()
    network[-2].get_parameter("bias").fill_(math.log((1 / 10) / (1 - 1 / 10)))

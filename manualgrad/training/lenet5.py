"""LeNet-5, the convolutional network that read cheques: LeCun, Bottou, Bengio and Haffner, 1998, "Gradient-Based Learning
Applied to Document Recognition", Proceedings of the IEEE 86(11), section II.B; here of today's layers.

===== ======================================================== =========== ===============
layer what it does                                             its output  parameters
===== ======================================================== =========== ===============
      the image, with a border of 2 background pixels           1 × 32 × 32
C1    6 kernels of 5×5 slide over the image                     6 × 28 × 28  156
S2    the average of each 2×2 square                            6 × 14 × 14
C3    16 kernels, each of 5×5 on all 6 maps                    16 × 10 × 10  2,416
S4    the average of each 2×2 square                           16 × 5 × 5
C5    120 kernels, each of 5×5 on all 16 maps: all they see   120 × 1 × 1    48,120
F6    84 neurons, each joined to all before it                 84            10,164
      10 outputs                                               10            850
===== ======================================================== =========== ===============

After C1, C3, C5 and F6 comes tanh, after the outputs the sigmoid, or nothing where it is trained for the cross entropy, which
takes their softmax: 61,706 parameters in all.
"""

from __future__ import annotations

import math

import torch

from manualgrad import nn
from manualgrad._swap import unswap

__all__ = ["KERNELS", "SIZES", "make_lenet5"]

SIZES = [784, 10]  # its inputs and outputs
KERNELS = "1.weight"  # the parameter [6, 1, 5, 5] of C1, in its state_dict


def make_lenet5(layers: str = "manualgrad", cost: str = "quadratic") -> torch.nn.Sequential:
    """LeNet-5, for images of 28×28 that come flat: [n, 784] to [n, 10].

    It differs from the paper's network in five points:

    - Each kernel of C3 sees all six maps of S2. In the paper a table (its Table I) joins it to three, four or six of them:
      to save time, and so that the kernels do not all learn the same. Random weights see to that, too.
    - S2 and S4 take the average, and that is all. The paper's are trained: the sum of the four, times a coefficient, plus a
      bias, one of each for a map, and then a sigmoid.
    - The outputs are ten neurons that are to be 0 or 1, under the quadratic cost or the cross entropy, as in every network
      here. The paper's are radial basis functions: the distance of F6's 84 activations from a picture of each digit, 7×12
      pixels of -1 and 1, drawn by hand.
    - The activation is tanh itself, not 1.7159 tanh(2z/3).
    - The pixels go from 0 to 1, not from -0.1 to 1.175, and the initial weights are others: see `_initialize`.

    Args:
        layers: whose: "manualgrad", or "torch" for torch.nn's; the same seed gives both the same parameters.
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
    """Random weights that let more of what tells two images apart through the layers, and outputs of a tenth.

    nn.Conv2d's own weights, of variance 1/(3 inputs), let through 1/√3 of it, as tanh has the slope 1 at 0; Glorot and
    Bengio's as much as comes in, and likewise backward (2010, "Understanding the difficulty of training deep feedforward
    neural networks", equation 16). Digits are then 0.04 apart in F6, and else 0.02.
    A tenth is the share of the images that an output is to be 1 for. Were the outputs 1/2, all images would pull all of them
    down at first, so hard that at higher rates the sigmoids end where they are flat, and nothing is learned. (Softmax makes
    tenths of any equal biases.)
    """
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            torch.nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            layer.bias.zero_()
    network[-2].get_parameter("bias").fill_(math.log((1 / 10) / (1 - 1 / 10)))

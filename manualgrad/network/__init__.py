"""A whole network without autograd: the algorithm of backpropagation, and a stack of layers as one autograd node."""

from manualgrad.network.mlp import MLP as MLP  # the path by which models pickled by version 0.1.0 name it

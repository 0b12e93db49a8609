"""Networks without autograd: the backpropagation algorithm, and a stack of layers as one autograd node."""

from manualgrad.network.mlp import MLP as MLP  # models pickled by version 0.1.0 use this path

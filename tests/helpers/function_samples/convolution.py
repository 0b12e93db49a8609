"""Convolutions: stride, padding, dilation, groups; several examples and channels; in one dimension, two and three."""

import torch.nn.functional as F

from function_samples.table import (
    benchmark,
    images,
    normal,
    proof,
    s,
    sample,
    weights,
)

sample("Convolution", normal(2, 2, 5, 4), normal(3, 2, 2, 3), normal(3), (2, 1), (1, 0), (1, 1), 1)
proof("Convolution", s("x", 1, 1, 3, 3), s("K", 1, 1, 2, 2), s("b", 1), (1, 1), (0, 0), (1, 1), 1)
proof("Convolution", s("x", 2, 2, 2, 2), s("K", 2, 2, 2, 2), s("b", 2), (1, 1), (1, 1), (1, 1), 1)
proof("Convolution", s("x", 1, 1, 4, 4), s("K", 1, 1, 2, 2), None, (2, 2), (1, 1), (1, 1), 1)
proof("Convolution", s("x", 1, 1, 4, 3), s("K", 1, 1, 2, 2), s("b", 1), (2, 1), (0, 1), (1, 2), 1)
proof("Convolution", s("x", 1, 4, 2, 2), s("K", 4, 2, 2, 1), s("b", 4), (1, 1), (0, 0), (1, 1), 2)
proof("Convolution", s("x", 2, 2, 3, 3), s("K", 4, 1, 2, 2), s("b", 4), (1, 1), (0, 0), (1, 1), 2)
proof("Convolution", s("x", 2, 2, 2, 2), s("K", 3, 2, 1, 1), s("b", 3), (2, 1), (0, 0), (1, 1), 1)
proof("Convolution", s("x", 2, 2, 1, 1), s("K", 3, 2, 1, 1), s("b", 3), (1, 1), (0, 0), (1, 1), 1)
proof("Convolution", s("x", 1, 2, 4), s("K", 1, 2, 2), s("b", 1), (2,), (1,), (2,), 1)
proof("Convolution", s("x", 1, 1, 2, 2, 2), s("K", 1, 1, 2, 1, 2), s("b", 1), (1, 1, 1), (0, 0, 1), (1, 1, 1), 1)
benchmark("Convolution", lambda x, K, b: F.conv2d(x, K, b, padding=1), images, weights(8, 8, 3, 3), weights(8))

sample("TransposedConvolution", normal(2, 3, 3), normal(3, 2, 2), normal(2), (2,), (1,), (1,), 1, (1,))
proof("TransposedConvolution", s("x", 1, 1, 2, 2), s("K", 1, 1, 2, 2), s("b", 1), (1, 1), (0, 0), (0, 0), 1, (1, 1))
proof("TransposedConvolution", s("x", 2, 2, 2, 2), s("K", 2, 2, 2, 2), s("b", 2), (2, 2), (1, 1), (1, 1), 1, (1, 1))
proof("TransposedConvolution", s("x", 1, 2, 2, 2), s("K", 2, 2, 2, 2), s("b", 4), (2, 1), (0, 1), (1, 0), 2, (1, 2))
proof("TransposedConvolution", s("x", 1, 2, 3), s("K", 2, 1, 2), None, (2,), (1,), (0,), 1, (2,))
benchmark(
    "TransposedConvolution",
    lambda x, K, b: F.conv_transpose2d(x, K, b, stride=2, padding=1),
    images,
    weights(8, 8, 4, 4),
    weights(8),
)

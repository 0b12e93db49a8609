"""Pooling.

Where one place is left of a plane, the channels are neighbours in memory, which has a way of its own."""

import torch.nn.functional as F

from function_samples.table import (
    benchmark,
    images,
    normal,
    proof,
    s,
    sample,
    spaced,
)

sample("MaxPool", spaced(2, 2, 4, 4), [3, 3], [2, 2], [1, 1], [1, 1], False)
proof("MaxPool", s("x", 1, 1, 3, 3, at=(1, 9, 2, 8, 3, 7, 4, 6, 5)), [2, 2], [1, 1], [0, 0], [1, 1], False)
proof("MaxPool", s("x", 1, 1, 3, 3, at=(1, 9, 2, 8, 3, 7, 4, 6, 5)), [2, 2], [2, 2], [1, 1], [1, 1], True)
proof("MaxPool", s("x", 1, 2, 1, 3, at=(1, 3, 2, 4, 5, 6)), [1, 2], [1, 1], [0, 0], [1, 2], False)
proof("MaxPool", s("x", 1, 2, 2, 2, at=(1, 3, 2, 4, 8, 7, 6, 5)), [2, 2], [1, 1], [0, 0], [1, 1], False)
benchmark("MaxPool", lambda x: F.max_pool2d(x, 3, 2, 1), images)

sample("AvgPool", normal(2, 2, 4, 4), [3, 2], [2, 2], [1, 1], True, False, None)
sample("AvgPool", normal(2, 2, 4, 4), [2, 2], [2, 2], [0, 0], False, True, None, as_="side by side")
proof("AvgPool", s("x", 1, 1, 3, 3), [2, 2], [1, 1], [0, 0], False, True, None)
proof("AvgPool", s("x", 1, 1, 3, 3), [2, 2], [2, 2], [1, 1], True, False, None)
proof("AvgPool", s("x", 1, 1, 3, 4), [2, 2], [2, 2], [1, 0], True, True, None)
proof("AvgPool", s("x", 1, 2, 2, 4), [2, 2], [2, 2], [0, 0], False, True, 3)
proof("AvgPool", s("x", 1, 2, 3, 3), [2, 2], [2, 2], [0, 0], False, True, None)
proof("AvgPool", s("x", 1, 1, 2, 2, 2), [2, 1, 2], [1, 1, 1], [0, 0, 1], False, True, None)
benchmark("AvgPool", lambda x: F.avg_pool2d(x, 3, 2, 1), images)

sample("AdaptiveAvgPool", normal(2, 2, 4, 4), [3, 2])
proof("AdaptiveAvgPool", s("x", 1, 1, 3, 4), [2, 2])
proof("AdaptiveAvgPool", s("x", 1, 1, 2, 4), [1, 2])
proof("AdaptiveAvgPool", s("x", 1, 1, 2, 2), [3, 1])
proof("AdaptiveAvgPool", s("x", 1, 2, 2, 2), [1, 1])
benchmark("AdaptiveAvgPool", lambda x: F.adaptive_avg_pool2d(x, 2), images)

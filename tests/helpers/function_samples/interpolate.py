"""Interpolation: to more places and to fewer, by the lengths of the sides and by factors."""

import torch.nn.functional as F

from function_samples.table import (
    NOT_BY_0,
    benchmark,
    images,
    normal,
    proof,
    s,
    sample,
)

sample("Interpolate", normal(1, 2, 3), "nearest", [6], None, None)
sample("Interpolate", normal(1, 2, 3, 2), "nearest", None, [1.4, 2.0], None, as_="uneven")
sample("Interpolate", normal(1, 2, 3, 2), "linear", [5, 3], None, False, as_="linear", but=NOT_BY_0)
sample("Interpolate", normal(1, 2, 3, 2), "cubic", [5, 3], None, True, as_="cubic", but=NOT_BY_0)
proof("Interpolate", s("x", 1, 1, 2), "nearest", [6], None, None)
proof("Interpolate", s("x", 1, 1, 5), "nearest", [3], None, None)
proof("Interpolate", s("x", 1, 2, 2, 3), "nearest-exact", [4, 2], None, None)
proof("Interpolate", s("x", 1, 1, 2, 1, 2), "nearest", None, [2.0, 2.0, 1.5], None)
proof("Interpolate", s("x", 2, 1, 3), "linear", [5], None, True)
proof("Interpolate", s("x", 1, 1, 4), "linear", None, [0.5], False)
proof("Interpolate", s("x", 1, 2, 2, 2), "linear", [4, 3], None, False)
proof("Interpolate", s("x", 1, 1, 2, 2, 2), "linear", [3, 2, 1], None, True)
proof("Interpolate", s("x", 1, 1, 3, 2), "cubic", [6, 4], None, False)
proof("Interpolate", s("x", 1, 1, 3, 4), "cubic", [2, 5], None, True)
proof("Interpolate", s("x", 1, 1, 4, 2), "linear, antialiased", [2, 4], None, False)
proof("Interpolate", s("x", 1, 1, 4, 4), "cubic, antialiased", [2, 8], None, False)
benchmark("Interpolate", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), images)

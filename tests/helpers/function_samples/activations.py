"""Activations."""

import torch
import torch.nn.functional as F

from function_samples.table import (
    COMPILED_ELSEWHERE,
    Z,
    benchmark,
    images,
    normal,
    proof,
    rows,
    s,
    sample,
    unit,
    weights,
)

sample("ReLU", Z)
proof("ReLU", s("z", 2, at=(-1, 1)))
benchmark("ReLU", torch.relu, rows)

sample("Sigmoid", Z)
proof("Sigmoid", s("z", 2))
benchmark("Sigmoid", torch.sigmoid, rows)

sample("Tanh", Z)
proof("Tanh", s("z", 2))
benchmark("Tanh", torch.tanh, rows)

sample("SiLU", Z, but=COMPILED_ELSEWHERE)
proof("SiLU", s("z", 2))
benchmark("SiLU", F.silu, rows)

sample("Mish", Z, but=COMPILED_ELSEWHERE)
proof("Mish", s("z", 2, at=(-1, 1)))
benchmark("Mish", F.mish, rows)

sample("GELU", Z, "none")
sample("GELU", Z, "tanh", as_="tanh")
proof("GELU", s("z", 2), "none")
proof("GELU", s("z", 2), "tanh")
benchmark("GELU", F.gelu, rows)

sample("LeakyReLU", Z, 0.2, but=COMPILED_ELSEWHERE)
proof("LeakyReLU", s("z", 2, at=(-1, 1)), 0.01)
benchmark("LeakyReLU", F.leaky_relu, rows)

sample("RReLU", Z, torch.tensor([0.2, 0.3, 1.0, 1.0]))
proof("RReLU", s("z", 2), torch.tensor([0.25, 1.0]))
benchmark("RReLU", lambda x: F.rrelu(x, 0.25, 0.25, training=True), rows)

sample("ELU", Z, 1.5, 1.2, 0.7, but=COMPILED_ELSEWHERE)
proof("ELU", s("z", 2, at=(-1, 1)), 2.0, 3.0, 0.25)
proof("ELU", s("z", 2, at=(-1, 1)), 1.0, 1.0, 1.0)
benchmark("ELU", F.elu, rows)

sample("Hardtanh", Z, -2.0, 3.0)
proof("Hardtanh", s("z", 3, at=(-2, 0, 2)), -1.0, 1.0)
benchmark("Hardtanh", F.hardtanh, rows)

sample("HardtanhInPlace", Z, -2.0, 3.0, but=COMPILED_ELSEWHERE)
proof("HardtanhInPlace", s("z", 3, at=(-2, 0, 2)), -1.0, 1.0)
benchmark("HardtanhInPlace", lambda x: F.hardtanh(x + 0, inplace=True), rows)

sample("Hardsigmoid", Z, but=COMPILED_ELSEWHERE)
proof("Hardsigmoid", s("z", 3, at=(-4, 0, 4)))
benchmark("Hardsigmoid", F.hardsigmoid, rows)

sample("Hardswish", Z, but=COMPILED_ELSEWHERE)
proof("Hardswish", s("z", 3, at=(-4, 0, 4)))
benchmark("Hardswish", F.hardswish, rows)

sample("Softplus", Z, 2.0, 3.0, but=COMPILED_ELSEWHERE)
proof("Softplus", s("z", 2, at=(1, 11)), 2.0, 20.0)
benchmark("Softplus", F.softplus, rows)

sample("LogSigmoid", Z, but=COMPILED_ELSEWHERE)
proof("LogSigmoid", s("z", 2))
benchmark("LogSigmoid", F.logsigmoid, rows)

sample("Softsign", Z)
proof("Softsign", s("z", 2, at=(-1, 1)))
benchmark("Softsign", F.softsign, rows)

sample("GLU", normal(3, 4), 1)
proof("GLU", s("x", 1, 4), 1)
proof("GLU", s("x", 4, 1), 0)
benchmark("GLU", F.glu, rows)

sample("PReLU", normal(3, 4), unit(1, 4))
proof("PReLU", s("z", 2, 2, at=(1, -1, -2, 2)), s("w", 1, 2))
proof("PReLU", s("z", 2, 2, at=(1, -1, -2, 2)), s("w", 1, 1))
benchmark("PReLU", F.prelu, images, weights(8))

sample("Hardshrink", normal(3, 4), 0.4)
proof("Hardshrink", s("z", 3, at=(-1, 0, 1)), 0.5)
benchmark("Hardshrink", F.hardshrink, rows)

sample("Softshrink", normal(3, 4), 0.4)
proof("Softshrink", s("z", 3, at=(-1, 0, 1)), 0.5)
benchmark("Softshrink", F.softshrink, rows)

sample("Threshold", normal(3, 4), 0.2, -1.0)
proof("Threshold", s("z", 2, at=(0, 2)), 1.0, 7.0)
benchmark("Threshold", lambda x: F.threshold(x, 0.5, 0.0), rows)

sample("Softmax", normal(2, 3), 1, None)
proof("Softmax", s("x", 3), 0, None)
proof("Softmax", s("x", 2, 2), 0, None)
benchmark("Softmax", lambda x: x.softmax(1), rows)

sample("LogSoftmax", normal(2, 3), 1, None)
proof("LogSoftmax", s("x", 3), 0, None)
proof("LogSoftmax", s("x", 2, 2), 1, None)
benchmark("LogSoftmax", lambda x: x.log_softmax(1), rows)

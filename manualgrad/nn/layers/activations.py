"""Activations."""

import torch

from manualgrad.nn.layers._derived import derived

CELU = derived(torch.nn.CELU)
ELU = derived(torch.nn.ELU)
GELU = derived(torch.nn.GELU)
GLU = derived(torch.nn.GLU)
SELU = derived(torch.nn.SELU)
Hardshrink = derived(torch.nn.Hardshrink)
Hardsigmoid = derived(torch.nn.Hardsigmoid)
Hardswish = derived(torch.nn.Hardswish)
Hardtanh = derived(torch.nn.Hardtanh)
LeakyReLU = derived(torch.nn.LeakyReLU)
LogSigmoid = derived(torch.nn.LogSigmoid)
LogSoftmax = derived(torch.nn.LogSoftmax)
Mish = derived(torch.nn.Mish)
RReLU = derived(torch.nn.RReLU, stays_whole=True)
ReLU = derived(torch.nn.ReLU)
ReLU6 = derived(torch.nn.ReLU6, of="relu6")
SiLU = derived(torch.nn.SiLU)
Sigmoid = derived(torch.nn.Sigmoid)
Softmax = derived(torch.nn.Softmax)
Softmin = derived(torch.nn.Softmin)
Softplus = derived(torch.nn.Softplus)
Softshrink = derived(torch.nn.Softshrink)
Softsign = derived(torch.nn.Softsign)
Tanh = derived(torch.nn.Tanh)
Tanhshrink = derived(torch.nn.Tanhshrink)
Threshold = derived(torch.nn.Threshold)
PReLU = derived(
    torch.nn.PReLU,
    """Compute a = z where z > 0, else `weight` z, with one weight for all channels or one per channel.

    Shapes:
        input and output [n, channels, ...] or [n]; `weight` [num_parameters].

    Raises:
        TypeError: when the input is not a Tensor: `nn.PReLU()([1.0])`.
        RuntimeError: when num_parameters is neither 1 nor the number of channels: `nn.PReLU(2)(torch.rand(2, 3))`.

    Example:
        >>> nn.PReLU()(torch.tensor([-2.0, 0.5, 8.0]))
        tensor([-0.5000,  0.5000,  8.0000], grad_fn=<PReLUFunctionBackward>)
    """,
)
Softmax2d = derived(
    torch.nn.Softmax2d,
    """Compute the softmax over the channels at each position of a plane.

    Shapes:
        input and output [n, channels, h, w] or [channels, h, w].

    Raises:
        ValueError: when the input is neither 3-D nor 4-D: `nn.Softmax2d()(torch.rand(3))`.

    Example:
        >>> a = nn.Softmax2d()(torch.rand(2, 3, 4, 4))
        >>> torch.allclose(a.sum(1), torch.ones(2, 4, 4))
        True
    """,
)

"""Activations."""

from __future__ import annotations

from manualgrad.nn._reference.entry import Entry

__all__ = ["CLASSES", "FUNCTIONS"]

FUNCTIONS: dict[str, Entry] = {}
CLASSES: dict[str, Entry] = {}

_ALIKE = "input and result alike, of any shape."
_ALONG = "input and result alike, of any shape that has the dimension."


def _add(
    function: str,
    name: str,
    summary: str,
    page: str,
    result: str,
    *errors: tuple[str, ...],
    numbers: str = "",
    z: str = "[-2.0, 0.5, 8.0]",
    shapes: str = _ALIKE,
) -> None:
    """The function, and the class of which an object is that function.

    Args:
        result: of the example, which is of the input `z`.
        errors: "Type: when", an input that raises it and, where they have to be others than the example's, the numbers.
        numbers: the arguments of the example beside the input.
    """
    f, layer = f"nn.functional.{function}", f"nn.{name}"
    of_function, of_class = [], []
    for what, *call in errors:
        bad, given = call if len(call) == 2 else (*call, numbers)
        of_function.append(f"{what}: `{f}({', '.join(filter(None, (bad, given)))})`.")
        of_class.append(f"{what}: `{layer}({given})({bad})`.")
    first = f">>> z = torch.tensor({z}, requires_grad=True)"
    arguments = ", ".join(filter(None, ("z", numbers)))
    if function not in _BASIC:
        FUNCTIONS[function] = Entry(summary, page, shapes, tuple(of_function), f"{first}\n>>> {f}({arguments})\n{result}")
    CLASSES[name] = Entry("", page, shapes, tuple(of_class), f"{first}\n>>> {layer}({numbers})(z)\n{result}")


_BASIC = ("relu", "sigmoid")  # whose docstrings stand where they are defined, in _basic.py
_NO_TENSOR = ("TypeError: when the input is no tensor", "[1.0]")
_NO_ATTRIBUTE = ("AttributeError: when the input is no tensor", "[1.0]")
_INTEGERS = ("NotImplementedError: when it holds integers", "torch.tensor([1])")
_COMPLEX = ("NotImplementedError: when it is complex or boolean", "torch.tensor([1j])")
_BOOLEAN = ("NotImplementedError: when it is boolean", "torch.tensor([True])")
_NO_DIMENSION = ("IndexError: when there is no such dimension", "torch.rand(3)", "dim=1")

_add(
    "celu",
    "CELU",
    "a = max(z, 0) + min(α (e^(z/α) − 1), 0) of each element z of the input.",
    "activations.leaky_relu",
    "tensor([-0.8647,  0.5000,  8.0000], grad_fn=<ELUFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
    ("RuntimeError: when α is 0", "torch.rand(3)", "alpha=0.0"),
)
_add(
    "elu",
    "ELU",
    "a = z where z > 0, else α (eᶻ − 1), of each element z of the input.",
    "activations.leaky_relu",
    "tensor([-0.8647,  0.5000,  8.0000], grad_fn=<ELUFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
)
_add(
    "gelu",
    "GELU",
    "a = z Φ(z) of each element z of the input, with Φ the normal distribution.",
    "activations.gelu",
    "tensor([-0.0455,  0.3457,  8.0000], grad_fn=<GELUFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
    ("RuntimeError: when `approximate` is neither 'none' nor 'tanh'", "torch.rand(3)", "approximate='sinh'"),
)
_add(
    "glu",
    "GLU",
    "a σ(b), with a and b the two halves of the input along a dimension.",
    "activations.glu",
    "tensor([0.5000, 1.0000], grad_fn=<GLUFunctionBackward>)",
    _NO_ATTRIBUTE,
    ("NotImplementedError: when it holds integers", "torch.tensor([1, 2])"),
    ("RuntimeError: when the dimension has no halves, its length being odd", "torch.rand(3)"),
    ("IndexError: when there is no such dimension", "torch.rand(2)", "dim=1"),
    z="[1.0, 2.0, 0.0, 0.0]",
    shapes="input [..., 2 n, ...] to [..., n, ...].",
)
_add(
    "hardshrink",
    "Hardshrink",
    "a = z where |z| > λ, else 0, of each element z of the input.",
    "activations.shrink",
    "tensor([-2.,  0.,  8.], grad_fn=<HardshrinkFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
)
_add(
    "hardsigmoid",
    "Hardsigmoid",
    "a = z/6 + 1/2, kept between 0 and 1, of each element z of the input.",
    "activations.hard",
    "tensor([0.1667, 0.5833, 1.0000], grad_fn=<HardsigmoidFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
)
_add(
    "hardswish",
    "Hardswish",
    "a = z hardsigmoid(z) of each element z of the input.",
    "activations.hard",
    "tensor([-0.3333,  0.2917,  8.0000], grad_fn=<HardswishFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
)
_add(
    "hardtanh",
    "Hardtanh",
    "a = z, kept between `min_val` and `max_val`, of each element z of the input.",
    "activations.hard",
    "tensor([-1.0000,  0.5000,  1.0000], grad_fn=<HardtanhFunctionBackward>)",
    _NO_TENSOR,
    _COMPLEX,
)
_add(
    "leaky_relu",
    "LeakyReLU",
    "a = z where z > 0, else `negative_slope` z, of each element z of the input.",
    "activations.leaky_relu",
    "tensor([-0.0200,  0.5000,  8.0000], grad_fn=<LeakyReLUFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
)
_add(
    "logsigmoid",
    "LogSigmoid",
    "a = log σ(z) of each element z of the input.",
    "activations.softplus",
    "tensor([-2.1269, -0.4741, -0.0486], grad_fn=<LogSigmoidFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
    z="[-2.0, 0.5, 3.0]",
)
_add(
    "log_softmax",
    "LogSoftmax",
    "a_i = z_i − log Σ_k e^(z_k), along a dimension.",
    "activations.softmax",
    "tensor([-3.5046, -1.0046, -0.5046], grad_fn=<LogSoftmaxFunctionBackward>)",
    _NO_ATTRIBUTE,
    ("NotImplementedError: when it holds integers", "torch.tensor([1])"),
    _NO_DIMENSION,
    numbers="dim=0",
    z="[-2.0, 0.5, 1.0]",
    shapes=_ALONG,
)
_add(
    "mish",
    "Mish",
    "a = z tanh(softplus(z)) of each element z of the input.",
    "activations.silu",
    "tensor([-0.2525,  0.3752,  8.0000], grad_fn=<MishFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
)
_add(
    "relu",
    "ReLU",
    "",
    "activations.relu",
    "tensor([0.0000, 0.5000, 8.0000], grad_fn=<ReLUFunctionBackward>)",
    _NO_TENSOR,
    _COMPLEX,
)
_add(
    "relu6",
    "ReLU6",
    "a = z, kept between 0 and 6, of each element z of the input.",
    "activations.hard",
    "tensor([0.0000, 0.5000, 6.0000], grad_fn=<HardtanhFunctionBackward>)",
    _NO_TENSOR,
    _COMPLEX,
)
_add(
    "selu",
    "SELU",
    "a = λ z where z > 0, else λ α (eᶻ − 1), of each element z of the input; λ = 1.0507 and α = 1.6733.",
    "activations.leaky_relu",
    "tensor([-1.5202,  0.5254,  8.4056], grad_fn=<ELUFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
)
_add(
    "sigmoid",
    "Sigmoid",
    "",
    "activations.sigmoid",
    "tensor([0.1192, 0.6225, 0.9997], grad_fn=<SigmoidFunctionBackward>)",
    _NO_TENSOR,
)
_add(
    "silu",
    "SiLU",
    "a = z σ(z) of each element z of the input.",
    "activations.silu",
    "tensor([-0.2384,  0.3112,  7.9973], grad_fn=<SiLUFunctionBackward>)",
    _NO_TENSOR,
    ("NotImplementedError: when it holds integers", "torch.tensor([1])"),
)
_add(
    "softmax",
    "Softmax",
    "a_i = e^(z_i) / Σ_k e^(z_k), along a dimension.",
    "activations.softmax",
    "tensor([0.0272, 0.3314, 0.5464, 0.0950], grad_fn=<SoftmaxFunctionBackward>)",
    _NO_ATTRIBUTE,
    ("NotImplementedError: when it holds integers", "torch.tensor([1])"),
    _NO_DIMENSION,
    numbers="dim=0",
    z="[-2.0, 0.5, 1.0, -0.75]",
    shapes=_ALONG,
)
_add(
    "softmin",
    "Softmin",
    "a = softmax(−z), along a dimension.",
    "activations.softmax",
    "tensor([0.8835, 0.0725, 0.0440], grad_fn=<SoftmaxFunctionBackward>)",
    _NO_TENSOR,
    ("NotImplementedError: when it holds integers", "torch.tensor([1])"),
    _NO_DIMENSION,
    numbers="dim=0",
    z="[-2.0, 0.5, 1.0]",
    shapes=_ALONG,
)
_add(
    "softplus",
    "Softplus",
    "a = log(1 + e^(β z)) / β of each element z of the input, and z where β z is above `threshold`.",
    "activations.softplus",
    "tensor([0.1269, 0.9741, 8.0003], grad_fn=<SoftplusFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
)
_add(
    "softshrink",
    "Softshrink",
    "a = z − λ sign(z) where |z| > λ, else 0, of each element z of the input.",
    "activations.shrink",
    "tensor([-1.5000,  0.0000,  7.5000], grad_fn=<SoftshrinkFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
    ("RuntimeError: when λ is below 0", "torch.rand(3)", "-1.0"),
)
_add(
    "softsign",
    "Softsign",
    "a = z / (1 + |z|) of each element z of the input.",
    "activations.softsign",
    "tensor([-0.6667,  0.3333,  0.8889], grad_fn=<SoftsignFunctionBackward>)",
    _NO_ATTRIBUTE,
    _BOOLEAN,
)
_add(
    "tanh",
    "Tanh",
    "a = tanh z of each element z of the input.",
    "activations.tanh",
    "tensor([-0.9640,  0.4621,  1.0000], grad_fn=<TanhFunctionBackward>)",
    _NO_TENSOR,
)
_add(
    "tanhshrink",
    "Tanhshrink",
    "a = z − tanh z of each element z of the input.",
    "activations.tanh",
    "tensor([-1.0360,  0.0379,  7.0000], grad_fn=<AddFunctionBackward>)",
    _NO_ATTRIBUTE,
    _BOOLEAN,
)
_add(
    "threshold",
    "Threshold",
    "a = z where z > `threshold`, else `value`, of each element z of the input.",
    "activations.shrink",
    "tensor([0., 0., 8.], grad_fn=<ThresholdFunctionBackward>)",
    _NO_TENSOR,
    _COMPLEX,
    numbers="1.0, 0.0",
)
_add(
    "rrelu",
    "RReLU",
    "a = z where z > 0, else z times a number drawn from `lower` to `upper`, their mean out of training.",
    "activations.leaky_relu",
    "tensor([-0.5000,  0.5000,  8.0000], grad_fn=<RReLUFunctionBackward>)",
    _NO_TENSOR,
    _INTEGERS,
    numbers="0.25, 0.25",
)

_PRELU_EXAMPLE = """>>> z = torch.tensor([-2.0, 0.5, 8.0])
>>> {}
tensor([-0.5000,  0.5000,  8.0000], grad_fn=<PReLUFunctionBackward>)"""
_NO_SLOPES = "RuntimeError: when there is neither one slope nor one for each channel, or the dtypes differ"

FUNCTIONS["rrelu"] = FUNCTIONS["rrelu"]._replace(
    example=""">>> z = torch.tensor([-2.0, 0.5, 8.0], requires_grad=True)
>>> nn.functional.rrelu(z, 0.25, 0.25)
tensor([-0.5000,  0.5000,  8.0000], grad_fn=<LeakyReLUFunctionBackward>)"""
)
FUNCTIONS["prelu"] = Entry(
    "a = z where z > 0, else `weight` z, with a weight for all channels or for each.",
    "activations.prelu",
    "input and result alike, [n, channels, ...] or [n]; weight [channels] or [1].",
    (
        "TypeError: when the input is no tensor: `nn.functional.prelu([1.0], torch.rand(1))`.",
        f"{_NO_SLOPES}: `nn.functional.prelu(torch.rand(2, 3), torch.rand(2))`.",
    ),
    _PRELU_EXAMPLE.format("nn.functional.prelu(z, torch.tensor([0.25], requires_grad=True))"),
)
CLASSES["PReLU"] = Entry(
    "",
    "activations.prelu",
    "input and result alike, [n, channels, ...] or [n]; `weight` [num_parameters].",
    (
        "TypeError: when the input is no tensor: `nn.PReLU()([1.0])`.",
        f"{_NO_SLOPES}: `nn.PReLU(2)(torch.rand(2, 3))`.",
    ),
    _PRELU_EXAMPLE.format("nn.PReLU()(z)"),
)
CLASSES["Softmax2d"] = Entry(
    "",
    "activations.softmax",
    "input and result alike, [n, channels, h, w] or [channels, h, w].",
    ("ValueError: when the input has neither three nor four dimensions: `nn.Softmax2d()(torch.rand(3))`.",),
    """>>> a = nn.Softmax2d()(torch.rand(2, 3, 4, 4))
>>> torch.allclose(a.sum(1), torch.ones(2, 4, 4))
True""",
)

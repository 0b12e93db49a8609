"""Losses."""

from __future__ import annotations

from manualgrad.nn._reference.entry import Entry

__all__ = ["CLASSES", "FUNCTIONS"]

FUNCTIONS: dict[str, Entry] = {}
CLASSES: dict[str, Entry] = {}

_PAIRS = 'input and target alike, of any shape; the result is 0-d, or for the reduction "none" as the input.'
_CLASSES = (
    "input [n, classes], [n, classes, d1, ...] or [classes]; target [n], [n, d1, ...] or [] of integers{}.\n"
    'The result is 0-d, or for the reduction "none" as the target.'
)
_OF_CLASSES = "torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))"
_CASES = "torch.rand(3, 4), torch.tensor([1, 2])"


def _add(
    function: str,
    name: str,
    summary: str,
    page: str,
    example: str,
    result: str,
    *errors: tuple[str, ...],
    numbers: str = "",
    shapes: str = _PAIRS,
) -> None:
    """The function, and the class of which an object is that function.

    Args:
        example: the input and the target, and `result` what comes of them.
        errors: "Type: when", an input and target that raise it and, where they have to be others than the example's, the
            numbers.
        numbers: the arguments of the example beside the input and the target.
    """
    f, layer = f"nn.functional.{function}", f"nn.{name}"
    of_function, of_class = [], []
    unknown = ("ValueError: when there is no such reduction", "torch.rand(3), torch.rand(3)", "reduction='median'")
    for what, *call in (*errors, unknown):
        pair, given = call if len(call) == 2 else (*call, numbers)
        of_function.append(f"{what}: `{f}({', '.join(filter(None, (pair, given)))})`.")
        of_class.append(f"{what}: `{layer}({given})({pair})`.")
    if function != "mse_loss":  # whose docstring stands where it is defined, in _basic.py
        arguments = ", ".join(filter(None, (example, numbers)))
        FUNCTIONS[function] = Entry(summary, page, shapes, tuple(of_function), f">>> {f}({arguments})\n{result}")
    CLASSES[name] = Entry("", page, shapes, tuple(of_class), f">>> {layer}({numbers})({example})\n{result}")


_DIFFER = ("RuntimeError: when the shapes do not fit", "torch.rand(3), torch.rand(2)")
_NOT_ALIKE = ("ValueError: when the shapes differ", "torch.rand(3), torch.rand(2)")
_EXAMPLE = "torch.tensor([1.0, 2.0, 6.0]), torch.tensor([1.0, 1.0, 2.0])"

_add(
    "binary_cross_entropy",
    "BCELoss",
    "−y log a − (1 − y) log(1 − a), of probabilities a and targets y.",
    "losses.binary_cross_entropy",
    "torch.tensor([0.5, 0.9]), torch.tensor([0.0, 1.0])",
    "tensor(0.3993)",
    _NOT_ALIKE,
    ("RuntimeError: when a number of the input is not between 0 and 1", "torch.tensor([2.0]), torch.tensor([1.0])"),
)
_add(
    "binary_cross_entropy_with_logits",
    "BCEWithLogitsLoss",
    "−y log σ(z) − (1 − y) log(1 − σ(z)), of weighted inputs z and targets y.",
    "losses.binary_cross_entropy",
    "torch.tensor([0.0, 2.0]), torch.tensor([0.0, 1.0])",
    "tensor(0.4100)",
    _NOT_ALIKE,
)
_add(
    "cross_entropy",
    "CrossEntropyLoss",
    "−log softmax(z)_y of the class y, or −Σ_k y_k log softmax(z)_k of probabilities y.",
    "losses.cross_entropy",
    f"{_OF_CLASSES}, torch.tensor([0, 2])",
    "tensor(0.4581)",
    ("ValueError: when there are not as many targets as inputs", _CASES),
    ("IndexError: when a target is not that of a class", "torch.rand(1, 4), torch.tensor([4])"),
    shapes=_CLASSES.format(", or probabilities as the input"),
)
_add(
    "huber_loss",
    "HuberLoss",
    "d²/2 where |d| < δ, else δ (|d| − δ/2), with d = input − target.",
    "losses.distances",
    _EXAMPLE,
    "tensor(1.3333)",
    _DIFFER,
    ("RuntimeError: when δ is not above 0", "torch.rand(3), torch.rand(3)", "delta=0.0"),
)
_add(
    "kl_div",
    "KLDivLoss",
    "y (log y − input), with probabilities y and the logarithms of others as the input.",
    "losses.kl_div",
    "torch.log(torch.tensor([[0.5, 0.5]])), torch.tensor([[0.25, 0.75]])",
    "tensor(0.1308)",
    _DIFFER,
    numbers="reduction='batchmean'",
)
_add(
    "l1_loss",
    "L1Loss",
    "|input − target|.",
    "losses.distances",
    _EXAMPLE,
    "tensor(1.6667)",
    _DIFFER,
)
_add(
    "mse_loss",
    "MSELoss",
    "",
    "losses.mse_loss",
    "torch.tensor([[1.0, 2.0], [6.0, 2.0]]), torch.tensor([[1.0, 1.0], [2.0, 1.0]])",
    "tensor(9.)",
    _DIFFER,
    numbers="reduction='batchmean'",
    shapes='input and target alike, [n, ...]; the result is 0-d, or for the reduction "none" as the input.',
)
_add(
    "nll_loss",
    "NLLLoss",
    "−input_y, with y the class and the logarithms of probabilities as the input.",
    "losses.nll_loss",
    f"{_OF_CLASSES}, torch.tensor([0, 2])",
    "tensor(0.4581)",
    ("ValueError: when there are not as many targets as inputs", _CASES),
    ("IndexError: when a target is not that of a class", "torch.rand(1, 4), torch.tensor([4])"),
    shapes=_CLASSES.format(""),
)
_add(
    "smooth_l1_loss",
    "SmoothL1Loss",
    "d²/2β where |d| < β, else |d| − β/2, with d = input − target.",
    "losses.distances",
    _EXAMPLE,
    "tensor(1.3333)",
    _DIFFER,
    ("RuntimeError: when β is below 0", "torch.rand(3), torch.rand(3)", "beta=-1.0"),
)

"""The Function under test: how the checks call it, in float64, on fresh inputs, from the same random numbers each time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

EXTENDING = "https://docs.pytorch.org/docs/stable/notes/extending.html"
EXTENDING_FUNC = "https://docs.pytorch.org/docs/stable/notes/extending.func.html"


class Fault(Exception):
    """What is wrong with the Function."""

    def __init__(self, found: str, mend: str, see: str = EXTENDING) -> None:
        super().__init__(f"{found}\nMend: {mend}\nSee {see}")


class Skip(Exception):
    """Why a check says nothing about the Function."""


@contextmanager
def blamed_on_the_function(doing: str, mend: str, see: str = EXTENDING) -> Iterator[None]:
    """What the Function raises inside is a fault of the Function's; what a check raises elsewhere is one of the check's."""
    try:
        yield
    except (Fault, Skip):
        raise
    except Exception as error:
        raise Fault(f"{doing} raises {first_line(error)}", mend, see) from error


def first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


@dataclass
class Sample:
    """One tuple of inputs; `wanted` are the positions of those that the derivative is taken by."""

    arguments: tuple[Any, ...]
    wanted: tuple[int, ...]
    number: int

    @property
    def tensors(self) -> dict[int, Tensor]:
        return {i: a for i, a in enumerate(self.arguments) if isinstance(a, Tensor)}

    def with_tensors(self, tensors: dict[int, Tensor]) -> Sample:
        return replace(self, arguments=tuple(tensors.get(i, a) for i, a in enumerate(self.arguments)))

    def wanting(self, wanted: Sequence[int]) -> Sample:
        return replace(self, wanted=tuple(wanted))

    def to(self, dtype: torch.dtype) -> Sample:
        """The floating-point inputs in this dtype, the complex ones in the complex dtype of that precision."""

        def cast(t: Tensor) -> Tensor:
            if t.is_complex():
                return t.to(dtype.to_complex())
            return t.to(dtype) if t.is_floating_point() else t

        return self.with_tensors({i: cast(t) for i, t in self.tensors.items()})

    def name(self, position: int) -> str:
        return f"input {position} of sample {self.number}"


@dataclass
class Result:
    """A call of the Function: its leaves by position, and its outputs."""

    leaves: dict[int, Tensor]
    arguments: tuple[Any, ...]
    raw: Any

    @property
    def all_outputs(self) -> list[Tensor]:
        raw = self.raw if isinstance(self.raw, (tuple, list)) else [self.raw]
        return [o for o in raw if isinstance(o, Tensor)]

    @property
    def outputs(self) -> list[Tensor]:
        """Those that have a gradient."""
        return [o for o in self.all_outputs if o.requires_grad]

    def gradients(self, grad_outputs: Sequence[Tensor] | None = None, **options: Any) -> dict[int, Tensor | None]:
        grads = weights(self.outputs) if grad_outputs is None else grad_outputs
        found = torch.autograd.grad(self.outputs, list(self.leaves.values()), grads, **{"allow_unused": True, **options})
        return dict(zip(self.leaves, found, strict=True))


class Subject:
    """A Function, its `apply`, or any callable, with samples of inputs."""

    def __init__(self, fn: Any, inputs: Any) -> None:
        if isinstance(fn, type) and issubclass(fn, torch.autograd.Function):
            fn = fn.apply
        if not callable(fn):
            raise TypeError(f"check_function: fn must be a Function or a callable, and is a {type(fn).__name__}")
        self.call: Callable[..., Any] = fn
        owner = getattr(fn, "__self__", None)
        self.name: str = owner.__name__ if isinstance(owner, type) else getattr(fn, "__name__", type(fn).__name__)
        self.samples = [_sample(arguments, i) for i, arguments in enumerate(_samples(inputs))]
        self.in_place = False
        self.is_random = False

    def run(self, sample: Sample) -> Result:
        """Call it on fresh copies of the inputs, those wanted being leaves, as users' are."""
        leaves, arguments = copies(sample)
        if not self.in_place:  # a leaf that requires grad cannot be changed in place
            arguments = tuple(leaves.get(i, a) for i, a in enumerate(arguments))
        return Result(leaves, arguments, self.seeded(*arguments))

    def seeded(self, *arguments: Any) -> Any:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count()), device_type="cuda"):  # manual_seed seeds them too
            before = torch.manual_seed(0).get_state()
            try:
                return self.call(*arguments)
            finally:
                self.is_random |= not torch.equal(before, torch.get_rng_state())

    def out_of_place(self, *arguments: Any) -> Any:
        """The call, on copies of what an in-place Function would change."""
        if self.in_place:
            arguments = tuple(a.clone() if isinstance(a, Tensor) else a for a in arguments)
        return self.call(*arguments)

    def skip_if_random(self) -> None:
        if self.is_random:
            raise Skip("the Function draws random numbers, and draws others here")

    def of_wanted(self, sample: Sample) -> Callable[..., tuple[Tensor, ...]]:
        """The Function of its wanted inputs alone, giving its differentiable outputs."""
        positions = [i for i, o in enumerate(self.run(sample).all_outputs) if o.requires_grad]

        def function(*wanted: Tensor) -> tuple[Tensor, ...]:
            if self.in_place:
                wanted = tuple(w.clone() for w in wanted)
            by_position = dict(zip(sample.wanted, wanted, strict=True))
            arguments = [
                by_position.get(i, a.detach().clone() if isinstance(a, Tensor) else a) for i, a in enumerate(sample.arguments)
            ]
            outputs = Result({}, (), self.seeded(*arguments)).all_outputs
            return tuple(outputs[i] for i in positions)

        return function

    def wanted_tensors(self, sample: Sample, requires_grad: bool = True) -> tuple[Tensor, ...]:
        return tuple(sample.arguments[i].detach().clone().requires_grad_(requires_grad) for i in sample.wanted)


def _samples(inputs: Any) -> list[tuple[Any, ...]]:
    if isinstance(inputs, tuple):
        return [inputs]
    if isinstance(inputs, list) and inputs and all(isinstance(sample, tuple) for sample in inputs):
        return inputs
    raise TypeError(
        f"check_function: inputs must be a tuple of arguments or a list of such tuples, and is a {type(inputs).__name__}"
    )


def _sample(arguments: tuple[Any, ...], number: int) -> Sample:
    sample = Sample(arguments, (), number).to(torch.float64)
    numbers = [i for i, t in sample.tensors.items() if t.is_floating_point() or t.is_complex()]
    flagged = [i for i in numbers if arguments[i].requires_grad]
    if not numbers:
        raise ValueError(
            f"check_function: sample {number} of inputs must hold a floating-point or complex tensor, and holds none"
        )
    contiguous = {i: t.detach().contiguous() for i, t in sample.tensors.items()}
    return sample.with_tensors(contiguous).wanting(flagged or numbers)


def copies(sample: Sample) -> tuple[dict[int, Tensor], tuple[Any, ...]]:
    """Fresh leaves for the wanted inputs, and arguments that are copies of them and of the other tensors."""
    leaves = {i: sample.arguments[i].detach().clone().requires_grad_() for i in sample.wanted}
    return leaves, tuple(leaves.get(i, a).clone() if isinstance(a, Tensor) else a for i, a in enumerate(sample.arguments))


def weights(outputs: Sequence[Tensor], seed: int = 0) -> list[Tensor]:
    """A gradient for each output: numbers from 0.5 to 1.5 of either sign, always the same."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape: torch.Size) -> Tensor:
        numbers = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5
        return numbers * (1 - 2 * torch.randint(0, 2, shape, generator=generator))

    return [
        (torch.complex(draw(o.shape), draw(o.shape)) if o.is_complex() else draw(o.shape)).to(o.device, o.dtype)
        for o in outputs
    ]


def function_nodes(result: Result) -> list[Any]:
    """The nodes of Python Functions in the graph behind the outputs."""
    waiting = [o.grad_fn for o in result.outputs]
    seen, found = set(waiting), []
    while waiting:
        node = waiting.pop()
        if hasattr(node, "_forward_cls"):
            found.append(node)
        for following, _ in node.next_functions if node is not None else ():
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)
    return found


def own_node(result: Result) -> Any:
    """The node of the one Function whose outputs these are, all of them; None where there is none such."""
    nodes = {o.grad_fn for o in result.outputs}
    node = nodes.pop() if len(nodes) == 1 else None
    return node if hasattr(node, "_forward_cls") else None


UNSUPPORTED = {  # what PyTorch says, and what it means
    "must override the setup_context": "it has no setup_context, which torch.func needs",
    "does not have vmap support": "it has neither generate_vmap_rule = True nor a vmap method",
    "implement the jvp": "it has no jvp, which forward mode needs",
    "forward AD with": "it has no jvp, which forward mode needs",
}


def supported(call: Callable[[], Any], doing: str, mend: str, see: str = EXTENDING_FUNC) -> Any:
    """The result of the call; a Skip where the Function does not claim to support it, a Fault where it raises otherwise."""
    try:
        return call()
    except Exception as error:
        for words, reason in UNSUPPORTED.items():
            if words in str(error):
                raise Skip(reason) from error
        raise Fault(f"{doing} the Function raises {first_line(error)}", mend, see) from error

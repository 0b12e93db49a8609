"""The Function under test: how the checks call it, in float64, on fresh inputs, from the same random numbers each time."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

EXTENDING = "https://docs.pytorch.org/docs/stable/notes/extending.html"
EXTENDING_FUNC = "https://docs.pytorch.org/docs/stable/notes/extending.func.html"


_QUOTED = 300  # characters of an error


class Fault(Exception):
    """What is wrong with the Function; `error` is what it raised, and `implies` are the checks that fail as a consequence.

    `implies_errors` are those which fail as a consequence where they raise.
    """

    def __init__(
        self,
        found: str,
        fix: str,
        see: str = EXTENDING,
        error: BaseException | None = None,
        implies: tuple[str, ...] = (),
        implies_errors: tuple[str, ...] = (),
    ) -> None:
        super().__init__(f"{found}\nFix: {fix}\nSee {see}")
        self.error = "" if error is None else first_line(error)
        self.implies, self.implies_errors = implies, implies_errors


class Skip(Exception):
    """Why a check says nothing about the Function."""


@contextmanager
def blamed_on_the_function(doing: str, fix: str, see: str = EXTENDING) -> Iterator[None]:
    """What the Function raises inside is a fault of the Function's; what a check raises elsewhere is one of the check's."""
    try:
        yield
    except (Fault, Skip):
        raise
    except Exception as error:
        raise Fault(f"{doing} raises {first_line(error)}", _cure(error) or fix, see, error) from error


CURES = {  # of what PyTorch says, where the check's own fix is not the one
    "vmap: inplace arithmetic": "do not write a batched tensor into one that is not, such as torch.zeros_like of an "
    "unbatched tensor: make it from the batched one (grad_output.new_zeros), or build the result out of place: stack, cat, "
    "scatter, index_put or where",
    "requires_grad_()": "compute the gradient by its formula, or by torch.func.vjp, instead of requires_grad_ and "
    "torch.autograd.grad inside backward",
    "accessing `data`": "leave out .data: save_for_backward keeps tensors, and detach cuts them off where that is meant",
    "calling .item()": "leave out .item(), float() and int(): compute with tensors, and choose by torch.where",
    "data-dependent control flow": "leave out `if` and `while` on tensors: choose by torch.where",
    "INTERNAL ASSERT FAILED": "keep tensors by ctx.save_for_backward and save_for_forward alone",
}


def _cure(error: BaseException) -> str | None:
    return next((fix for words, fix in CURES.items() if words in str(error)), None)


def first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return f"{type(error).__name__}: {textwrap.shorten(lines[0], _QUOTED, placeholder=' ...')}"


@dataclass
class Sample:
    """One tuple of inputs; `wanted` are the positions of those that the derivative is taken by.

    `names` are the names of the first arguments; `number` is the sample's, or None where there is but one.
    """

    arguments: tuple[Any, ...]
    wanted: tuple[int, ...]
    number: int | None
    names: tuple[str, ...] = ()

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

    def name(self, position: int, place: Sequence[int] = ()) -> str:
        name = self.names[position] if position < len(self.names) else f"input {position}"
        return f"{name}{list(place) or ''}{self.which}"

    def listed(self, positions: Sequence[int]) -> str:
        return " and ".join(self.name(i).removesuffix(self.which) for i in positions)

    @property
    def which(self) -> str:
        """ " of sample 1", where there are several."""
        return "" if self.number is None else f" of sample {self.number}"


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
    """A Function, its `apply`, any callable, or a Module, whose parameters are inputs too; with samples of inputs.

    `allowed` is what a check let pass, and why: it stands in the report.
    """

    def __init__(self, fn: Any, inputs: Any) -> None:
        self.allowed: dict[str, None] = {}
        self.padding_idx = getattr(fn, "padding_idx", None)
        self._outcomes: dict[tuple[Any, Any, tuple[int, ...]], Any] = {}
        if isinstance(fn, type) and issubclass(fn, torch.autograd.Function):
            fn = fn.apply
        elif isinstance(fn, type):
            raise TypeError(
                f"check_function: fn must be a Function or a callable, and is the class {fn.__name__}: give an instance of it, "
                f"{fn.__name__}(...)"
            )
        names: tuple[str, ...] = ()
        samples = _samples(inputs)
        self.is_module = isinstance(fn, torch.nn.Module)
        if isinstance(fn, torch.nn.Module):
            fn, samples, names = _of_module(fn, samples)
        if not callable(fn):
            raise TypeError(f"check_function: fn must be a Function or a callable, and is a {type(fn).__name__}")
        self.call: Callable[..., Any] = fn
        owner: Any = getattr(fn, "__self__", None)
        is_apply = isinstance(owner, type)
        self.name: str = owner.__name__ if is_apply else getattr(fn, "__name__", type(fn).__name__)
        names = names or _parameter_names(owner.forward if is_apply else fn, is_apply)
        several = len(samples) > 1
        self.samples = [_sample(arguments, i if several else None, names) for i, arguments in enumerate(samples)]
        self.in_place = False
        self.is_random = False

    def allow(self, what: str) -> None:
        self.allowed[what] = None

    def holds(self, check: Callable[[Subject, Sample], Any], sample: Sample) -> bool:
        """Whether a check finds nothing in the sample, nor skips it."""
        try:
            self.once(check, sample)
        except (Fault, Skip):
            return False
        return True

    def once(self, check: Callable[[Subject, Sample], Any], sample: Sample) -> Any:
        """What a check returns or raises, which is computed once for each sample that was given."""
        if not any(sample is given for given in self.samples):
            return check(self, sample)
        key = (check, sample.number, sample.wanted)
        if key not in self._outcomes:
            try:
                self._outcomes[key] = check(self, sample)
            except (Fault, Skip) as outcome:
                self._outcomes[key] = outcome
        if isinstance(self._outcomes[key], Fault | Skip):
            raise self._outcomes[key]
        return self._outcomes[key]

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
            outputs = Result({}, (), (self.seeded if self.is_random else self.call)(*arguments)).all_outputs
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


def _parameter_names(function: Callable[..., Any], of_function: bool) -> tuple[str, ...]:
    """The names of the parameters by position, those of a Function's forward without ctx; () where they cannot be told."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return ()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in positional]
    return tuple(names[1:] if of_function and names[:1] == ["ctx"] else names)


def _of_module(module: torch.nn.Module, samples: list[tuple[Any, ...]]) -> tuple[Any, list[tuple[Any, ...]], tuple[str, ...]]:
    """The module as a function of its inputs and its parameters, and the samples with these."""
    parameters = {name: p.detach() for name, p in module.named_parameters()}
    buffers = {name: b.detach() for name, b in module.named_buffers()}
    flags = {name: p.requires_grad for name, p in module.named_parameters()}

    def call(*arguments: Any) -> Any:
        n = len(arguments) - len(parameters) - len(buffers)
        state = dict(zip([*parameters, *buffers], arguments[n:], strict=True))
        state |= {name: state[name].clone() for name in buffers}  # what the module changes is its own
        return torch.func.functional_call(module, state, arguments[:n])

    call.__name__ = type(module).__name__
    named = _parameter_names(module.forward, False)[: len(samples[0])]
    names = (*named, *parameters, *buffers) if len(named) == len(samples[0]) else ()
    any_flagged = any(isinstance(a, Tensor) and a.requires_grad for sample in samples for a in sample)
    tensors = [p.clone().requires_grad_(flags[name]) for name, p in parameters.items()] + list(buffers.values())
    flagged = [
        sample if any_flagged else tuple(a.detach().requires_grad_() if _is_number(a) else a for a in sample)
        for sample in samples
    ]
    return call, [(*sample, *tensors) for sample in flagged], names


def _is_number(value: Any) -> bool:
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())


def _sample(arguments: tuple[Any, ...], number: int | None, names: tuple[str, ...]) -> Sample:
    sample = Sample(arguments, (), number, names).to(torch.float64)
    numbers = [i for i, t in sample.tensors.items() if t.is_floating_point() or t.is_complex()]
    flagged = [i for i in numbers if arguments[i].requires_grad]
    if not numbers:
        raise ValueError(
            f"check_function: sample {number or 0} of inputs must hold a floating-point or complex tensor, and holds none"
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
    "Batching rule not implemented": "PyTorch has no vmap rule for it",
    "must override the setup_context": "it has no setup_context, which torch.func needs",
    "does not have vmap support": "it has neither generate_vmap_rule = True nor a vmap method",
    "implement the jvp": "it has no jvp, which forward mode needs",
    "forward AD with": "it has no jvp, which forward mode needs",
}


def supported(call: Callable[[], Any], doing: str, fix: str, see: str = EXTENDING_FUNC) -> Any:
    """The result of the call; a Skip where the Function does not claim to support it, a Fault where it raises otherwise."""
    try:
        return call()
    except Exception as error:
        for words, reason in UNSUPPORTED.items():
            if words in str(error):
                raise Skip(reason) from error
        raise Fault(f"{doing} the Function raises {first_line(error)}", _cure(error) or fix, see, error) from error

"""The Function under test, and how checks call it: in float64, on fresh inputs, with the same random seed each time."""

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


_QUOTED = 300  # maximum number of characters of a quoted error


class Fault(Exception):
    """A fault of the Function: what was found, how to fix it, and where to read more.

    `error` is the error that the Function raised, if any. `implies` names the checks that fail as a consequence, and
    `implies_errors` the checks that do so if they raise.
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
    """The reason why a check does not apply to the Function."""


@contextmanager
def blamed_on_the_function(doing: str, fix: str, see: str = EXTENDING) -> Iterator[None]:
    """Turn errors inside the `with` block into Faults of the Function; errors elsewhere are internal errors of a check."""
    try:
        yield
    except (Fault, Skip):
        raise
    except Exception as error:
        raise Fault(f"{doing} raises {first_line(error)}", _cure(error) or fix, see, error) from error


CURES = {  # words of PyTorch's error -> a fix that is better than the check's
    "vmap: inplace arithmetic": "do not write a batched tensor into an unbatched one, such as torch.zeros_like of an "
    "unbatched tensor: create it from the batched one (grad_output.new_zeros), or build the result out of place with stack, "
    "cat, scatter, index_put or where",
    "requires_grad_()": "compute the gradient by its formula or with torch.func.vjp, instead of calling requires_grad_ and "
    "torch.autograd.grad inside backward",
    "accessing `data`": "do not use .data: save tensors with save_for_backward, and use detach to cut the graph on purpose",
    "calling .item()": "do not use .item(), float() or int(): compute with tensors, and select with torch.where",
    "data-dependent control flow": "do not use `if` or `while` on tensors: select with torch.where",
    "INTERNAL ASSERT FAILED": "keep tensors only with ctx.save_for_backward and ctx.save_for_forward",
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
    """One tuple of inputs; `wanted` are the positions of the inputs to differentiate with respect to.

    `names` are the names of the first arguments; `number` is the index of the sample, or None if there is only one.
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
        """Cast floating-point inputs to this dtype, and complex ones to the complex dtype of its precision."""

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
        """The suffix " of sample 1" if there are several samples."""
        return "" if self.number is None else f" of sample {self.number}"


@dataclass
class Result:
    """A call of the Function: its leaves by position, its arguments, and its outputs."""

    leaves: dict[int, Tensor]
    arguments: tuple[Any, ...]
    raw: Any

    @property
    def all_outputs(self) -> list[Tensor]:
        raw = self.raw if isinstance(self.raw, (tuple, list)) else [self.raw]
        return [o for o in raw if isinstance(o, Tensor)]

    @property
    def outputs(self) -> list[Tensor]:
        """The outputs that require grad."""
        return [o for o in self.all_outputs if o.requires_grad]

    def gradients(self, grad_outputs: Sequence[Tensor] | None = None, **options: Any) -> dict[int, Tensor | None]:
        grads = weights(self.outputs) if grad_outputs is None else grad_outputs
        found = torch.autograd.grad(self.outputs, list(self.leaves.values()), grads, **{"allow_unused": True, **options})
        return dict(zip(self.leaves, found, strict=True))


class Subject:
    """A Function, its `apply`, any callable, or a Module (its parameters are inputs too), with samples of inputs.

    `allowed` holds the deviations that a check allowed, with the reasons, for the report.
    """

    def __init__(self, fn: Any, inputs: Any) -> None:
        self.allowed: dict[str, None] = {}
        self.padding_idx = getattr(fn, "padding_idx", None)
        self._outcomes: dict[tuple[Any, Any, tuple[int, ...]], Any] = {}
        if isinstance(fn, type) and issubclass(fn, torch.autograd.Function):
            fn = fn.apply
        elif isinstance(fn, type):
            raise TypeError(
                f"check_function: fn must be a Function or a callable, got the class {fn.__name__}: pass an instance, "
                f"{fn.__name__}(...)"
            )
        names: tuple[str, ...] = ()
        samples = _samples(inputs)
        self.is_module = isinstance(fn, torch.nn.Module)
        if isinstance(fn, torch.nn.Module):
            fn, samples, names = _of_module(fn, samples)
        if not callable(fn):
            raise TypeError(f"check_function: fn must be a Function or a callable, got {type(fn).__name__}")
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
        """Return whether a check passes on the sample, and is not skipped."""
        try:
            self.once(check, sample)
        except (Fault, Skip):
            return False
        return True

    def once(self, check: Callable[[Subject, Sample], Any], sample: Sample) -> Any:
        """Run a check, and cache what it returns or raises for the given samples."""
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
        """Call the Function on fresh copies of the inputs; the wanted ones are leaves, as in users' code."""
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
        """Call the Function, on copies of the tensors if it works in place."""
        if self.in_place:
            arguments = tuple(a.clone() if isinstance(a, Tensor) else a for a in arguments)
        return self.call(*arguments)

    def skip_if_random(self) -> None:
        if self.is_random:
            raise Skip("the Function draws random numbers, which differ here")

    def of_wanted(self, sample: Sample) -> Callable[..., tuple[Tensor, ...]]:
        """Return the Function as a callable from the wanted inputs to the differentiable outputs."""
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
        f"check_function: inputs must be a tuple of arguments or a list of such tuples, got {type(inputs).__name__}"
    )


def _parameter_names(function: Callable[..., Any], of_function: bool) -> tuple[str, ...]:
    """Return the parameter names by position, without a Function's ctx; () if they cannot be determined."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return ()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in positional]
    return tuple(names[1:] if of_function and names[:1] == ["ctx"] else names)


def _of_module(module: torch.nn.Module, samples: list[tuple[Any, ...]]) -> tuple[Any, list[tuple[Any, ...]], tuple[str, ...]]:
    """Return the module as a function of inputs, parameters and buffers, samples that include these, and all names."""
    parameters = {name: p.detach() for name, p in module.named_parameters()}
    buffers = {name: b.detach() for name, b in module.named_buffers()}
    flags = {name: p.requires_grad for name, p in module.named_parameters()}

    def call(*arguments: Any) -> Any:
        n = len(arguments) - len(parameters) - len(buffers)
        state = dict(zip([*parameters, *buffers], arguments[n:], strict=True))
        state |= {name: state[name].clone() for name in buffers}  # the module may change its buffers
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
            f"check_function: sample {number or 0} of inputs must contain a floating-point or complex tensor, got none"
        )
    contiguous = {i: t.detach().contiguous() for i, t in sample.tensors.items()}
    return sample.with_tensors(contiguous).wanting(flagged or numbers)


def copies(sample: Sample) -> tuple[dict[int, Tensor], tuple[Any, ...]]:
    """Return fresh leaves for the wanted inputs, and arguments that are copies of them and of the other tensors."""
    leaves = {i: sample.arguments[i].detach().clone().requires_grad_() for i in sample.wanted}
    return leaves, tuple(leaves.get(i, a).clone() if isinstance(a, Tensor) else a for i, a in enumerate(sample.arguments))


def weights(outputs: Sequence[Tensor], seed: int = 0) -> list[Tensor]:
    """Return a gradient for each output: the same random numbers each time, from 0.5 to 1.5 with either sign."""
    generator = torch.Generator().manual_seed(seed)

    def draw(shape: torch.Size) -> Tensor:
        numbers = torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5
        return numbers * (1 - 2 * torch.randint(0, 2, shape, generator=generator))

    return [
        (torch.complex(draw(o.shape), draw(o.shape)) if o.is_complex() else draw(o.shape)).to(o.device, o.dtype)
        for o in outputs
    ]


def function_nodes(result: Result) -> list[Any]:
    """Return the nodes of Python Functions in the graph of the outputs."""
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
    """Return the node of the single Function that made all outputs, or None."""
    nodes = {o.grad_fn for o in result.outputs}
    node = nodes.pop() if len(nodes) == 1 else None
    return node if hasattr(node, "_forward_cls") else None


UNSUPPORTED = {  # words of PyTorch's error -> reason for a skip
    "Batching rule not implemented": "PyTorch has no vmap rule for it",
    "must override the setup_context": "it has no setup_context, which torch.func needs",
    "does not have vmap support": "it has neither generate_vmap_rule = True nor a vmap method",
    "implement the jvp": "it has no jvp, which forward mode needs",
    "forward AD with": "it has no jvp, which forward mode needs",
}


def supported(call: Callable[[], Any], doing: str, fix: str, see: str = EXTENDING_FUNC) -> Any:
    """Return the result of the call; raise a Skip if the Function does not claim to support it, else a Fault if it raises."""
    try:
        return call()
    except Exception as error:
        for words, reason in UNSUPPORTED.items():
            if words in str(error):
                raise Skip(reason) from error
        raise Fault(f"{doing} the Function raises {first_line(error)}", _cure(error) or fix, see, error) from error

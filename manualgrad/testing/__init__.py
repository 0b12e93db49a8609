"""`check_function` tests a custom `torch.autograd.Function`, from any library.

It imports only torch. It does for Functions what `torch.library.opcheck` does for custom operators.

Example:
    >>> testing.check_function(torch.tanh, (torch.randn(3, 2),), checks="backward")
    {'backward': 'SUCCESS'}
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from manualgrad.testing import autograd_contract, derivatives, edge_values, modes, orders, state
from manualgrad.testing.subject import Fault, Sample, Skip, Subject, first_line

__all__ = ["CHECKS", "WHAT", "CheckError", "Report", "check_function"]

_CHECKS: dict[str, Callable[[Subject, Sample], None]] = {
    check.__name__: check
    for check in (
        state.forward_is_pure,
        derivatives.backward,
        derivatives.double_backward,
        orders.third_derivative,
        autograd_contract.needs_input_grad,
        autograd_contract.undefined_gradients,
        autograd_contract.memory_layout,
        autograd_contract.shapes,
        autograd_contract.dtypes,
        state.saved_tensors,
        state.repeatable,
        modes.vmap,
        modes.func_transforms,
        derivatives.forward_ad,
        orders.forward_over_forward,
        modes.compile,
        modes.autocast,
        modes.meta_device,
        autograd_contract.gradient_scale,
        edge_values.extreme_values,
    )
}

CHECKS = tuple(_CHECKS)
"""The names of the checks, the most fundamental first.

Example:
    >>> CHECKS[:3]
    ('forward_is_pure', 'backward', 'double_backward')
"""

WHAT = {name: (check.__doc__ or "").partition("\n")[0] for name, check in _CHECKS.items()}
"""A one-line description of each check.

Example:
    >>> print(WHAT["backward"])
    Compare the gradient of every input with finite differences in float64, for real and complex inputs.
"""

_TOO_MANY_ALIKE = 4  # this many checks, skipped for the same reason, share one line

_BROKEN_TOOL = "NOT CHECKED, the check itself failed: "


class CheckError(AssertionError):
    """Raised when a Function fails a check; `report` is the full Report.

    Example:
        >>> try:  # x.detach() is a constant for autograd, so the gradient is x instead of 2x
        ...     check_function(lambda x: x * x.detach(), (torch.randn(3),), checks="backward")
        ... except CheckError as error:
        ...     error.report.failures
        ['backward']
    """

    def __init__(self, report: Report) -> None:
        super().__init__(f"{report.name} fails {len(report.failures)} of {len(report)} checks\n\n{report}")
        self.report = report


class Report(dict[str, str]):
    """A dict from check name to "SUCCESS", "SKIPPED: why", or the fault and its fix; `str()` gives a table.

    Example:
        >>> report = check_function(torch.tanh, (torch.randn(3, 2),), checks=["backward", "double_backward"])
        >>> print(report)
        backward         SUCCESS
        double_backward  SUCCESS
        <BLANKLINE>
        2 checks: all passed
    """

    name: str = ""

    @property
    def failures(self) -> list[str]:
        """The names of the checks that found a fault."""
        silent = ("SUCCESS", "SKIPPED: ", _BROKEN_TOOL)
        return [name for name, text in self.items() if not text.startswith(silent)]

    @property
    def not_checked(self) -> list[str]:
        """The names of the checks that did not finish because of an internal error."""
        return [name for name, text in self.items() if text.startswith(_BROKEN_TOOL)]

    @property
    def nothing_was_checked(self) -> bool:
        """Whether every check was skipped, which does not count as success."""
        return len(self.skipped) == len(self) > 0

    @property
    def skipped(self) -> list[str]:
        """The names of the checks that do not apply."""
        return [name for name, text in self.items() if text.startswith("SKIPPED: ")]

    def __str__(self) -> str:
        rows: dict[str, str] = {}
        for name, text in self.items():
            shared = [other for other in self.skipped if self[other] == text]
            if len(shared) < _TOO_MANY_ALIKE:
                rows[name] = f"FAILED: {text}" if name in self.failures else text
            elif name == shared[0]:
                rows[f"{len(shared)} others"] = text
        width = max(map(len, rows), default=0)
        indent = " " * (width + 2)
        lines = []
        for name, text in rows.items():
            wrapped = [piece for line in text.splitlines() for piece in textwrap.wrap(line, 100, break_long_words=False)]
            lines.append(f"{name:{width}}  " + f"\n{indent}".join(wrapped))
        return "\n".join([*lines, "", self.summary]) if lines else ""

    @property
    def summary(self) -> str:
        """The last line of the table, such as "20 checks: 2 failed (vmap, backward), 1 skipped"."""
        groups = {"failed": self.failures, "not checked": self.not_checked}
        parts = [f"{len(names)} {what} ({', '.join(names)})" for what, names in groups.items() if names]
        parts += [f"{len(self.skipped)} skipped"] if self.skipped else []
        if self.nothing_was_checked:
            parts = [f"nothing was checked, {parts[0]}"]
        return f"{len(self)} check{'s' * (len(self) != 1)}: {', '.join(parts) or 'all passed'}"


def check_function(
    fn: Callable[..., Any], inputs: Any, *, checks: str | Sequence[str] | None = None, raise_exception: bool = True
) -> Report:
    """Check a custom autograd Function on sample inputs, in every way that PyTorch may call it.

    Args:
        fn: a `torch.autograd.Function` subclass, its `apply`, any callable that takes tensors, or a `torch.nn.Module`,
            from any library. A Module's parameters are checked as inputs too.
        inputs: a tuple of sample arguments (tensors and plain values), or a list of such tuples. Gradients are checked for
            the tensors that require grad, or, if none does, for all floating-point and complex tensors. Inputs are copied
            and cast to float64. Choose values away from kinks, as for `torch.autograd.gradcheck`.
        checks: names from `CHECKS`; all by default.
        raise_exception: raise a CheckError when a check finds a fault.

    Returns:
        a Report: check name -> "SUCCESS" (with the deviations that were allowed, if any), "SKIPPED: why", or the failure:
            what was found on which input, the actual and expected values, how to fix it and where to read more. All
            checks run, even if one fails.

    Raises:
        CheckError: when a check finds a fault (an AssertionError whose text is the report).
        RuntimeError: when a check itself fails, which says nothing about the Function.
        TypeError: when `inputs` is neither a tuple nor a list of tuples: `check_function(torch.tanh, torch.rand(3))`.
        TypeError: when `fn` is a class other than a Function: `check_function(torch.nn.GELU, (torch.rand(3),))`.
        ValueError: when `checks` has an unknown name: `check_function(torch.tanh, (torch.rand(3),), checks="front")`.

    Example:
        >>> report = check_function(torch.tanh, (torch.randn(4, 3),), checks=["backward", "vmap"])
        >>> report.failures
        []
    """
    report = _report(fn, inputs, checks, lambda name: None)
    if raise_exception and report.failures:
        raise CheckError(report)
    if raise_exception and report.not_checked:
        failed = ", ".join(report.not_checked)
        raise RuntimeError(
            f"check_function itself failed in {failed}; this says nothing about {report.name}. Please report it\n\n{report}"
        )
    return report


def _report(fn: Callable[..., Any], inputs: Any, checks: str | Sequence[str] | None, begin: Callable[[str], None]) -> Report:
    """Run the checks; call `begin` with the name of each before it runs."""
    subject = Subject(fn, inputs)
    names = _chosen(checks)
    report = Report()
    report.name = subject.name
    problem = _first_call(subject)
    if problem is not None:
        report.update(dict.fromkeys(names, "SKIPPED: the forward raises"))
        report[names[0]] = problem
        return report
    outcomes: dict[str, str | Fault] = {}
    for name in names:
        begin(name)
        outcomes[name] = _run(_CHECKS[name], subject)
    report.update({name: _follows(name, outcomes) or str(outcome) for name, outcome in outcomes.items()})
    return report


def _chosen(checks: str | Sequence[str] | None) -> list[str]:
    names = list(CHECKS) if checks is None else [checks] if isinstance(checks, str) else list(checks)
    unknown = [name for name in names if name not in _CHECKS]
    if unknown or not names:
        raise ValueError(f"check_function: checks must be names from {', '.join(CHECKS)}, got {', '.join(unknown) or 'none'}")
    return names


def _first_call(subject: Subject) -> str | None:
    """Call the Function once on each sample; if it raises, return the error, because then no check can run."""
    for sample in subject.samples:
        try:
            subject.run(sample)
        except RuntimeError as error:
            if "leaf Variable that requires grad" in str(error) and "in-place" in str(error):
                subject.in_place = True
                continue
            return _raises(sample, error)
        except Exception as error:
            return _raises(sample, error)
    return None


def _raises(sample: Sample, error: Exception) -> str:
    fix = "pass inputs that the forward accepts; they are cast to float64, which finite differences need"
    return str(Fault(f"with the inputs{sample.which}, the forward raises {first_line(error)}", fix))


def _follows(name: str, outcomes: dict[str, str | Fault]) -> str | None:
    """Return a SKIPPED text if the fault follows from another check's: each fault is reported once."""
    fault = outcomes[name]
    if not isinstance(fault, Fault):
        return None
    earlier = True
    for other, cause in outcomes.items():
        earlier &= other != name
        if not isinstance(cause, Fault) or other == name:
            continue
        same_error = earlier and fault.error and fault.error == cause.error
        if name in cause.implies or same_error or (fault.error and name in cause.implies_errors):
            return f"SKIPPED: follows from the failure of `{other}`"
    return None


def _run(check: Callable[[Subject, Sample], None], subject: Subject) -> str | Fault:
    skipped = []
    subject.allowed.clear()
    for sample in subject.samples:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                subject.once(check, sample)
        except Fault as fault:
            return fault
        except Skip as skip:
            skipped.append(str(skip))
        except Exception as error:
            return f"{_BROKEN_TOOL}{first_line(error)}"
    if len(skipped) == len(subject.samples):
        return f"SKIPPED: {skipped[0]}"
    return f"SUCCESS, except for {'; '.join(subject.allowed)}" if subject.allowed else "SUCCESS"

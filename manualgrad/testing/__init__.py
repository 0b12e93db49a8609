"""`check_function`: everything that can be wrong with a custom `torch.autograd.Function`, anybody's.

It stands on torch alone. What `torch.library.opcheck` is for custom operators, this is for Functions.

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
"""The names of the checks, in the order a person would want to hear of them.

Example:
    >>> CHECKS[:3]
    ('forward_is_pure', 'backward', 'double_backward')
"""

WHAT = {name: (check.__doc__ or "").partition("\n")[0] for name, check in _CHECKS.items()}
"""What each check looks for, in a line.

Example:
    >>> print(WHAT["backward"])
    The gradient of every input, against finite differences in float64, real and complex.
"""

_TOO_MANY_ALIKE = 4  # checks that are skipped for one reason are one line

_BROKEN_TOOL = "NOT CHECKED, the check itself failed: "


class CheckError(AssertionError):
    """A Function failed a check; `report` is the whole Report.

    Example:
        >>> try:  # the derivative of x², and of x · a constant x
        ...     check_function(lambda x: x * x.detach(), (torch.randn(3),), checks="backward")
        ... except CheckError as error:
        ...     error.report.failures
        ['backward']
    """

    def __init__(self, report: Report) -> None:
        super().__init__(f"{report.name} fails {len(report.failures)} of {len(report)} checks\n\n{report}")
        self.report = report


class Report(dict[str, str]):
    """Check name -> "SUCCESS", "SKIPPED: why", or what was found and how to fix it; `str()` is a table.

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
        """The names of the checks that themselves failed, and so say nothing."""
        return [name for name, text in self.items() if text.startswith(_BROKEN_TOOL)]

    @property
    def nothing_was_checked(self) -> bool:
        """Whether every check was skipped: that is no success."""
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
        """20 checks: 2 failed (vmap, backward), 1 skipped."""
        groups = {"failed": self.failures, "could not be done": self.not_checked}
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
        fn: a `torch.autograd.Function` subclass, its `apply`, any callable of tensors, or a `torch.nn.Module`, whose
            parameters are inputs too. manualgrad's, PyTorch's or anybody's.
        inputs: a tuple of sample arguments, tensors and plain values, or a list of such tuples. The tensors that require
            grad are those the derivative is taken by; where none does, all floating-point and complex ones. They are
            copied, and cast to float64. Choose numbers away from kinks, as for `torch.autograd.gradcheck`.
        checks: names out of `CHECKS`; all by default.
        raise_exception: raise a CheckError when a check finds a fault.

    Returns:
        a Report: check name -> "SUCCESS" (with what was let pass, if anything), "SKIPPED: why", or the failure: what was
            found, on which input, got and wanted, how to fix it and where to read on. All checks run, also when one fails.

    Raises:
        CheckError: when a check finds a fault (an AssertionError, whose text is the report).
        RuntimeError: when a check itself fails; that says nothing about the Function.
        TypeError: when the inputs are no tuple, nor a list of tuples: `check_function(torch.tanh, torch.rand(3))`.
        TypeError: when `fn` is a class, not an instance of it: `check_function(torch.nn.GELU, (torch.rand(3),))`.
        ValueError: when there is no such check: `check_function(torch.tanh, (torch.rand(3),), checks="front")`.

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
        raise RuntimeError(f"check_function itself failed in {failed}; this says nothing about {report.name}\n\n{report}")
    return report


def _report(fn: Callable[..., Any], inputs: Any, checks: str | Sequence[str] | None, begin: Callable[[str], None]) -> Report:
    """Run the checks; `begin` is told of each before it runs."""
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
        raise ValueError(
            f"check_function: checks must be out of {', '.join(CHECKS)}, and holds {', '.join(unknown) or 'nothing'}"
        )
    return names


def _first_call(subject: Subject) -> str | None:
    """Call it once on each sample: what is wrong then is wrong with everything else too."""
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
    fix = "give inputs that the forward takes; they are cast to float64, which finite differences need"
    return str(Fault(f"for the inputs{sample.which} the forward raises {first_line(error)}", fix))


def _follows(name: str, outcomes: dict[str, str | Fault]) -> str | None:
    """Name the check whose fault is also this one's: each fault is reported once."""
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
            return f"SKIPPED: follows from `{other}`, which finds a fault"
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
    return f"SUCCESS, but for {'; '.join(subject.allowed)}" if subject.allowed else "SUCCESS"

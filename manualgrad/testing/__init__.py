"""`check_function`: everything that can be wrong with a custom `torch.autograd.Function`, anybody's.

It stands on torch alone. What `torch.library.opcheck` is for custom operators, this is for Functions.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from manualgrad.testing import derivatives, modes, requests, state
from manualgrad.testing.subject import Fault, Sample, Skip, Subject, first_line

__all__ = ["CHECKS", "CheckError", "Report", "check_function"]

_CHECKS: dict[str, Callable[[Subject, Sample], None]] = {
    check.__name__: check
    for check in (
        state.forward_is_pure,
        derivatives.backward,
        derivatives.double_backward,
        requests.needs_input_grad,
        requests.undefined_gradients,
        requests.memory_layout,
        requests.shapes,
        requests.dtypes,
        state.saved_tensors,
        state.repeatable,
        modes.vmap,
        modes.func_transforms,
        derivatives.forward_ad,
        modes.compile,
        modes.autocast,
        modes.meta_device,
        requests.gradient_scale,
    )
}

CHECKS = tuple(_CHECKS)
"""The names of the checks, in the order a person would want to hear of them."""

_BROKEN_TOOL = "NOT CHECKED, the check itself failed: "


class CheckError(AssertionError):
    """A Function failed a check; `report` is the whole Report."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"{report.name} fails {len(report.failures)} of {len(report)} checks\n\n{report}")
        self.report = report


class Report(dict[str, str]):
    """Check name -> "SUCCESS", "SKIPPED: why", or what was found and how to mend it; `str()` is a table."""

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

    def __str__(self) -> str:
        width = max(map(len, self), default=0)
        indent = " " * (width + 2)
        lines = []
        for name, text in self.items():
            text = text if name not in self.failures else f"FAILED: {text}"
            wrapped = [piece for line in text.splitlines() for piece in textwrap.wrap(line, 100, break_long_words=False)]
            lines.append(f"{name:{width}}  " + f"\n{indent}".join(wrapped))
        return "\n".join(lines)


def check_function(
    fn: Callable[..., Any], inputs: Any, *, checks: str | Sequence[str] | None = None, raise_exception: bool = True
) -> Report:
    """Check a custom autograd Function on sample inputs, in every way that PyTorch may call it.

    Args:
        fn: a `torch.autograd.Function` subclass, its `apply`, or any callable around it. manualgrad's or anybody's.
        inputs: a tuple of sample arguments, tensors and plain values, or a list of such tuples. The tensors that require
            grad are those the derivative is taken by; where none does, all floating-point and complex ones. They are
            copied, and cast to float64. Choose numbers away from kinks, as for `torch.autograd.gradcheck`.
        checks: names out of `CHECKS`; all by default.
        raise_exception: raise a CheckError when a check finds a fault.

    Returns:
        a Report: check name -> "SUCCESS", "SKIPPED: why", or the failure: what was found, on which input, the size of the
        error, how to mend it and where to read on. All checks run, also when one fails.

    Raises:
        CheckError: when a check finds a fault (an AssertionError, whose text is the report).
        RuntimeError: when a check itself fails; that says nothing about the Function.
        TypeError, ValueError: when the arguments are not as above.

    Example:
        >>> check_function(Square, (torch.randn(4, 3),))
    """
    subject = Subject(fn, inputs)
    names = _chosen(checks)
    report = Report()
    report.name = subject.name
    problem = _first_call(subject)
    for name in names:
        report[name] = _run(_CHECKS[name], subject) if problem is None else "SKIPPED: the forward raises"
    if problem is not None:
        report[names[0]] = problem
    if raise_exception and report.failures:
        raise CheckError(report)
    if raise_exception and report.not_checked:
        failed = ", ".join(report.not_checked)
        raise RuntimeError(f"check_function itself failed in {failed}; this says nothing about {report.name}\n\n{report}")
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
    mend = "give inputs that the forward takes; they are cast to float64, which finite differences need"
    return str(Fault(f"the forward raises {first_line(error)} on sample {sample.number}", mend))


def _run(check: Callable[[Subject, Sample], None], subject: Subject) -> str:
    skipped = []
    for sample in subject.samples:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                check(subject, sample)
        except Fault as fault:
            return str(fault)
        except Skip as skip:
            skipped.append(str(skip))
        except Exception as error:
            return f"{_BROKEN_TOOL}{first_line(error)}"
    return f"SKIPPED: {skipped[0]}" if len(skipped) == len(subject.samples) else "SUCCESS"

"""check_function: each broken Function of broken.py is found by the check that looks for it, and no correct one is accused."""

import ast
import re
from pathlib import Path

import pytest
import torch
from broken import (
    BROKEN,
    CORRECT,
    HARD,
    LET_PASS,
    ROUNDED,
    ChangesItsInput,
    Cube,
    IgnoresGradOutput,
    PlainCube,
    Product,
    RecomputesByAutograd,
    SavesAnIntermediate,
    SinInNumpy,
    Slope,
    SoftplusByLog,
    Square,
    SwappedGradients,
    WrongFactor,
    X,
    numbers,
)

import manualgrad.testing
from manualgrad import functions
from manualgrad.testing import CHECKS, CheckError, Report, check_function

ALL_BUT_COMPILE = [name for name in CHECKS if name != "compile"]


@pytest.mark.parametrize(("function", "inputs", "check", "advice", "also"), BROKEN, ids=lambda v: getattr(v, "__name__", ""))
def test_a_broken_function_is_found_by_its_check_with_advice(function, inputs, check, advice, also):
    report = check_function(function, inputs, checks=check, raise_exception=False)
    assert report.failures == [check]
    found, fix, see = report[check].splitlines()
    assert re.search(advice, fix)
    assert fix.startswith("Fix: ")
    assert see.startswith("See https://")
    assert re.search(r"\d|ctx\.|raises|with x|gradient of|ignores", found)  # which input, how large, or what was raised


@pytest.mark.few(5)
@pytest.mark.parametrize(("function", "inputs", "check", "advice", "also"), BROKEN, ids=lambda v: getattr(v, "__name__", ""))
def test_a_broken_function_is_found_by_no_other_check(function, inputs, check, advice, also):
    report = check_function(function, inputs, checks=CHECKS if check == "compile" else ALL_BUT_COMPILE, raise_exception=False)
    assert check in report.failures
    assert set(report.failures) <= {check} | also
    assert not report.not_checked


def test_every_check_finds_a_broken_function_and_there_are_many():
    assert {check for _, _, check, _, _ in BROKEN} == set(CHECKS)
    assert len({function for function, *_ in BROKEN}) >= 70


@pytest.mark.few(3)
@pytest.mark.parametrize(("function", "inputs"), CORRECT, ids=lambda v: getattr(v, "__name__", ""))
def test_a_correct_function_is_not_accused(function, inputs):
    if function is SinInNumpy and torch.__version__.startswith("2.11"):
        pytest.skip("PyTorch 2.11 itself gives it the gradient 0 when compiled")
    report = check_function(function, inputs)
    assert list(report) == list(CHECKS)
    assert all(text == "SUCCESS" or text.startswith("SKIPPED: ") for text in report.values())
    assert report["backward"] == report["shapes"] == report["gradient_scale"] == "SUCCESS"


@pytest.mark.few(3)
@pytest.mark.parametrize(("function", "inputs"), HARD.values(), ids=HARD)
def test_a_correct_function_that_is_hard_to_judge_is_not_accused(function, inputs):
    report = check_function(function, inputs, checks=ALL_BUT_COMPILE)
    assert not report.not_checked


def test_what_finite_differences_cannot_tell_is_said():
    report = check_function(functions.ReLUFunction, (torch.tensor([1.0, 0.0, 2.0]) - 1e-9,), checks="backward")
    assert report["backward"] == "SUCCESS"  # an entry of 0 is told apart
    report = check_function(lambda x: (x + 1e8) - 1e8, (torch.tensor([1e-9]),), checks=["backward"])
    assert report["backward"].startswith("SUCCESS, except for x[0], where finite differences are not accurate to 1e-6")


DERIVATIVES = ["backward", "double_backward", "third_derivative", "forward_ad", "forward_over_forward"]


@pytest.mark.parametrize(("function", "inputs"), ROUNDED.values(), ids=ROUNDED)
def test_a_derivative_that_rounding_hides_is_not_accused(function, inputs):
    assert not check_function(function, inputs, checks=DERIVATIVES).not_checked


@pytest.mark.parametrize(("function", "inputs", "check", "words"), LET_PASS.values(), ids=LET_PASS)
def test_what_is_let_pass_is_said(function, inputs, check, words):
    report = check_function(function, inputs, checks=check)
    assert report[check].startswith("SUCCESS, except for ")
    assert words in report[check]


@pytest.mark.few(12)
@pytest.mark.parametrize("factor", [1e-6, -1e-6, 1e-5, 1e-3])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("entry", range(5))
def test_a_factor_of_1_and_a_millionth_in_any_entry_is_found(entry, scale, factor):
    class Off(Cube):
        @staticmethod
        def backward(ctx, g):
            return Cube.backward(ctx, g) * OFF

        @staticmethod
        def jvp(ctx, dx):
            return Cube.jvp(ctx, dx) * OFF

    class OffInSecondOrder(Cube):
        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return OffSlope.apply(x) * g

    class OffSlope(Slope):
        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 6 * x * g * OFF

    x = scale * torch.tensor([1.0, -0.3, 0.01, 0.02, 0.7], dtype=torch.float64)  # their squares differ by 1e-4
    OFF = torch.ones(5, dtype=torch.float64)
    OFF[entry] += factor
    report = check_function(Off, (x,), checks=["backward", "forward_ad"], raise_exception=False)
    assert report.failures == ["backward", "forward_ad"]
    assert f"x[{entry}]" in report["backward"]
    assert check_function(OffInSecondOrder, (x,), checks=["double_backward"], raise_exception=False).failures


def test_a_plain_function_with_a_right_jvp_fails_by_pytorchs_fault_alone():
    report = check_function(PlainCube, X, checks=ALL_BUT_COMPILE, raise_exception=False)
    assert report.failures == ["forward_over_forward"]
    assert "a bug in PyTorch" in report["forward_over_forward"]
    assert "issues/197867" in report["forward_over_forward"]


def test_an_extreme_value_is_told_with_input_got_and_wanted():
    report = check_function(SoftplusByLog, (torch.tensor([1.0]),), checks="extreme_values", raise_exception=False)
    assert "for x = 100, output 0[0] is inf in float32, expected 100" in report["extreme_values"]


def test_a_module_is_checked_with_its_parameters():
    torch.manual_seed(0)
    batch_norm = torch.nn.BatchNorm1d(3, track_running_stats=False)
    for module, inputs in ((torch.nn.Linear(3, 2), X), (batch_norm, X), (torch.nn.PReLU(), (numbers(4, 3) - 1,))):
        state = {name: value.clone() for name, value in module.state_dict().items()}
        report = check_function(
            module, inputs, checks=["backward", "needs_input_grad", "repeatable", "forward_is_pure", "vmap"]
        )
        assert report.name == type(module).__name__
        assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())

    class WrongBias(torch.nn.Linear):
        def forward(self, input):
            return SwappedGradients.apply(self.weight, self.weight.detach() + input.sum() * 0) @ input.t()

    report = check_function(WrongBias(3, 2), X, checks="backward", raise_exception=False)
    assert "weight[" in report["backward"]


def test_arguments_are_named_as_the_functions_parameters_are():
    report = check_function(WrongFactor, (numbers(2),), checks="backward", raise_exception=False)
    assert report["backward"].startswith("the gradient of x[0] is ")
    assert re.search(r"expected -?[\d.]+ from finite differences \(off by [\d.]+\)", report["backward"])


def test_one_fault_that_shows_everywhere_is_one_report():
    report = check_function(ChangesItsInput, X, checks=ALL_BUT_COMPILE, raise_exception=False)
    lines = str(report).splitlines()
    assert lines[-1] == f"{len(ALL_BUT_COMPILE)} checks: 1 failed (forward_is_pure), {len(ALL_BUT_COMPILE) - 1} skipped"
    assert sum("SKIPPED" in line for line in lines) == 1


def random(*shape):
    return torch.randn(shape)


OURS = [
    (functions.SigmoidFunction, [(random(4, 3),), (torch.complex(random(3), random(3)),)]),
    (functions.LinearFunction, [(random(5, 3), random(4, 3), random(4)), (random(2, 5, 3), random(4, 3), None)]),
    (functions.ReLUFunction, (random(4, 3),)),
    (functions.MSELossFunction, [(random(4, 3), random(4, 3), r, None) for r in ("none", "mean", "sum", "batchmean")]),
    (functions.MSELossFunction, [(random(4, 3), random(4, 3), r, numbers(4, 3)) for r in ("none", "mean", "sum", "batchmean")]),
]


@pytest.mark.few(1)
@pytest.mark.parametrize(("function", "inputs"), OURS, ids=lambda v: getattr(v, "__name__", ""))
def test_ours_pass_every_check_and_skip_none(function, inputs):
    report = check_function(function, inputs)
    assert set(report.values()) == {"SUCCESS"}


@pytest.mark.few(2)
@pytest.mark.parametrize("fn", [Square, Square.apply, lambda x: Square.apply(x) + 1, torch.sigmoid])
def test_it_takes_a_function_its_apply_or_any_callable(fn):
    assert not check_function(fn, X, checks=ALL_BUT_COMPILE).failures


def test_a_failure_raises_an_assertion_error_that_holds_the_report():
    with pytest.raises(CheckError, match=r"WrongFactor fails 1 of 2 checks[\s\S]*off by\s+0\.\d+") as raised:
        check_function(WrongFactor, X, checks=["backward", "shapes"])
    assert isinstance(raised.value, AssertionError)
    assert raised.value.report.failures == ["backward"]
    assert raised.value.report["shapes"] == "SUCCESS"


def test_the_report_prints_as_a_table():
    report = check_function(SavesAnIntermediate, X, checks=["backward", "double_backward"], raise_exception=False)
    lines = str(report).splitlines()
    assert isinstance(report, dict)
    assert lines[0] == "backward         SUCCESS"
    assert lines[1].startswith("double_backward  FAILED: the derivative of the backward with respect to x[0, 0] is silently")
    assert all(line.startswith(" " * 17) for line in lines[2:-2])
    assert lines[-2:] == ["", "2 checks: 1 failed (double_backward)"]
    assert max(map(len, lines)) <= 120


def test_the_failing_sample_is_named():
    wrong_for_negative = [(numbers(3),), (-numbers(3),)]

    class Root(Square):
        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x.abs() * g

    report = check_function(Root, wrong_for_negative, checks="backward", raise_exception=False)
    assert "x[0] of sample 1" in report["backward"]


def test_only_flagged_inputs_are_differentiated():
    class HalfProduct(Product):
        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[1], None

    inputs = numbers(4, 3).requires_grad_(), numbers(4, 3)
    assert not check_function(HalfProduct, inputs, checks=ALL_BUT_COMPILE).failures
    assert check_function(HalfProduct, (inputs[1], inputs[1]), checks="backward", raise_exception=False).failures


def test_a_forward_that_raises_is_reported_once():
    report = check_function(torch.cholesky_inverse, (numbers(2, 3),), raise_exception=False)
    assert report.failures == [CHECKS[0]]
    assert "the forward raises RuntimeError" in report[CHECKS[0]]
    assert report["backward"] == "SKIPPED: the forward raises"


def test_a_check_that_itself_fails_is_neither_a_failure_nor_a_success(monkeypatch):
    def broken_check(subject, sample):
        raise KeyError("a slip in the tool")

    monkeypatch.setitem(manualgrad.testing._CHECKS, "shapes", broken_check)
    report = check_function(Square, X, checks=["backward", "shapes"], raise_exception=False)
    assert report.failures == []
    assert report.not_checked == ["shapes"]
    assert report["shapes"] == "NOT CHECKED, the check itself failed: KeyError: 'a slip in the tool'"
    with pytest.raises(RuntimeError, match="failed in shapes; this says nothing about Square"):
        check_function(Square, X, checks=["backward", "shapes"])


def test_inputs_and_random_numbers_are_left_as_they_were():
    x = numbers(4, 3).requires_grad_()
    before, state = x.detach().clone(), torch.get_rng_state()
    check_function(Square, (x,), checks=ALL_BUT_COMPILE)
    assert torch.equal(x, before)
    assert x._version == 0
    assert x.grad is None
    assert torch.equal(torch.get_rng_state(), state)


WRONG_CALLS = {
    "a class": (
        (torch.nn.GELU, X),
        {},
        TypeError,
        r"fn must be .* got the class GELU: pass an instance, GELU\(\.\.\.\)",
    ),
    "fn": ((3, X), {}, TypeError, "fn must be a Function or a callable, got int"),
    "inputs": ((Square, numbers(3)), {}, TypeError, "inputs must be a tuple of arguments or a list .* got Tensor"),
    "integers": ((Square, (torch.arange(3),)), {}, ValueError, "sample 0 of inputs must contain a floating-point .* tensor"),
    "checks": ((Square, X), {"checks": ["backwards"]}, ValueError, "checks must be names from .* got backwards"),
    "no checks": ((Square, X), {"checks": []}, ValueError, "checks must be names from .* got none"),
}


@pytest.mark.parametrize(("arguments", "options", "error", "message"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_a_wrong_call_raises_with_a_sentence(arguments, options, error, message):
    with pytest.raises(error, match=f"^check_function: {message}"):
        check_function(*arguments, **options)


def test_it_stands_on_torch_alone():
    for file in Path(manualgrad.testing.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] != "manualgrad" or name.startswith("manualgrad.testing")


class WrongAndSaves(SavesAnIntermediate):
    """Two faults of which one hides the other."""

    @staticmethod
    def backward(ctx, g):
        return 3 * SavesAnIntermediate.backward(ctx, g) * torch.ones(4, 3, dtype=torch.float64, device="cpu")


def test_what_follows_from_a_fault_is_said_to_follow_and_another_fault_is_found():
    report = check_function(WrongAndSaves, X, checks=["backward", "double_backward", "meta_device"], raise_exception=False)
    assert report.failures == ["backward", "meta_device"]
    assert report["double_backward"] == "SKIPPED: follows from the failure of `backward`"
    alone = check_function(WrongAndSaves, X, checks="double_backward", raise_exception=False)
    assert alone.failures == ["double_backward"]


def test_the_same_error_is_reported_once():
    class Recomputes(Square):
        backward = staticmethod(RecomputesByAutograd.backward)

    report = check_function(Recomputes, X, checks=["vmap", "func_transforms"], raise_exception=False)
    assert report.failures == ["vmap"]
    assert report["func_transforms"] == "SKIPPED: follows from the failure of `vmap`"


def test_a_backward_that_ignores_grad_output_fails_once():
    report = check_function(
        IgnoresGradOutput, X, checks=["backward", "double_backward", "gradient_scale"], raise_exception=False
    )
    assert report.failures == ["backward"]
    assert report["backward"].startswith("the backward ignores grad_output")
    assert "Fix: multiply by grad_output" in report["backward"]


def test_a_ratio_is_named_where_all_wrong_entries_have_it():
    class HalfWrong(Square):
        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g * torch.tensor([1.0, -1.0, -1.0], dtype=x.dtype)

    class Otherwise(Square):
        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x * g * torch.tensor([1.0, -1.0, -2.0], dtype=x.dtype)

    report = check_function(HalfWrong, X, checks="backward", raise_exception=False)
    assert "the sign is wrong in all 8 wrong entries of the gradient of x" in report["backward"]
    report = check_function(Otherwise, X, checks="backward", raise_exception=False)
    assert "derive the gradient again" in report["backward"]


def test_an_error_is_quoted_to_the_end_of_a_word():
    class Raises(Square):
        @staticmethod
        def backward(ctx, g):
            raise RuntimeError("word " * 200)

    found = check_function(Raises, X, checks="backward", raise_exception=False)["backward"].splitlines()[0]
    assert found.endswith("word word ...")


def test_a_report_in_which_nothing_was_checked_does_not_read_as_success():
    report = check_function(torch.isnan, X, checks=["backward", "vmap"])
    assert report.summary == "2 checks: nothing was checked, 2 skipped"
    assert report.nothing_was_checked


def test_a_report_of_nothing_prints_nothing():
    assert str(Report()) == ""

"""What `help` says of each public name: it is there, its examples run, and its errors are raised."""

import ast
import doctest
import importlib
import inspect
import itertools
import re

import pytest
import torch
from paths import ROOT

import manualgrad
from manualgrad import nn, testing
from manualgrad.nn.layers._derived import LAYERS as CLASSES
from manualgrad.torch_api import arguments
from manualgrad.torch_api.guard import FUNCTIONAL as FUNCTIONS

NAMES = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (manualgrad, nn, nn.functional, testing)
    for name in module.__all__
}
DATA = {"manualgrad.testing.CHECKS", "manualgrad.testing.WHAT"}  # whose documentation stands below them in the source
DOCUMENTED = {name: value for name, value in NAMES.items() if name not in DATA}
LAYERS = {name: value for name, value in NAMES.items() if name.startswith("manualgrad.nn.") and not inspect.ismodule(value)}
OF_TENSORS = [
    *LAYERS,
    *(f"manualgrad.{name}" for name in ("MLP", "backprop", "per_example_grad_norms", "per_example_grads", "sgd_step", "trace")),
]
RAISE_NOTHING = {"manualgrad.by_hand", "manualgrad.testing.CheckError", "manualgrad.testing.Report"}
CALLABLE = [name for name, value in DOCUMENTED.items() if callable(value) and name not in RAISE_NOTHING]

# Errors that no single call raises, each with the test of it.
_ALGORITHM = "network/test_algorithm.py::test_a_wrong_argument_raises_torchs_error_in_a_sentence"
SHOWN_ELSEWHERE = {
    (
        "manualgrad.fused",
        "ValueError",
    ): "fused/test_switch.py::test_an_unknown_value_of_the_environment_variable_is_a_value_error",
    (
        "manualgrad.Function",
        "TypeError",
    ): "test_function.py::test_the_old_style_is_refused_in_a_sentence_that_says_what_to_write",
    ("manualgrad.backprop", "ValueError"): _ALGORITHM,
    ("manualgrad.per_example_grad_norms", "ValueError"): _ALGORITHM,
    ("manualgrad.per_example_grads", "ValueError"): _ALGORITHM,
    ("manualgrad.sgd_step", "ValueError"): _ALGORITHM,
    ("manualgrad.trace", "ValueError"): _ALGORITHM,
    (
        "manualgrad.testing.check_function",
        "CheckError",
    ): "testing/test_testing.py::test_a_failure_raises_an_assertion_error_that_holds_the_report",
    (
        "manualgrad.testing.check_function",
        "RuntimeError",
    ): "testing/test_testing.py::test_a_check_that_itself_fails_is_neither_a_failure_nor_a_success",
}

# Of which the graph in the example ends in a sum or a product.
LAST_OF_SEVERAL = {"manualgrad.nn.Tanhshrink", "manualgrad.nn.functional.tanhshrink"}


def names():
    """What an example and a bad call may use."""
    public = {name: getattr(module, name) for module in (manualgrad, testing) for name in module.__all__}
    return {"torch": torch, "manualgrad": manualgrad, **public}


def run(text, name):
    example = doctest.DocTestParser().get_doctest(text, names(), name, None, None)
    assert example.examples, f"{name} has no example"
    found = []
    doctest.DocTestRunner().run(example, out=found.append)
    assert not found, "".join(found)


def section(name, title):
    """The lines of one section of a docstring."""
    found = re.search(rf"^{title}:\n((?:    .*\n?)+)", inspect.getdoc(NAMES[name]), re.MULTILINE)
    return [line.strip() for line in found[1].splitlines()] if found else []


# The names.


def test_every_public_name_is_there_once():
    for module in (manualgrad, nn, nn.functional, testing):
        assert len(set(module.__all__)) == len(module.__all__)


def test_nns_names_are_the_classes_that_are_hand_written_and_functional():
    hand_written = {
        name
        for name in dir(torch.nn)
        if isinstance(getattr(nn, name), type) and getattr(nn, name) is not getattr(torch.nn, name)
    }
    assert set(nn.__all__) == hand_written | {"functional"}


def test_functionals_names_are_the_functions_that_are_hand_written():
    F = torch.nn.functional
    hand_written = {
        name
        for name in dir(F)
        if not name.startswith("_")
        and getattr(nn.functional, name) is not getattr(F, name)
        and hasattr(getattr(nn.functional, name), "__wrapped__")
    }
    assert set(nn.functional.__all__) == hand_written


def test_a_star_import_brings_what_is_hand_written_and_nothing_else():
    found = {}
    exec("from manualgrad.nn import *", found)
    assert found.keys() - {"__builtins__"} == set(nn.__all__)
    found = {}
    exec("from manualgrad.nn.functional import *", found)
    assert found.keys() - {"__builtins__"} == set(nn.functional.__all__)


def test_a_star_import_after_torchs_takes_the_places_of_its_layers():
    found = {}
    exec("from torch.nn import *\nfrom manualgrad.nn import *", found)
    assert found["Linear"] is nn.Linear
    assert found["Sequential"] is torch.nn.Sequential
    assert found["functional"] is nn.functional


# What is said of them.


@pytest.mark.parametrize("name", DOCUMENTED)
def test_its_example_runs_and_prints_what_is_said(name):
    run(inspect.getdoc(NAMES[name]), name)


@pytest.mark.parametrize("name", sorted(DATA))
def test_the_example_below_it_runs(name):
    body = ast.parse((ROOT / "manualgrad/testing/__init__.py").read_text(encoding="utf-8")).body
    texts = {
        node.targets[0].id: after.value.value
        for node, after in itertools.pairwise(body)
        if isinstance(node, ast.Assign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
    }
    run(texts[name.rpartition(".")[2]], name)


@pytest.mark.parametrize("name", OF_TENSORS)
def test_it_says_shapes(name):
    assert section(name, "Shapes")


@pytest.mark.parametrize("name", CLASSES)
def test_a_layer_lists_its_arguments_and_their_defaults(name):
    parameters = inspect.signature(getattr(nn, name)).parameters.values()
    parameters = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    lines = section(f"manualgrad.nn.{name}", "Args")
    assert len(lines) == len(parameters)
    for line, parameter in zip(lines, parameters, strict=True):
        default = getattr(parameter.default, "__name__", repr(parameter.default))
        ending = "" if parameter.default is parameter.empty else rf" Default: {re.escape(default)}\."
        assert re.fullmatch(rf"{parameter.name}: .{{5,}}\.{ending}", line), line


def test_no_meaning_of_an_argument_is_of_none():
    named = {p for name in CLASSES for p in inspect.signature(getattr(nn, name)).parameters}
    assert set(arguments._MEANING) <= named
    families = {name.rstrip("d").rstrip("123") for name in CLASSES}
    for key in arguments._IN_A_CLASS:
        family, _, argument = key.partition(".")
        assert family in families | set(CLASSES), key
        assert argument in named, key


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", CALLABLE)
def test_each_error_that_it_names_is_raised(name):
    lines = section(name, "Raises")
    assert lines, "no errors"
    for line in lines:
        error, call = re.fullmatch(r"(\w+): .*?(?:: `(.+)`)?\.", line).groups()
        if call is None:
            assert (name, error) in SHOWN_ELSEWHERE, line
            continue
        with pytest.raises(Exception) as raised:  # noqa: PT011 - its type is asked for below, and no subclass will do
            eval(call, names())
        assert raised.type.__name__ == error, line


@pytest.mark.parametrize("shown", sorted(set(SHOWN_ELSEWHERE.values())))
def test_an_error_that_is_not_raised_here_is_raised_in_the_test_that_is_named(shown):
    file, _, test = shown.partition("::")
    assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", LAYERS)
def test_it_names_the_page_that_derives_it_and_torchs_of_the_same_name(name):
    text, torchs = inspect.getdoc(NAMES[name]), name.replace("manualgrad", "torch", 1)
    assert re.search(rf"`{re.escape(torchs)}`|`torch\.sigmoid`", text)
    (page,) = set(re.findall(r"`(manualgrad\.functions\.[\w.]+)`", text))
    derived = [name for name, value in vars(importlib.import_module(page)).items() if isinstance(value, type)]
    assert derived
    shown = re.search(r"grad_fn=<(\w+)Backward>", text)  # in the example
    assert shown is None or shown[1] in derived or name in LAST_OF_SEVERAL


def test_no_entry_is_of_another_name():
    assert set(CLASSES) | {"functional"} == set(nn.__all__)
    assert set(FUNCTIONS) <= set(nn.functional.__all__)


def test_users_own_subclasses_are_documented_by_themselves():
    class Mine(nn.Conv2d):
        """Mine."""

    assert Mine.__doc__ == "Mine."

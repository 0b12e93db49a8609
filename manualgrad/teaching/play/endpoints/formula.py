"""The formula behind a number on the page."""

from __future__ import annotations

import copy
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from torch.nn import Sequential

from manualgrad.teaching.play.answer import Answer
from manualgrad.teaching.play.drawing import desired, example
from manualgrad.teaching.play.endpoints.average import ManyExamples, examples_of, weight_of
from manualgrad.teaching.play.endpoints.chain import ChainFields, chained, letters_of
from manualgrad.teaching.play.faults import Fault
from manualgrad.teaching.play.formulas import OF_EXAMPLES, OF_PLACE, Examples, Formula, Place
from manualgrad.teaching.play.formulas.chain import factor_of, product_of, quantity
from manualgrad.teaching.play.here import TheLesson, TheTab
from manualgrad.teaching.play.lesson import Lesson, sizes_of
from manualgrad.teaching.play.requests import Digit, Fields, Image, Places, Rate, WeightFields
from manualgrad.teaching.sensitivity import EPSILON, most_wanted

__all__ = ["router"]

router = APIRouter(prefix="/api")

_CHAIN = "chain."


class AskedFormula(Fields):
    """The formula to return, and the fields that it may depend on."""

    of: Annotated[str, Field(max_length=30)]
    l: Annotated[int, Field(ge=1)] = 1
    j: Annotated[int, Field(ge=0)] = 0
    k: Annotated[int, Field(ge=0)] = 0
    image: Image | None = None
    target: Digit = 0
    rate: Rate = 1.0
    examples: Places = Field(default_factory=list)
    weight: WeightFields | None = None
    epsilon: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] = EPSILON
    chain: ChainFields | None = None


@router.post("/formula")
def the_formula(asked: AskedFormula, tab: TheTab, lesson: TheLesson) -> Answer:
    """Return the formula in letters, with numbers, and the line of this package that computes it."""
    if asked.of.startswith(_CHAIN):
        found = _of_chain(asked)
    elif asked.of in OF_PLACE:
        found = _of_place(asked, tab.model, lesson)
    elif asked.of in OF_EXAMPLES:
        found = _of_examples(asked, tab.model, lesson)
    else:
        raise Fault(422, f"of must be one of {', '.join([*OF_PLACE, *OF_EXAMPLES])} or chain.*, got {asked.of!r}.")
    return Answer(
        {
            "letters": found.letters,
            "numbers": found.numbers,
            "value": found.value,
            **asdict(found.line),
            "says": found.says,
        }
    )


def _of_place(asked: AskedFormula, model: Sequential, lesson: Lesson) -> Formula:
    image, sizes = _image(asked), sizes_of(model)
    if asked.l >= len(sizes):
        raise Fault(422, f"l must be a layer from 1 to {len(sizes) - 1}, got {asked.l}.")
    for name, came, neurons in (("j", asked.j, sizes[asked.l]), ("k", asked.k, sizes[asked.l - 1])):
        if came >= neurons:
            raise Fault(422, f"{name} must be a neuron from 0 to {neurons - 1}, got {came}.")
    x, y = example(image, lesson).x, desired(asked.target)
    is_drawn = image.drawing is not None
    return OF_PLACE[asked.of](Place.of(model, x, y, asked.l, asked.j, asked.k, asked.rate, is_drawn))


def _of_examples(asked: AskedFormula, model: Sequential, lesson: Lesson) -> Formula:
    model = copy.deepcopy(model)  # its .grad is overwritten
    many = ManyExamples(image=_image(asked), target=asked.target, examples=asked.examples)
    x, y, _ = examples_of(many, lesson)
    named = most_wanted(model, x, y)[0] if asked.weight is None else weight_of(asked.weight, model)
    return OF_EXAMPLES[asked.of](Examples(model, x, y, named, asked.epsilon))


def _of_chain(asked: AskedFormula) -> Formula:
    """Look up chain.OF.BY, a factor (or a product of factors if OF is C), or chain.OF, a quantity."""
    if asked.chain is None:
        raise Fault(422, "chain is missing: the weights, biases, x and y of the chain.")
    _, c = chained(asked.chain)
    of, _, by = asked.of.removeprefix(_CHAIN).partition(".")
    found: Formula | None
    try:
        if not by:
            found = quantity(c, letters_of(of))
        else:
            found = factor_of(c, letters_of(of), letters_of(by))
            if found is None and of == "C":
                found = product_of(c, letters_of(by))
    except ValueError:
        found = None
    if found is None:
        raise Fault(
            422, f"of must be a quantity of the chain or two neighbours, such as chain.z1.w1, or chain.C.w1, got {asked.of!r}."
        )
    return found


def _image(asked: AskedFormula) -> Image:
    if asked.image is None:
        raise Fault(422, f"image is missing: {asked.of} depends on an image.")
    return asked.image

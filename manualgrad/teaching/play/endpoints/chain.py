"""The network with one neuron per layer: every factor of the chain rule, and how a nudge travels."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from fastapi import APIRouter
from pydantic import Field, model_validator

from manualgrad.network.mlp import MLP
from manualgrad.symbolic.notation import superscript
from manualgrad.teaching.chain import Chain, Link, chain
from manualgrad.teaching.play.answer import Answer
from manualgrad.teaching.play.faults import Fault
from manualgrad.teaching.play.requests import Fields
from manualgrad.teaching.travel import input_link, travel

__all__ = ["ChainFields", "chained", "letters_of", "name_of", "router"]

router = APIRouter(prefix="/api")

Number = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
_PLAIN = str.maketrans("⁰¹²³⁴⁵", "012345", "⁽⁾₀")


class ChainFields(Fields):
    """Weights and biases, the first layer first; the input and the desired output."""

    w: Annotated[list[Number], Field(min_length=1, max_length=5)]
    b: Annotated[list[Number], Field(min_length=1, max_length=5)]
    x: Number
    y: Number

    @model_validator(mode="after")
    def _as_many(self) -> ChainFields:
        if len(self.w) != len(self.b):
            raise ValueError(f"as many w as b, and not {len(self.w)} and {len(self.b)}")
        return self


class Nudge(Fields):
    of: Annotated[str, Field(max_length=8)]
    by: Number


class AskedChain(ChainFields):
    nudge: Nudge | None = None


@router.post("/chain")
def the_chain(asked: AskedChain) -> Answer:
    """Return every quantity with the derivative of the cost, every parameter with its links, and how a nudge travels."""
    model, c = chained(asked)
    derivatives = {**c.derivatives, "a⁽⁰⁾": c.derivatives["z⁽¹⁾"] * input_link(c).value}
    return Answer(
        {
            "values": [
                {"name": name_of(letters), "letters": letters, "value": value, "derivative": derivatives[letters]}
                for letters, value in c.values.items()
            ],
            "y": c.y,
            "cost": c.cost,
            "parameters": [
                {
                    "name": name_of(p.name),
                    "letters": p.name,
                    "value": p.value,
                    "derivative": p.product,
                    "difference": p.difference,
                    "links": [_link(link) for link in p.links],
                }
                for p in c.parameters
            ],
            "travel": None if asked.nudge is None else _travel(model, c, asked.nudge),
        }
    )


def chained(fields: ChainFields) -> tuple[MLP, Chain]:
    """Build the network with these weights and biases, and its chain."""
    model = MLP([1] * (len(fields.w) + 1), dtype=torch.float64)
    with torch.no_grad():
        for l, (w, b) in enumerate(zip(fields.w, fields.b, strict=True)):
            model[2 * l].weight.fill_(w)
            model[2 * l].bias.fill_(b)
    return model, chain(model, fields.x, fields.y)


def name_of(letters: str) -> str:
    """Return the name in requests: "z1" for z⁽¹⁾, "x" for a⁽⁰⁾ and "C" for C₀."""
    name = letters.translate(_PLAIN)
    return "x" if name == "a0" else name


def letters_of(name: str) -> str:
    """Invert `name_of`."""
    if name in ("x", "C"):
        return {"x": "a⁽⁰⁾", "C": "C₀"}[name]
    return name[:1] + superscript(int(name[1:])) if name[1:].isdecimal() else name


def _link(link: Link) -> dict[str, Any]:
    return {
        "of": name_of(link.of),
        "by": name_of(link.by),
        "letters": f"∂{link.of}/∂{link.by}",
        "formula": link.formula,
        "value": link.value,
    }


def _travel(model: MLP, c: Chain, nudge: Nudge) -> list[dict[str, Any]]:
    try:
        arrivals = travel(model, c, letters_of(nudge.of), nudge.by)
    except ValueError as error:
        names = ", ".join(name_of(name) for name in [*c.values, *(p.name for p in c.parameters)])
        raise Fault(422, f"nudge.of must be one of {names}, got {nudge.of!r}.") from error
    return [{"name": name_of(a.name), "predicted": a.predicted, "measured": a.measured} for a in arrivals]

"""Fields that several requests share, and their valid values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Batch",
    "Digit",
    "Fields",
    "Image",
    "Op",
    "Rate",
    "Seed",
    "StartFields",
    "StepOp",
    "TrainOp",
    "Wanted",
    "WeightFields",
]

Digit = Annotated[int, Field(ge=0, le=9)]
Rate = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Batch = Literal[0, 1, 10, 100]
Places = Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=200)]  # indices of training images


class Fields(BaseModel):
    """Base class of requests: types are not converted, and unknown fields are rejected."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Image(Fields):
    """An image of MNIST, or a drawing.

    A drawing has 112×112 grey bytes, 0 for the background and 255 for ink, in base64, raw or as a zlib stream.
    """

    drawing: str | None = None
    split: Literal["train", "test"] | None = None
    index: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Image:
        if (self.drawing is None) == (self.split is None) or (self.split is None) != (self.index is None):
            raise ValueError("either a drawing, or a split and an index")
        return self


class WeightFields(Fields):
    """The weight W⁽ˡ⁾_jk."""

    l: Annotated[int, Field(ge=1)]
    j: Annotated[int, Field(ge=0)]
    k: Annotated[int, Field(ge=0)]


class Wanted(Fields):
    """An image, and the digit it should have been."""

    image: Image
    target: Digit


class StepOp(Fields):
    """Steps on one image; `image` may be an index into the start's `images`."""

    op: Literal["step"]
    image: Image | Annotated[int, Field(ge=0)]
    target: Digit
    rate: Rate
    times: Annotated[int, Field(ge=1, le=10_000)]


class TrainOp(Fields):
    """Steps on mini-batches of the training images; a batch of 0 means all of them."""

    op: Literal["train"]
    batch: Batch
    rate: Rate
    steps: Annotated[int, Field(ge=1, le=1_000_000)]
    seed: Seed = 0


Op = Annotated[StepOp | TrainOp, Field(discriminator="op")]


class StartFields(Fields):
    """The network that a tab starts from, and its history since then."""

    start: Literal["trained", "random", "run"] = "trained"
    seed: Seed = 0
    history: Annotated[list[Op], Field(max_length=200)] = []
    images: Annotated[list[Image], Field(max_length=50)] = []

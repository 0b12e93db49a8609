"""Two descents from one start, on mini-batches of two sizes, on a map of the cost.

The work takes seconds, so the answer is streamed line by line: the progress, and finally the result. It runs in a separate
thread, which ends when the client disconnects.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from queue import Empty, SimpleQueue
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter
from pydantic import Field
from starlette.responses import StreamingResponse

from manualgrad.teaching.descent import descend, plane
from manualgrad.teaching.play.answer import to_json
from manualgrad.teaching.play.here import TheLesson
from manualgrad.teaching.play.lesson import Lesson
from manualgrad.teaching.play.measure import in_float32
from manualgrad.teaching.play.requests import Batch, Fields, Rate, Seed

__all__ = ["router"]

router = APIRouter(prefix="/api")

_EXAMPLES, _STEPS, _PLACES, _GRID = 1_000, 300, 100, 25
_TOLD = 0.05  # seconds between progress lines
_at_once = threading.BoundedSemaphore(2)  # the others wait


class Map(Fields):
    batches: Annotated[list[Batch], Field(min_length=2, max_length=2)]
    rate: Rate
    seed: Seed = 0
    start: Literal["trained", "random"] = "random"


class _Gone(Exception):
    """The client has disconnected."""


@router.post("/map")
async def the_map(asked: Map, lesson: TheLesson) -> StreamingResponse:
    """Stream lines of {"progress": ...}, then one with the paths and the map."""
    return StreamingResponse(_lines(asked, lesson), media_type="application/x-ndjson")


async def _lines(asked: Map, lesson: Lesson) -> AsyncIterator[str]:
    told: SimpleQueue[dict[str, Any]] = SimpleQueue()
    gone = threading.Event()
    threading.Thread(target=_work, args=(asked, lesson, told, gone)).start()
    try:
        line: dict[str, Any] = {"progress": 0.0}
        while True:
            yield to_json(line) + "\n"
            if "progress" not in line:
                return
            await anyio.sleep(_TOLD)
            line = _latest(told, line)
    finally:
        gone.set()


def _latest(told: SimpleQueue[dict[str, Any]], line: dict[str, Any]) -> dict[str, Any]:
    try:
        while True:
            line = told.get_nowait()
    except Empty:
        return line


def _work(asked: Map, lesson: Lesson, told: SimpleQueue[dict[str, Any]], gone: threading.Event) -> None:
    done, all_of_it = 0, 2 * _STEPS + _GRID

    def advance() -> None:
        nonlocal done
        if gone.is_set():
            raise _Gone
        done += 1
        told.put({"progress": done / all_of_it})

    with _at_once:
        try:
            told.put(_found(asked, lesson, advance))
        except _Gone:
            pass
        except Exception as error:
            told.put({"error": f"The map could not be drawn ({type(error).__name__}: {error})."})


def _found(asked: Map, lesson: Lesson, advance: Callable[[], None]) -> dict[str, Any]:
    model = in_float32(lesson.network(asked.start, asked.seed)[0])
    examples = lesson.training[:_EXAMPLES]
    x, y = examples.x, examples.y
    paths = [
        descend(
            model,
            x,
            y,
            steps=_STEPS,
            batch_size=batch or len(x),
            lr=asked.rate,
            record=_STEPS // _PLACES,
            seed=asked.seed,
            after_step=advance,
        )
        for batch in asked.batches
    ]
    mapped = plane(model, paths, x, y, _GRID, advance)
    return {
        "paths": [
            {
                "batch": batch,
                "points": points,
                "examples": path.examples,
                "costs": path.costs,
                "seconds": path.seconds,
            }
            for batch, points, path in zip(asked.batches, mapped.paths, paths, strict=True)
        ],
        "across": mapped.across,
        "up": mapped.up,
        "costs": mapped.costs,
    }

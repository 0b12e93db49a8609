"""The application: static files, endpoints and error handlers."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

import manualgrad
from manualgrad.teaching.play.answer import Answer
from manualgrad.teaching.play.endpoints import average, chain, formula, images, look, map, network, step, train, wishes
from manualgrad.teaching.play.faults import Fault, sentence
from manualgrad.teaching.play.guards import Guards
from manualgrad.teaching.play.lesson import Lesson
from manualgrad.teaching.play.tabs import Tabs

__all__ = ["PAGE", "make_app"]

PAGE = Path(__file__).parent / "page"
_THREADS = 16  # requests processed at once; the others wait
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2"}


def make_app(lesson: Lesson, host: str, port: int) -> ASGIApp:
    """Create the server's application, wrapped in `Guards`.

    Args:
        host, port: the address that the server listens on; requests must name it.
    """
    for ending, kind in _TYPES.items():  # overrides the machine's own table
        mimetypes.add_type(kind, ending)
    app = FastAPI(
        title="manualgrad play",
        version=manualgrad.__version__,
        docs_url=None,  # these pages load scripts from other hosts
        redoc_url=None,
        openapi_url="/api/openapi.json",
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},  # nothing leaves the machine
        lifespan=_lifespan,
    )
    app.state.lesson, app.state.tabs = lesson, Tabs(lesson.parameters)
    for endpoint in (network, look, wishes, step, average, images, train, map, chain, formula):
        app.include_router(endpoint.router)

    @app.get("/", include_in_schema=False)
    def index() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    app.mount("/page", StaticFiles(directory=PAGE))
    app.add_exception_handler(Fault, _fault)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _failed)
    return Guards(app, host, port)


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield


def _fault(_: Request, fault: Any) -> Answer:
    return Answer({"error": fault.text}, fault.status)


def _invalid(_: Request, error: Any) -> Answer:
    return Answer({"error": sentence(error.errors())}, 422)


def _http(request: Request, error: Any) -> Answer:
    return Answer({"error": f"{request.method} {request.url.path}: {error.detail}."}, error.status_code, error.headers)


def _failed(_: Request, error: Any) -> Answer:
    return Answer({"error": f"The server failed ({type(error).__name__}); see the traceback in its terminal."}, 500)

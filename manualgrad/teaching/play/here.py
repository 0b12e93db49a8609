"""Dependencies of the endpoints: the lesson, all tabs, and the tab that sent the request."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Header, Request

from manualgrad.teaching.play.faults import Fault
from manualgrad.teaching.play.lesson import Lesson
from manualgrad.teaching.play.tabs import Tab, Tabs

__all__ = ["AllTabs", "TheLesson", "TheTab"]


def _lesson(request: Request) -> Any:
    return request.app.state.lesson


def _tabs(request: Request) -> Any:
    return request.app.state.tabs


TheLesson = Annotated[Lesson, Depends(_lesson)]
AllTabs = Annotated[Tabs, Depends(_tabs)]


def _tab(tabs: AllTabs, x_tab: Annotated[str | None, Header(max_length=64)] = None) -> Tab:
    if x_tab is None:
        raise Fault(400, "The header X-Tab is missing: POST /api/tabs returns its value.")
    return tabs.get(x_tab)


TheTab = Annotated[Tab, Depends(_tab)]

"""The tab's network: its parameters and accuracy, reset and undo."""

from __future__ import annotations

from typing import Any

import torch
from fastapi import APIRouter
from torch import Tensor
from torch.nn import Linear, Sequential

import manualgrad
from manualgrad.teaching.play.answer import Answer
from manualgrad.teaching.play.faults import Fault
from manualgrad.teaching.play.here import AllTabs, TheLesson, TheTab
from manualgrad.teaching.play.history import LIMITS, replay
from manualgrad.teaching.play.lesson import Lesson, activations_of, sizes_of
from manualgrad.teaching.play.measure import measured
from manualgrad.teaching.play.requests import Fields, StartFields
from manualgrad.teaching.play.tabs import Tab

__all__ = ["parameters", "router"]

router = APIRouter(prefix="/api")


@router.get("/about")
def about(lesson: TheLesson) -> Answer:
    """Describe the server: its version, network, data and limits."""
    model, name = lesson.network("trained" if lesson.run is None else "run")
    return Answer(
        {
            "version": manualgrad.__version__,
            "name": name,
            "sizes": sizes_of(model),
            "activations": activations_of(model),
            "train": len(lesson.training),
            "test": len(lesson.test),
            "accuracy": measured(model, lesson)["accuracy"],
            "starts": lesson.starts,
            "history": LIMITS,
        }
    )


@router.post("/tabs")
def open_tab(start: StartFields, lesson: TheLesson, tabs: AllTabs) -> Answer:
    """Open a tab with a new network."""
    tab = _started(start, lesson)
    return Answer({"tab": tabs.add(tab), **_whole(tab, lesson)})


@router.post("/reset")
def reset(start: StartFields, tab: TheTab, lesson: TheLesson) -> Answer:
    """Reset the tab to the given start."""
    started = _started(start, lesson)
    with tab.lock:
        tab.become(started)
        return Answer(_whole(tab, lesson))


@router.post("/undo")
def undo(_: Fields, tab: TheTab, lesson: TheLesson) -> Answer:
    """Undo the last change of the network."""
    with tab.lock:
        tab.undo()
        return Answer(_now(tab, lesson))


@router.get("/network")
def network(tab: TheTab, lesson: TheLesson) -> Answer:
    """Return the current network."""
    with tab.lock:
        return Answer(_now(tab, lesson))


def _started(start: StartFields, lesson: Lesson) -> Tab:
    if start.start not in lesson.starts:
        raise Fault(422, "start must be 'trained' or 'random' (the server was started without --checkpoint), got 'run'.")
    model, name = lesson.network(start.start, start.seed)
    tab = Tab(name, model)
    replay(tab, start, lesson)
    return tab


def _whole(tab: Tab, lesson: Lesson) -> dict[str, Any]:
    return {"name": tab.name, "sizes": sizes_of(tab.model), "activations": activations_of(tab.model), **_now(tab, lesson)}


def _now(tab: Tab, lesson: Lesson) -> dict[str, Any]:
    return {
        "steps": tab.steps,
        "undo": tab.undoable,
        **measured(tab.model, lesson),
        "network": parameters(tab.model),
    }


def parameters(model: Sequential) -> dict[str, list[Tensor]]:
    """Return W and b of each layer."""
    linear = [layer for layer in model if isinstance(layer, Linear)]
    return {"W": [layer.weight for layer in linear], "b": [torch.as_tensor(layer.bias) for layer in linear]}

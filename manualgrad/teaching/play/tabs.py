"""The networks of the browser's tabs: each its own, bounded in number, dropped when none asks for them."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from torch.nn import Sequential

from manualgrad.teaching.play.faults import Fault

__all__ = ["DEEP", "IDLE", "Tab", "Tabs"]

DEEP = 20  # changes that can be undone
IDLE = 30 * 60.0  # seconds
_MOST = 64
_MEMORY = 256 * 2**20  # bytes of parameters, in all tabs


class Tab:
    """A network, and what it was before its last changes.

    The networks themselves never change: a change, made with the lock held, puts another in the place of the last. So whoever
    only looks takes `model` once, and waits for nobody.

    Attributes:
        model: in float64.
        steps: how many were taken since the start.
    """

    def __init__(self, name: str, model: Sequential) -> None:
        self.lock = threading.Lock()
        self.name, self.model, self.steps = name, model, 0
        self._before: deque[tuple[Sequential, int]] = deque(maxlen=DEEP)
        self._stretch: Hashable = None

    def become(self, other: Tab) -> None:
        """Take over another's network and history."""
        self.name, self.model, self.steps = other.name, other.model, other.steps
        self._before, self._stretch = other._before, other._stretch

    @property
    def undoable(self) -> int:
        """How many changes can be undone."""
        return len(self._before)

    def change(self, model: Sequential, steps: int, stretch: Hashable = None) -> None:
        """Take the model in the place of the last.

        Args:
            stretch: changes in a row of the same stretch, as live training makes them by the hundred, are undone as one.
        """
        if stretch is None or stretch != self._stretch:
            self._before.append((self.model, self.steps))
        self._stretch = stretch
        self.model, self.steps = model, self.steps + steps

    def undo(self) -> None:
        """Take the last change back, bit for bit."""
        if not self._before:
            raise Fault(409, f"There is nothing to undo: no change was made, or the last {DEEP} are undone.")
        self.model, self.steps = self._before.pop()
        self._stretch = None


class Tabs:
    """All tabs, by their names; when one too many comes, the one that was used longest ago is dropped.

    Args:
        parameters: of the largest network that a tab can have.
        clock: in seconds.
    """

    def __init__(self, parameters: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = max(4, min(_MOST, _MEMORY // (8 * parameters * (DEEP + 2))))
        self._clock = clock
        self._lock = threading.Lock()
        self._tabs: OrderedDict[str, tuple[Tab, float]] = OrderedDict()  # used longest ago first

    def __len__(self) -> int:
        return len(self._tabs)

    def add(self, tab: Tab) -> str:
        """Keep the tab; returns its name, which cannot be guessed."""
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._drop_idle()
            self._tabs[name] = tab, self._clock()
            while len(self._tabs) > self.most:
                self._tabs.popitem(last=False)
        return name

    def get(self, name: str) -> Tab:
        """The tab, used now.

        Raises:
            Fault: 404, when there is none of this name.
        """
        with self._lock:
            self._drop_idle()
            if name not in self._tabs:
                raise Fault(404, "X-Tab names no tab that is there: one that is not used for half an hour is dropped.")
            tab, _ = self._tabs[name]
            self._tabs[name] = tab, self._clock()
            self._tabs.move_to_end(name)
        return tab

    def _drop_idle(self) -> None:
        now = self._clock()
        while self._tabs:
            name, (_, used) = next(iter(self._tabs.items()))
            if now - used < IDLE:
                return
            del self._tabs[name]

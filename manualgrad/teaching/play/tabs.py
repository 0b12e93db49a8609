"""The networks of the browser's tabs: one per tab, limited in number, dropped when idle."""

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
_MEMORY = 256 * 2**20  # bytes of parameters in all tabs


class Tab:
    """A network, and its versions before the last changes.

    Networks are never modified in place: a change, made while holding the lock, replaces the network. A reader therefore takes
    `model` once and does not need the lock.

    Attributes:
        model: the network, in float64.
        steps: number of steps since the start.
    """

    def __init__(self, name: str, model: Sequential) -> None:
        self.lock = threading.Lock()
        self.name, self.model, self.steps = name, model, 0
        self._before: deque[tuple[Sequential, int]] = deque(maxlen=DEEP)
        self._stretch: Hashable = None

    def become(self, other: Tab) -> None:
        """Take over the network and the history of another tab."""
        self.name, self.model, self.steps = other.name, other.model, other.steps
        self._before, self._stretch = other._before, other._stretch

    @property
    def undoable(self) -> int:
        """Return how many changes can be undone."""
        return len(self._before)

    def change(self, model: Sequential, steps: int, stretch: Hashable = None) -> None:
        """Replace the model.

        Args:
            stretch: consecutive changes with the same stretch, such as live training's, are undone as one.
        """
        if stretch is None or stretch != self._stretch:
            self._before.append((self.model, self.steps))
        self._stretch = stretch
        self.model, self.steps = model, self.steps + steps

    def undo(self) -> None:
        """Undo the last change, bit for bit."""
        if not self._before:
            raise Fault(409, f"There is nothing to undo: no change was made, or the last {DEEP} have been undone.")
        self.model, self.steps = self._before.pop()
        self._stretch = None


class Tabs:
    """All tabs by name; above the limit, the least recently used tab is dropped.

    Args:
        parameters: number of parameters of the largest network that a tab can have.
        clock: returns the time in seconds.
    """

    def __init__(self, parameters: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.most = max(4, min(_MOST, _MEMORY // (8 * parameters * (DEEP + 2))))
        self._clock = clock
        self._lock = threading.Lock()
        self._tabs: OrderedDict[str, tuple[Tab, float]] = OrderedDict()  # least recently used first

    def __len__(self) -> int:
        return len(self._tabs)

    def add(self, tab: Tab) -> str:
        """Add the tab and return its name, which cannot be guessed."""
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._drop_idle()
            self._tabs[name] = tab, self._clock()
            while len(self._tabs) > self.most:
                self._tabs.popitem(last=False)
        return name

    def get(self, name: str) -> Tab:
        """Return the tab, and mark it as used.

        Raises:
            Fault: 404, if no tab has this name.
        """
        with self._lock:
            self._drop_idle()
            if name not in self._tabs:
                raise Fault(404, "X-Tab does not name an open tab: tabs that are not used for half an hour are dropped.")
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

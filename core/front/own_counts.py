"""Counters of one process: how often something was done in a while."""

import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

MOST_KEPT = 50_000
"""The number of counts that a process keeps, so that nobody can fill its memory."""

LEFT = MOST_KEPT * 9 // 10
"""The number of counts that stay at most when there are more than that."""


class Window(NamedTuple):
    """What is counted: at most ``amount`` under the key, in ``seconds`` since the first one."""

    key: str
    amount: int
    seconds: int


class Full(NamedTuple):
    """The place in the list of the window that is full, and the seconds until it is over."""

    place: int
    seconds: int


class OwnCounts:
    """The counts of this process alone. Threads can share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}

    def take(self, windows: Sequence[Window]) -> Full | None:
        """Take a place in each window, or none in any if one is full, which is returned."""
        now = time.monotonic()
        with self._lock:
            for index, window in enumerate(windows):
                count, end = self._read(window, now)
                if count >= window.amount:
                    return Full(index, max(round(end - now), 1))
            for window in windows:
                count, end = self._read(window, now)
                self._counts[window.key] = count + 1, end
            self._drop(now)
        return None

    def _read(self, window: Window, now: float) -> tuple[int, float]:
        count, end = self._counts.get(window.key, (0, 0.0))
        return (count, end) if end > now else (0, now + window.seconds)

    def _drop(self, now: float) -> None:
        """Drop what has ended, and the oldest of the rest.

        There is room for thousands then. Whoever fills all of it would otherwise have each request
        of others look at all counts.
        """
        if len(self._counts) > MOST_KEPT:
            lasting = [(key, kept) for key, kept in self._counts.items() if kept[1] > now]
            self._counts = dict(lasting[-LEFT:])

"""The wake-ups that the sweep of this process has sent, and how long each may go unanswered.

Redis says which wake-ups are under way, and so holds others back. But whoever can write to Redis
could say so for ever. The age of a task's oldest due call is known from the database, and when this
process last woke the task it knows itself. From these follows when it wakes the task all the same.
"""

import time
from typing import NamedTuple

from aftercommit.outbox.turns import MAX_UNANSWERED, Target, hold_seconds


class WakeUp(NamedTuple):
    """The last wake-up of a task by this process."""

    sent: float
    """By the monotonic clock."""

    unanswered: int
    """The number of those in a row, this one included, that the task's oldest call has outlived."""


class OwnWakeUps:
    """The last wake-up of each task by this process."""

    def __init__(self) -> None:
        self._last: dict[Target, WakeUp] = {}

    def is_overdue(self, target: Target, age: float) -> bool:
        """Return whether the task is to be woken whatever Redis says.

        ``age`` is for how many seconds its oldest call has been due.
        """
        last = self._unanswered(target, age)
        if last is None:
            return age >= hold_seconds(0)
        return time.monotonic() - last.sent >= hold_seconds(last.unanswered)

    def note(self, target: Target, age: float) -> None:
        """Note that the task is woken now."""
        last = self._unanswered(target, age)
        count = min(last.unanswered + 1, MAX_UNANSWERED) if last else 1
        self._last[target] = WakeUp(time.monotonic(), count)

    def _unanswered(self, target: Target, age: float) -> WakeUp | None:
        """Return the last wake-up, unless all calls that were due then have ended since."""
        last = self._last.get(target)
        return last if last and age >= time.monotonic() - last.sent else None

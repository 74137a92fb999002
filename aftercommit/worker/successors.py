"""Tell which workers that went without a word have a successor, so that nobody misses them.

In a container a worker has another name each time that its container is made anew. The row of one
that was killed would be missed for a day, though the worker that came instead has long done its
work.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Life(NamedTuple):
    """A worker's life. The times are in seconds before now."""

    name: str
    first_seen: float
    last_seen: float
    has_ended: bool
    """Whether it was stopped in good order."""

    @property
    def role(self) -> str:
        """Return the part of the name that workers of one kind share: ``mail`` of ``mail@host``."""
        return self.name.partition("@")[0]

    def is_gone(self, stale: float) -> bool:
        """Return whether the worker ended, or was silent for longer than the ``stale`` seconds."""
        return self.has_ended or self.last_seen > stale


def not_replaced(lives: Sequence[Life], stale: float) -> list[Life]:
    """Return the workers that were not stopped, without those that have a successor."""
    return [life for life in lives if not life.has_ended and not has_successor(life, lives, stale)]


def has_successor(life: Life, lives: Sequence[Life], stale: float) -> bool:
    """Return whether as many workers of the role came as went, since this one was seen last.

    A worker that starts again under its old name has not come: its place was not another's.
    """
    peers = [each for each in lives if each.role == life.role]
    went = sum(
        each.is_gone(stale) and each.last_seen <= life.last_seen <= each.first_seen
        for each in peers
    )
    came = sum(not each.is_gone(stale) and each.first_seen < life.last_seen for each in peers)
    return life.is_gone(stale) and came >= went

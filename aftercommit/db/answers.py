"""Name what the outbox's operations return."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS = ("id", "task", "payload", "context", "attempts", "crashes", "created_at")
"""The columns of a call that a worker loads."""

Row = Sequence[Any]
"""A call's values of ``COLUMNS``."""

Position = tuple[Any, int]
"""A call's place in the order of claims: when the call is due, and its id."""


@dataclass(frozen=True)
class Claimed:
    """The ids of the calls that a claim journaled, and how many due calls the claim locked."""

    ids: Sequence[int]
    locked: int


@dataclass(frozen=True)
class Exchanged:
    """The result of settling one leased call and leasing the next with the same commit."""

    settled: bool
    """True if the call before was still this process's to settle."""

    row: Row | None = None
    """The call that was leased, if one was due."""

    more: bool = False
    """True if another call is due."""


@dataclass(frozen=True)
class Settled:
    """The result of a task's statement."""

    calls: int
    """The number of calls that the statement settled."""

    more: bool
    """True if other calls can be due."""

    last: Position
    """The place of the last of these calls. The next statement looks behind it."""

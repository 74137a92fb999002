"""The outcome of a call that failed: what its row and the log say of it."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now

from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxCall
from aftercommit.worker.dead_letters import bury
from aftercommit.worker.retry_policy import NextStep


@dataclass(frozen=True)
class Outcome:
    """What is recorded of a call that failed."""

    next_step: NextStep
    when: datetime | float
    """The time of the next attempt, or the seconds until then."""

    text: str
    summary: str
    """The error in one line."""

    expected: bool
    """Whether the task names the error in ``throws``."""

    payload: str | None = None
    """The arguments of the next attempt, if they are others."""

    @property
    def status(self) -> OutboxCall.Status:
        """Return the status that the row gets."""
        dead = self.next_step is NextStep.DEAD
        return OutboxCall.Status.DEAD if dead else OutboxCall.Status.PENDING

    @property
    def level(self) -> int:
        """Return the level of the log. A dead letter of an expected error is only information."""
        if self.next_step is not NextStep.DEAD:
            return logging.WARNING
        return logging.INFO if self.expected else logging.ERROR

    @property
    def fate(self) -> str:
        """Return what the log says of the attempt."""
        if self.next_step is NextStep.DEAD:
            return "failed, it is a dead letter now"
        counted = "failed" if self.next_step is NextStep.RETRY else "not counted"
        when = self.when
        at = f"at {when.isoformat()}" if isinstance(when, datetime) else f"in {when:.6g} s"
        return f"{counted}, the next is {at}"

    def write(self, rows: QuerySet[OutboxCall]) -> int:
        """Write the outcome into the row. Return 0 if another process has taken the row, else 1."""
        if self.next_step is NextStep.DEAD:
            return bury(rows, self.text, attempts=F("attempts") + 1)
        changed: dict[str, Any] = {} if self.payload is None else {"payload": self.payload}
        if self.next_step is NextStep.RETRY:  # The function ran, so that the call fits this code.
            changed["misfit_since"] = None
        return rows.update(
            status=OutboxCall.Status.PENDING,
            attempts=F("attempts") + int(self.next_step is NextStep.RETRY),
            available_at=self._next_time(rows.db),
            failing_since=Coalesce(F("failing_since"), Now()),
            error=self.text,
            lease=None,
            **changed,
        )

    def _next_time(self, using: str) -> Any:
        """Return the time of the next attempt, as the database has times."""
        if isinstance(self.when, datetime):
            return outbox_ops(connections[using]).as_stored(self.when)
        return _from_now(self.when)


def _from_now(seconds: float) -> Any:
    # SQLite compares times as texts, and writes a sum with more digits than Now(). A sum with zero
    # seconds would count as later than the same time.
    return Now() + timedelta(seconds=seconds) if seconds else Now()

"""Leases: how calls with effects outside the database are run, and how they end.

A row keeps the lease that it had last until another begins: whoever ran the call under it can say
how it ended, also after the lease, as long as nobody else has begun the call.
"""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.db import connections
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from aftercommit.call import Call
from aftercommit.db.answers import COLUMNS, Row
from aftercommit.db.operations import OutboxOperations
from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxCall
from aftercommit.outbox.options import Options
from aftercommit.outbox.task import find_task
from aftercommit.worker import deferred_writes
from aftercommit.worker.announced_tasks import is_announced
from aftercommit.worker.idle import limit_idle_session
from aftercommit.worker.loading import rows_of
from aftercommit.worker.lost_calls import end_lost_calls
from aftercommit.worker.rows import change_free

LOST = (
    "Its lease ended and nobody marked it: the process that ran it was lost, "
    "or took longer than the lease."
)


Taken = tuple[Call | None, bool]
"""The call that was leased, if any was due, and whether more are."""


@dataclass
class Lease:
    """A lease of the task's oldest due call. ``done``, which ran before it, ends as it begins.

    Its id is chosen here: a call that was leased while the database's answer was lost is known by
    it.
    """

    using: str
    task: str
    seconds: float
    done: Call | None = None
    id: UUID = field(default_factory=uuid4)
    tried: bool = field(default=False, init=False)
    """Whether a server was asked for it, and may have leased a call unheard."""
    asked: float = field(default=0, init=False)
    """When a server was last asked, by this process's clock."""

    def take(self) -> Taken:
        """Settle ``done`` and lease the next call, with one commit.

        May be called again after the database failed: what it then had done is not done twice.
        """
        connections[self.using].ensure_connection()
        limit_idle_session(self.using)
        again, self.tried, self.asked = self.tried, True, time.monotonic()
        if self.done is not None:
            settled, taken = self._exchange(self.done)
            if settled:
                return taken
        # Another process has settled it, its lease being over, or this one has, unheard.
        if again and (call := self._find()):
            return call, True
        return self._exchange(None)[1]

    def finish(self) -> bool:
        """Settle ``done``, which did run, and let go of what was leased unheard, which didn't.

        Return False if nothing was leased yet: the server may be about to.
        """
        if self.done is not None:
            rows_of(self.done)._raw_delete(self.using)
        if not self.tried:
            return True
        released = self._rows().update(
            status=OutboxCall.Status.PENDING, lease=None, available_at=Now()
        )
        return bool(released) or time.monotonic() - self.asked >= deferred_writes.IN_FLIGHT_SECONDS

    def _exchange(self, done: Call | None) -> tuple[bool, Taken]:
        """Return whether ``done`` was this process's to settle, and the next call if it was.

        So a statement that the server still runs, or runs late, after its connection broke, leases
        nothing beside the one that is sent in its place. Only the first of a drain may: it has no
        ``done``, and what it leased unheard then waits for the end of the lease.
        """
        ended = (done.pk, done.lease) if done and done.lease else None
        result = self._ops.exchange_lease(self.task, self.id, self.seconds, ended)
        call = self._load(result.row) if result.row else None
        return result.settled, (call, result.more)

    def _find(self) -> Call | None:
        """Return the call that has this lease, which begins anew."""
        if not self._ops.begin_lease(self._rows(), self.id, self.seconds):
            return None
        (row,) = self._rows().values_list(*COLUMNS)
        return self._load(row)

    @property
    def _ops(self) -> OutboxOperations:
        return outbox_ops(connections[self.using])

    def _load(self, row: Row) -> Call:
        call = Call(self.using, *row)
        call.lease = self.id
        return call

    def _rows(self) -> QuerySet[OutboxCall]:
        """Return the rows with this lease, by an index: running, or uncertain if it is over."""
        status = OutboxCall.Status
        return OutboxCall.objects.using(self.using).filter(
            status__in=(status.RUNNING, status.UNCERTAIN), lease=self.id
        )


@dataclass(frozen=True)
class Ended:
    """How a leased call ended, which its process knows. ``mark`` writes it."""

    call: Call
    error: BaseException | None
    mark: Callable[[Call, BaseException | None], object]

    @property
    def using(self) -> str:
        """Return the database's alias."""
        return self.call.using

    @property
    def task(self) -> str:
        """Return the name of the call's task."""
        return self.call.task

    def finish(self) -> bool:
        """Settle the call as it ended, unless somebody else has begun it since."""
        self.mark(self.call, self.error)
        return True

    def keep(self) -> None:
        """Keep this until the database can be told, without what the call had in its variables."""
        error = self.error
        while error is not None:
            traceback.clear_frames(error.__traceback__)
            error = error.__cause__ or error.__context__
        deferred_writes.defer(self)


def take_back_attempt(call: Call) -> None:
    """Take back the attempt that was counted when the call's lease ended: its run is known now."""
    rows_of(call).filter(attempts__gt=call.attempts).update(attempts=call.attempts)


def expire_leases(using: str) -> int:
    """Settle the calls whose lease ended: to be run again, or uncertain, as their task says.

    Return how many became dead letters. Calls of a task that only other workers have are left to
    them, since they know what the task says.
    """
    ended = OutboxCall.objects.using(using).filter(
        status=OutboxCall.Status.RUNNING, available_at__lte=Now()
    )
    dead = 0
    for name in list(ended.order_by().values_list("task", flat=True).distinct()):
        rows = ended.filter(task=name)
        if find_task(name) or not is_announced(using, name):
            dead += _expire(rows, find_task(name))
    return dead


def _expire(rows: QuerySet[OutboxCall], task: Any) -> int:
    status, options = OutboxCall.Status, Options.of(task) if task else None
    if options is None or not options.reject_on_worker_lost:
        change_free(rows, lambda free: _end(free, status.UNCERTAIN))
        return 0
    dead = 0
    if options.max_retries is not None:
        spent = rows.filter(attempts__gte=options.max_retries)
        dead = change_free(spent, lambda free: _end(free, status.DEAD))
        rows = rows.filter(attempts__lt=options.max_retries)
    change_free(
        rows,
        lambda free: free.update(
            status=status.PENDING, attempts=F("attempts") + 1, available_at=Now(), error=LOST
        ),
    )
    return dead


def _end(rows: QuerySet[OutboxCall], status: OutboxCall.Status) -> int:
    return end_lost_calls(rows, lambda free: free.update(status=status, error=LOST), LOST, status)

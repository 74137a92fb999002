"""Leases: a call with effects outside the database runs outside any transaction, under a lease.

A row keeps its last lease until another begins. So the process that ran the call can say how the
call ended, also after the lease, as long as no other process has begun the call.
"""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from django.db import connections
from django.db.models import QuerySet
from django.db.models.functions import Now

from aftercommit.call import Call
from aftercommit.db.answers import COLUMNS, Row
from aftercommit.db.operations import OutboxOperations
from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxCall
from aftercommit.worker import deferred_writes
from aftercommit.worker.idle import limit_idle_session
from aftercommit.worker.loading import rows_of

Taken = tuple[Call | None, bool]
"""The call that was leased, if any was due, and whether other calls are due."""


@dataclass
class Lease:
    """A lease of the task's oldest due call. It also settles ``done``, the call that ran before.

    The process chooses the lease's id. If the database's answer is lost, the process finds the call
    that was leased by this id.
    """

    using: str
    task: str
    seconds: float
    done: Call | None = None
    id: UUID = field(default_factory=uuid4)
    tried: bool = field(default=False, init=False)
    """Whether a server was asked. It may have leased a call, though the answer was lost."""
    asked: float = field(default=0, init=False)
    """The time when a server was last asked, by this process's clock."""

    def take(self) -> Taken:
        """Settle ``done`` and lease the next call, with one commit.

        Can be called again after the database failed. What the database had done is not done twice.
        """
        connections[self.using].ensure_connection()
        limit_idle_session(self.using)
        again, self.tried, self.asked = self.tried, True, time.monotonic()
        if self.done is not None:
            settled, taken = self._exchange(self.done)
            if settled:
                return taken
        # Another process has settled ``done``, whose lease was over. Or this process has, and the
        # answer was lost.
        if again and (call := self._find()):
            return call, True
        return self._exchange(None)[1]

    def finish(self) -> bool:
        """Settle ``done``, which ran, and release the call that was leased, which didn't run.

        Return False if nothing was leased yet, and the server may still be about to do that.
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
        """Return whether ``done`` was this process's to settle and, if it was, the next call.

        A server can run a statement late, after its connection broke. Such a statement must lease
        nothing beside the statement that was sent in its place. It finds no row of ``done`` to
        settle, and so leases nothing. Only a drain's first statement, which has no ``done``, can
        lease a call that nobody runs. That call waits for the end of the lease.
        """
        ended = (done.pk, done.lease) if done and done.lease else None
        result = self._ops.exchange_lease(self.task, self.id, self.seconds, ended)
        call = self._load(result.row) if result.row else None
        return result.settled, (call, result.more)

    def _find(self) -> Call | None:
        """Begin this lease anew, and return the call that has it. Return None if no call has it."""
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
        """Return the rows with this lease. The two statuses are there for the index."""
        status = OutboxCall.Status
        return OutboxCall.objects.using(self.using).filter(
            status__in=(status.RUNNING, status.UNCERTAIN), lease=self.id
        )


@dataclass(frozen=True)
class Ended:
    """The end of a leased call, as its process knows it. ``mark`` writes it into the database."""

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
        """Keep this until the database can be told, without the variables of the call's frames."""
        error, seen = self.error, set[int]()
        while error is not None and id(error) not in seen:  # "raise error from error" is a circle
            seen.add(id(error))
            traceback.clear_frames(error.__traceback__)
            error = error.__cause__ or error.__context__
        deferred_writes.defer(self)


def take_back_attempt(call: Call) -> None:
    """Take back the attempt that was counted when the call's lease ended.

    The process that ran the call says now how the call ended.
    """
    rows_of(call).filter(attempts__gt=call.attempts).update(attempts=call.attempts)

"""Claiming: which calls a drain runs next, and a journal of it that outlives the process."""

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import connections
from django.db.models import QuerySet

from aftercommit.call import Call
from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.outbox.ids import new_id
from aftercommit.worker import deferred_writes
from aftercommit.worker.crashes import clear_crash
from aftercommit.worker.idle import idle_seconds, is_nested, limit_idle_session


@dataclass(frozen=True)
class Batch:
    """The ids of calls that were due together, and the id of their journal row.

    ``more`` says whether there may be others that are due.
    """

    using: str
    task: str
    ids: Sequence[int]
    journal: int
    more: bool = False

    def lock(self) -> list[Call]:
        """Return its calls that are still pending, locked until the transaction ends, in order."""
        ops = outbox_ops(connections[self.using])
        idle = None if is_nested(self.using) else idle_seconds(self.task)
        rows = ops.begin_batch(self.task, self.ids, self.journal, idle)
        if rows is None:
            if not clear_crash(self.using, self.journal, self.ids):
                # Others have some of the calls, with the crash that was counted.
                deferred_writes.defer(self)
            rows = ops.lock_batch(self.task, self.ids)
        return [Call(self.using, *row) for row in rows]

    def finish(self) -> bool:
        """Delete the journal: the calls are settled, or this process runs them no more.

        If a sweep took the process for dead, the crash that it counted is taken back. Return False
        if that has to be done again, for calls that others have locked.
        """
        return delete_journal(self.using, self.journal) or clear_crash(
            self.using, self.journal, self.ids
        )


@dataclass(frozen=True)
class Unheard:
    """A claim whose answer was lost: the server may have journaled a batch that nobody runs."""

    using: str
    task: str
    journal: int
    asked: float = field(default_factory=time.monotonic)

    def finish(self) -> bool:
        """Delete the journal, if there is one.

        Return False if there is none yet: the server may be about to write it. Once it is too late
        for that, a crash is taken back that a sweep counted before this process could delete it.
        """
        if delete_journal(self.using, self.journal):
            return True
        is_late = time.monotonic() - self.asked >= deferred_writes.IN_FLIGHT_SECONDS
        return is_late and clear_crash(self.using, self.journal)


def delete_journal(using: str, journal: int) -> bool:
    """Delete a batch's journal; return whether it was there."""
    return bool(OutboxBatch.objects.using(using).filter(pk=journal)._raw_delete(using))


def claim_batch(using: str, task: str, size: int) -> Batch | None:
    """Return the oldest due calls of the task that nobody else has locked; None without any.

    A call that was in a process that died comes alone, so that it takes no other down with it.
    """
    connections[using].ensure_connection()  # a server that isn't reached journals nothing
    limit_idle_session(using)
    journal = new_id()
    ops = outbox_ops(connections[using])
    size = min(size, ops.largest_batch or size)
    with deferred_writes.deferred_on_error(Unheard(using, task, journal)):
        claimed = ops.claim(task, size, journal, _worker())
    if claimed is None:
        return None
    more = claimed.locked == size or claimed.locked > len(claimed.ids)
    return Batch(using, task, claimed.ids, journal, more)


def journal_batch(using: str, task: str, ids: Sequence[int]) -> Batch:
    """Return a batch of these calls, with its journal written."""
    batch = Batch(using, task, ids, new_id())
    with deferred_writes.deferred_on_error(batch):
        return _write_journal(batch)


def _write_journal(batch: Batch) -> Batch:
    OutboxBatch.objects.using(batch.using).create(
        pk=batch.journal, task=batch.task, calls=list(batch.ids), worker=_worker()
    )
    return batch


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def due_calls(using: str, task: str) -> QuerySet[OutboxCall]:
    """Return the task's calls that are due, oldest first, in the order of their index."""
    return outbox_ops(connections[using]).due_calls(task)

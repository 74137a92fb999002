"""Batches: calls that run in one transaction, and a journal that outlives their process."""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connections

from aftercommit.call import Call
from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxBatch
from aftercommit.outbox.ids import new_id
from aftercommit.worker import deferred_writes
from aftercommit.worker.crashes import clear_crash
from aftercommit.worker.idle import idle_seconds, is_nested


@dataclass(frozen=True)
class Batch:
    """The ids of calls that were due together, and the id of their journal's row.

    ``more`` says whether other calls may be due.
    """

    using: str
    task: str
    ids: Sequence[int]
    journal: int
    more: bool = False

    def lock(self) -> list[Call]:
        """Lock the calls that are still pending until the transaction ends, and return them.

        The journal is deleted in the same transaction. If a sweep has taken the journal, because it
        took this process for dead, the crashes that it counted are taken back.
        """
        ops = outbox_ops(connections[self.using])
        idle = None if is_nested(self.using) else idle_seconds(self.task)
        rows = ops.begin_batch(self.task, self.ids, self.journal, idle)
        if rows is None:
            if not clear_crash(self.using, self.journal, self.ids):
                # Other processes have locked some of the calls whose crash was counted.
                deferred_writes.defer(self)
            rows = ops.lock_batch(self.task, self.ids)
        return [Call(self.using, *row) for row in rows]

    def finish(self) -> bool:
        """Delete the journal, because this process no longer runs the calls.

        If a sweep took this process for dead, the crashes that it counted are taken back. Return
        False if that must be done again, for calls that other processes have locked.
        """
        return delete_journal(self.using, self.journal) or clear_crash(
            self.using, self.journal, self.ids
        )


def journal_batch(using: str, task: str, ids: Sequence[int]) -> Batch:
    """Return a batch of these calls, with its journal written."""
    batch = Batch(using, task, ids, new_id())
    with deferred_writes.deferred_on_error(batch):
        OutboxBatch.objects.using(using).create(
            pk=batch.journal, task=task, calls=list(ids), worker=process_name()
        )
    return batch


def delete_journal(using: str, journal: int) -> bool:
    """Delete a batch's journal. Return whether it was there."""
    return bool(OutboxBatch.objects.using(using).filter(pk=journal)._raw_delete(using))


def process_name() -> str:
    """Return the name by which journals know this process: its host and its id."""
    return f"{socket.gethostname()}:{os.getpid()}"

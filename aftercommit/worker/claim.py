"""Claiming: choose the calls that a drain runs next, and journal them."""

import time
from dataclasses import dataclass, field

from django.db import connections

from aftercommit.db.vendors import outbox_ops
from aftercommit.outbox.ids import new_id
from aftercommit.worker import deferred_writes
from aftercommit.worker.batch import Batch, delete_journal, process_name
from aftercommit.worker.crashes import clear_crash
from aftercommit.worker.idle import limit_idle_session


def claim_batch(using: str, task: str, size: int) -> Batch | None:
    """Journal the oldest due calls of the task that nobody else has locked. None without any.

    A call that was in a process that died comes alone, so that it takes no other call down with it.
    """
    connections[using].ensure_connection()  # a server that isn't reached journals nothing
    limit_idle_session(using)
    ops, journal = outbox_ops(connections[using]), new_id()
    size = min(size, ops.largest_batch or size)
    with deferred_writes.deferred_on_error(UnansweredClaim(using, task, journal)):
        claimed = ops.claim(task, size, journal, process_name())
    if claimed is None:
        return None
    more = claimed.locked == size or claimed.locked > len(claimed.ids)
    return Batch(using, task, claimed.ids, journal, more)


@dataclass(frozen=True)
class UnansweredClaim:
    """A claim whose answer was lost. The server may have journaled a batch that nobody runs."""

    using: str
    task: str
    journal: int
    asked: float = field(default_factory=time.monotonic)

    def finish(self) -> bool:
        """Delete the journal, if there is one.

        Return False if there is none yet, since the server may be about to write it. Once it is too
        late for that, crashes are taken back that a sweep counted before the journal was deleted.
        """
        if delete_journal(self.using, self.journal):
            return True
        is_late = time.monotonic() - self.asked >= deferred_writes.IN_FLIGHT_SECONDS
        return is_late and clear_crash(self.using, self.journal)

"""Claiming: which calls a drain runs next, and a journal of it that outlives the process."""

import json
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from django.db import connections, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.outbox.call import Call, new_id
from aftercommit.worker import deferred_writes
from aftercommit.worker.crashes import clear_crash
from aftercommit.worker.idle import (
    as_milliseconds,
    idle_seconds,
    is_nested,
    limit_idle,
    limit_idle_session,
)
from aftercommit.worker.loading import load_call, load_calls
from aftercommit.worker.rows import lock_rows

# A batch without SKIP LOCKED holds up every other writer while it runs.
SHORT_BATCH = 50

# The same as the ORM does below, in one round trip each: with a light load these are most of the
# way from a commit to its effect. Neither waits for the disk. What isn't on it when the server
# crashes is lost altogether, a batch's effects with its settlement, and then it runs again.
#
# The planner believes what autovacuum saw last: an outbox that was nearly empty, whose indexes were
# not. It would read a backlog that has come since as a whole, and sort it, for each batch. A limit
# that it doesn't know makes it read outbox_pending in its order.
CLAIM = """
    WITH due AS (
        SELECT id, available_at, crashes FROM aftercommit_outboxcall
        WHERE task = %s AND status = 'pending' AND available_at <= statement_timestamp()
        ORDER BY available_at, id LIMIT (SELECT %s) FOR UPDATE SKIP LOCKED
    ), numbered AS (
        SELECT id, row_number() OVER position AS number, sum(crashes) OVER position AS crashed
        FROM due WINDOW position AS (ORDER BY available_at, id)
    )
    INSERT INTO aftercommit_outboxbatch (id, task, worker, calls)
    SELECT %s, %s, %s, jsonb_agg(id ORDER BY number) FROM numbered
    WHERE crashed = 0 OR number = 1
    HAVING count(*) > 0 AND set_config('synchronous_commit', 'off', true) = 'off'
    RETURNING calls, (SELECT count(*) FROM due)
"""
LOCK = """
    WITH journal AS (
        DELETE FROM aftercommit_outboxbatch WHERE id = %s
        RETURNING set_config('synchronous_commit', 'off', true),
            set_config('idle_in_transaction_session_timeout',
                coalesce(%s, current_setting('idle_in_transaction_session_timeout')), true)
    ), locked AS (
        SELECT id, task, payload, context, attempts, crashes, created_at, available_at
        FROM aftercommit_outboxcall
        WHERE task = %s AND status = 'pending' AND available_at <= statement_timestamp()
            AND id = ANY(%s) AND (SELECT count(*) FROM journal) >= 0
        ORDER BY available_at, id
        FOR UPDATE SKIP LOCKED
    )
    SELECT (SELECT count(*) FROM journal), id, task, payload, context, attempts, crashes, created_at
    FROM (SELECT) AS one LEFT JOIN locked ON true
    ORDER BY available_at, id
"""


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
        calls = self._lock_at_once() if connections[self.using].vendor == "postgresql" else None
        if calls is not None:
            return calls
        if not is_nested(self.using):
            limit_idle(self.using, idle_seconds(self.task))
        # The journal first: while it is locked, nobody takes it for that of a dead process.
        if not self.finish():
            deferred_writes.defer(
                self
            )  # others have some of its calls, with the crash that was counted
        rows = due_calls(self.using, self.task).filter(id__in=self.ids)
        return load_calls(self.using, lock_rows(rows))

    def _lock_at_once(self) -> list[Call] | None:
        """Return the calls, or None if the journal is gone, and a crash was counted perhaps."""
        idle = None if is_nested(self.using) else as_milliseconds(idle_seconds(self.task))
        with connections[self.using].cursor() as cursor:
            cursor.execute(LOCK, [self.journal, idle, self.task, list(self.ids)])
            rows = cursor.fetchall()
        if not rows[0][0]:
            return None
        return [load_call(self.using, *columns) for _, *columns in rows if columns[0] is not None]

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
    with deferred_writes.deferred_on_error(Unheard(using, task, journal)):
        if connections[using].vendor == "postgresql":
            return _claim_at_once(using, task, size, journal)
        return _claim(using, task, size, journal)


def _claim(using: str, task: str, size: int, journal: int) -> Batch | None:
    if not connections[using].features.has_select_for_update_skip_locked:
        size = min(size, SHORT_BATCH)
    with transaction.atomic(using=using):
        rows = list(lock_rows(due_calls(using, task))[:size].values_list("id", "crashes"))
        if not rows:
            return None
        ids = [pk for pk, _ in takewhile(lambda row: not row[1], rows)] or [rows[0][0]]
        more = len(rows) == size or len(rows) > len(ids)
        return _write_journal(Batch(using, task, ids, journal, more))


def _claim_at_once(using: str, task: str, size: int, journal: int) -> Batch | None:
    with connections[using].cursor() as cursor:
        cursor.execute(CLAIM, [task, size, journal, task, _worker()])
        row = cursor.fetchone()
    if row is None:
        return None
    calls, due = row
    ids = json.loads(calls)
    return Batch(using, task, ids, journal, more=due == size or due > len(ids))


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
    return (
        OutboxCall.objects.using(using)
        .filter(task=task, status=OutboxCall.Status.PENDING, available_at__lte=Now())
        .order_by("available_at", "id")
    )

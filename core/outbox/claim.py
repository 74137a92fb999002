"""Claiming: which calls a drain runs next, and a journal of it that outlives the process."""

import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any

from django.db import connections, transaction
from django.db.models import (
    BooleanField,
    DateTimeField,
    ExpressionWrapper,
    F,
    Func,
    Q,
    QuerySet,
    Value,
)
from django.db.models.functions import Now

from core.models import OutboxBatch, OutboxCall
from core.outbox.call import Call
from core.outbox.conf import conf
from core.outbox.settle import bury, delete_rows

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
        SELECT id, available_at, crashes FROM core_outboxcall
        WHERE task = %s AND status = 'pending' AND available_at <= statement_timestamp()
        ORDER BY available_at, id LIMIT (SELECT %s) FOR UPDATE SKIP LOCKED
    ), numbered AS (
        SELECT id, row_number() OVER position AS number, sum(crashes) OVER position AS crashed
        FROM due WINDOW position AS (ORDER BY available_at, id)
    )
    INSERT INTO core_outboxbatch (task, worker, calls)
    SELECT %s, %s, jsonb_agg(id ORDER BY number) FROM numbered
    WHERE crashed = 0 OR number = 1
    HAVING count(*) > 0 AND set_config('synchronous_commit', 'off', true) = 'off'
    RETURNING id, calls, (SELECT count(*) FROM due)
"""
LOCK = """
    WITH journal AS (
        DELETE FROM core_outboxbatch WHERE id = %s
        RETURNING set_config('synchronous_commit', 'off', true)
    ), locked AS (
        SELECT id, task, payload, context, attempts, crashes, created_at, available_at
        FROM core_outboxcall
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
        """Its calls that are still pending, locked until the transaction ends, in their order."""
        calls = self._lock_at_once() if connections[self.using].vendor == "postgresql" else None
        if calls is not None:
            return calls
        # The journal first: while it is locked, nobody takes it for that of a dead process.
        self.forget()
        rows = due_calls(self.using, self.task).filter(id__in=self.ids)
        return load_calls(self.using, lock_rows(rows))

    def _lock_at_once(self) -> list[Call] | None:
        """The calls; None if the journal is gone, and a crash was counted perhaps."""
        with connections[self.using].cursor() as cursor:
            cursor.execute(LOCK, [self.journal, self.task, list(self.ids)])
            rows = cursor.fetchall()
        if not rows[0][0]:
            return None
        return [load_call(self.using, *columns) for _, *columns in rows if columns[0] is not None]

    def forget(self) -> None:
        """Delete the journal row: the calls are settled, or nobody runs them any more."""
        journal = OutboxBatch.objects.using(self.using).filter(pk=self.journal)
        if not journal._raw_delete(self.using):
            self._clear_of_crash()

    def _clear_of_crash(self) -> None:
        """Take back the crash that was counted for this batch while its process was only slow, or
        had lost its connection."""
        calls = OutboxCall.objects.using(self.using).filter(pk__in=self.ids, crashes__gt=0)
        calls.filter(status=OutboxCall.Status.DEAD, crashes__gte=conf().MAX_CRASHES).update(
            status=OutboxCall.Status.PENDING
        )
        calls.update(crashes=F("crashes") - 1)


def claim_batch(using: str, task: str, size: int) -> Batch | None:
    """The oldest due calls of the task that nobody else has locked; None if there are none.

    A call that was in a process that died comes alone, so that it takes no other down with it.
    """
    if connections[using].vendor == "postgresql":
        return _claim_at_once(using, task, size)
    if not connections[using].features.has_select_for_update_skip_locked:
        size = min(size, SHORT_BATCH)
    with transaction.atomic(using=using):
        rows = list(lock_rows(due_calls(using, task))[:size].values_list("id", "crashes"))
        if not rows:
            return None
        ids = [pk for pk, _ in takewhile(lambda row: not row[1], rows)] or [rows[0][0]]
        return journal_batch(using, task, ids, more=len(rows) == size or len(rows) > len(ids))


def _claim_at_once(using: str, task: str, size: int) -> Batch | None:
    with connections[using].cursor() as cursor:
        cursor.execute(CLAIM, [task, size, task, _worker()])
        row = cursor.fetchone()
    if row is None:
        return None
    journal, calls, due = row
    ids = json.loads(calls)
    return Batch(using, task, ids, journal, more=due == size or due > len(ids))


def journal_batch(using: str, task: str, ids: Sequence[int], more: bool = False) -> Batch:
    """A batch of these calls, with its journal row written."""
    row = OutboxBatch.objects.using(using).create(task=task, calls=list(ids), worker=_worker())
    return Batch(using, task, ids, row.pk, more)


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def due_calls(using: str, task: str) -> QuerySet[OutboxCall]:
    """The task's calls that are due, oldest first, in the order of their index."""
    return (
        OutboxCall.objects.using(using)
        .filter(task=task, status=OutboxCall.Status.PENDING, available_at__lte=Now())
        .order_by("available_at", "id")
    )


def lock_rows(rows: QuerySet[Any]) -> QuerySet[Any]:
    """The rows that nobody else has locked, locked until the transaction ends."""
    return rows.select_for_update(skip_locked=True)


def load_calls(using: str, rows: QuerySet[OutboxCall]) -> list[Call]:
    """The rows as calls, their arguments not decoded yet."""
    columns = ("id", "task", "payload", "context", "attempts", "crashes", "created_at")
    return [load_call(using, *values) for values in rows.values_list(*columns)]


def load_call(using: str, pk: int, task: str, payload: str, context: str, *rest: Any) -> Call:
    """The row with these columns, those of ``load_calls``, as a call."""
    call = Call(task, payload, context, using=using)
    call.pk, call.stored = pk, True
    call.attempts, call.crashes, call.created_at = rest
    return call


def _outlived_server(using: str) -> Any:
    """Whether a journal is from before the server's start.

    What ended its batch was then the server, and says nothing about the process.
    """
    started = _server_started(using)
    if started is None:
        return Value(False)
    return ExpressionWrapper(Q(started_at__lt=started), output_field=BooleanField())


def _server_started(using: str) -> Any:
    """The time of the server's start; None if there is no server."""
    match connections[using].vendor:
        case "postgresql":
            return Func(function="pg_postmaster_start_time", output_field=DateTimeField())
        case "mysql":
            with connections[using].cursor() as cursor:
                cursor.execute("SHOW GLOBAL STATUS LIKE 'Uptime'")
                return Now() - timedelta(seconds=int(cursor.fetchone()[1]))
    return None


def recover_crashed(using: str) -> int:
    """Count a crash for each call whose process died while it ran; how many are dead letters now.

    The rows themselves are free as soon as their process is dead. This makes a call that kills
    its process a dead letter in the end.
    """
    # Between the journal's commit and its lock a drain that lives looks like a dead one.
    grace = conf().CRASH_GRACE
    if grace is None:
        grace = 2 if connections[using].features.has_select_for_update_skip_locked else 90
    before = Now() - timedelta(seconds=grace)
    with transaction.atomic(using=using):
        left = lock_rows(OutboxBatch.objects.using(using).filter(started_at__lt=before))
        batches = list(left.annotate(outlived=_outlived_server(using)))
        if not batches:
            return 0
        pending = OutboxCall.objects.using(using).filter(status=OutboxCall.Status.PENDING)
        # In company any of them may be the killer, and several processes may have died of it before
        # this is written: it makes them run alone, and only what happens then is counted.
        crashed = [batch.calls for batch in batches if not batch.outlived]
        company = {pk for ids in crashed if len(ids) > 1 for pk in ids}
        pending.filter(pk__in=company, crashes=0).update(crashes=1)
        alone = {pk for ids in crashed if len(ids) == 1 for pk in ids}
        calls = pending.filter(pk__in=alone)
        calls.update(crashes=F("crashes") + 1)
        workers = ", ".join(sorted({batch.worker for batch in batches}))
        times = conf().MAX_CRASHES
        dead = bury(
            calls.filter(crashes__gte=times),
            f"Its process died {times} times while it ran, last in {workers}. "
            "Look there for a signal, a time limit or exhausted memory.",
        )
        delete_rows(OutboxBatch, using, [batch.pk for batch in batches])
    return dead

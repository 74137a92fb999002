"""Claiming: which calls a drain runs next, and a journal of it that outlives the process."""

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
from core.outbox.settle import bury

# A batch without SKIP LOCKED holds up every other writer while it runs.
SHORT_BATCH = 50


@dataclass(frozen=True)
class Batch:
    """The ids of calls that were due together, and the id of their journal row."""

    using: str
    task: str
    ids: Sequence[int]
    journal: int
    full: bool = False

    def lock(self) -> list[Call]:
        """Its calls that are still pending, locked until the transaction ends, in their order."""
        # The journal first: while it is locked, nobody takes it for that of a dead process.
        self.forget()
        rows = due_calls(self.using, self.task).filter(id__in=self.ids)
        return load_calls(self.using, lock_rows(rows))

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
    if not connections[using].features.has_select_for_update_skip_locked:
        size = min(size, SHORT_BATCH)
    with transaction.atomic(using=using):
        rows = list(lock_rows(due_calls(using, task))[:size].values_list("id", "crashes"))
        if not rows:
            return None
        ids = [pk for pk, _ in takewhile(lambda row: not row[1], rows)] or [rows[0][0]]
        return journal_batch(using, task, ids, full=len(rows) == size)


def journal_batch(using: str, task: str, ids: Sequence[int], full: bool = False) -> Batch:
    """A batch of these calls, with its journal row written."""
    worker = f"{socket.gethostname()}:{os.getpid()}"
    row = OutboxBatch.objects.using(using).create(task=task, calls=list(ids), worker=worker)
    return Batch(using, task, ids, row.pk, full)


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
    return [_load_call(using, *values) for values in rows.values_list(*columns)]


def _load_call(using: str, pk: int, task: str, payload: str, context: str, *rest: Any) -> Call:
    call = Call(task, payload, context, using=using)
    call.id, call.stored = pk, True
    call.attempts, call.crashes, call.created_at = rest
    return call


def _outlived_server(using: str) -> Any:
    """Whether a journal is from before the server's start.

    What ended its batch was then the server, and says nothing about the process.
    """
    if connections[using].vendor != "postgresql":
        return Value(False)
    started = Func(function="pg_postmaster_start_time", output_field=DateTimeField())
    return ExpressionWrapper(Q(started_at__lt=started), output_field=BooleanField())


def recover_crashed(using: str) -> int:
    """Count a crash for each call whose process died while it ran; how many are dead letters now.

    The rows themselves are free as soon as their process is dead. This makes a call that kills
    its process a dead letter in the end.
    """
    # Between the journal's commit and its lock a drain that lives looks like a dead one.
    grace = conf().CRASH_GRACE
    if grace is None:
        grace = 2 if connections[using].features.has_select_for_update_skip_locked else 30
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
        OutboxBatch.objects.using(using).filter(pk__in=[b.pk for b in batches])._raw_delete(using)
    return dead

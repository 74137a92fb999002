"""Leases: how calls with effects outside the database are run, and what a lost process leaves."""

from datetime import timedelta
from uuid import uuid4

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from core.models import OutboxCall
from core.outbox.call import Call
from core.outbox.claim import due_calls, load_calls, lock_rows
from core.outbox.settle import bury
from core.outbox.task import find_task

LOST = (
    "Its lease ended and nobody marked it: the process that ran it was lost, "
    "or took longer than the lease."
)


def lease_call(using: str, task: str, seconds: float) -> tuple[Call | None, bool]:
    """The task's oldest due call, now leased to this process, and whether more are due."""
    with transaction.atomic(using=using):
        calls = load_calls(using, lock_rows(due_calls(using, task))[:2])
        if not calls:
            return None, False
        call, *more = calls
        call.lease = uuid4()
        OutboxCall.objects.using(using).filter(pk=call.id).update(
            status=OutboxCall.Status.RUNNING,
            lease=call.lease,
            available_at=Now() + timedelta(seconds=seconds),
        )
    return call, bool(more)


def rows_of(call: Call) -> QuerySet[OutboxCall]:
    """The call's row, if it still is this process's to settle."""
    rows = OutboxCall.objects.using(call.using).filter(pk=call.id)
    return rows.filter(lease=call.lease) if hasattr(call, "lease") else rows


def expire_leases(using: str) -> int:
    """Settle the calls whose lease ended: to be run again, or uncertain, as their task says.

    An uncertain one keeps its lease: a process that was only slow can still settle it. Returns how
    many became dead letters.
    """
    ended = OutboxCall.objects.using(using).filter(
        status=OutboxCall.Status.RUNNING, available_at__lte=Now()
    )
    dead = 0
    for name in ended.order_by().values_list("task", flat=True).distinct():
        rows = ended.filter(task=name)
        task = find_task(name)
        if task is None or not task.reject_on_worker_lost:
            rows.update(status=OutboxCall.Status.UNCERTAIN, error=LOST)
            continue
        if task.max_retries is not None:
            dead += bury(rows.filter(attempts__gte=task.max_retries), LOST)
        rows.update(
            status=OutboxCall.Status.PENDING,
            lease=None,
            attempts=F("attempts") + 1,
            available_at=Now(),
            error=LOST,
        )
    return dead

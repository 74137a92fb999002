"""Crashes: calls whose process died while it ran them, and those of which that is only believed."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import connections, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from aftercommit.conf import conf
from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.worker.lost_calls import end_lost_calls
from aftercommit.worker.rows import brief, lock_all, lock_rows
from aftercommit.worker.settle import bury


def recover_crashed(using: str) -> int:
    """Count a crash for each call whose process died while it ran; return how many are dead now.

    The rows themselves are free as soon as their process is dead. This makes a call that kills
    its process a dead letter in the end. A call that another process has locked is counted by a
    later sweep: its journal stays until then.
    """
    before = Now() - timedelta(seconds=_grace(using))
    left = OutboxBatch.objects.using(using).filter(started_at__lt=before).order_by("pk")
    # In company any call may be the killer, and several processes may have died of it by now: that
    # makes the calls run alone, and only what happens then is counted.
    batches = sorted(left, key=lambda batch: len(batch.calls) == 1)
    return sum(_count_crash(using, batch) for batch in batches)


def _grace(using: str) -> float:
    # Between the journal's commit and its lock a drain that lives looks like a dead one.
    grace = conf().CRASH_GRACE
    return outbox_ops(connections[using]).crash_grace if grace is None else grace


def _count_crash(using: str, batch: OutboxBatch) -> int:
    """Count the batch's calls that are free; return how many are dead letters now."""
    with brief(using):
        journal = OutboxBatch.objects.using(using).filter(pk=batch.pk)
        if not list(lock_rows(journal).values_list("pk")):
            return 0  # its process lives and has locked it, or another sweep has
        calls = OutboxCall.objects.using(using).filter(pk__in=batch.calls)
        waiting = calls.filter(status=OutboxCall.Status.PENDING).exclude(crashed_in=batch.pk)
        free, was_all = lock_all(waiting)
        dead = _count(calls.filter(pk__in=free), batch)
        if was_all:
            journal._raw_delete(using)
    return dead


def _count(calls: QuerySet[OutboxCall], batch: OutboxBatch) -> int:
    if len(batch.calls) > 1:
        calls.filter(crashes=0).update(crashes=1, crashed_in=batch.pk)
        return 0
    calls.update(crashes=F("crashes") + 1, crashed_in=batch.pk)
    times = conf().MAX_CRASHES
    text = (
        f"Its process died {times} times while it ran, last in {batch.worker}. "
        "Look there for a signal, a time limit or exhausted memory."
    )
    return end_lost_calls(calls.filter(crashes__gte=times), lambda rows: bury(rows, text), text)


def clear_crash(using: str, journal: int, ids: Sequence[int] | None = None) -> bool:
    """Take back the crashes that were counted for a batch whose process lives.

    ``ids`` are the batch's calls, where the process knows them. Return whether all are taken back:
    a call that another process has locked is left as it is.
    """
    # None is left of those whose call an operator has made as new.
    counted = OutboxCall.objects.using(using).filter(crashed_in=journal, crashes__gt=0)
    if ids is not None:
        counted = counted.filter(pk__in=ids)
    if not counted.exists():
        return True
    with transaction.atomic(using=using):
        free, was_all = lock_all(counted)
        calls = OutboxCall.objects.using(using).filter(pk__in=free)
        killed = calls.filter(status=OutboxCall.Status.DEAD, crashes__gte=conf().MAX_CRASHES)
        killed.update(status=OutboxCall.Status.PENDING, error="")
        calls.update(crashes=F("crashes") - 1, crashed_in=None)
    return was_all

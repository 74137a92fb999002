"""Crashes: count them for calls whose process died, and take back those of processes that live."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import connections
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from aftercommit.conf import conf
from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.worker.dead_letters import bury
from aftercommit.worker.lost_calls import end_lost_calls
from aftercommit.worker.rows import lock_rows, lock_unlocked, short_transaction


def recover_crashed(using: str) -> int:
    """Count a crash for each call whose process died while it ran. Return how many are dead now.

    The database frees the rows as soon as their process is dead. The count makes a call that kills
    its process a dead letter in the end. For a call that another process has locked, a later sweep
    counts the crash. The journal stays until then.
    """
    before = Now() - timedelta(seconds=_grace(using))
    left = OutboxBatch.objects.using(using).filter(started_at__lt=before).order_by("pk")
    # In a batch of several calls any of them may be the killer, and several processes may have died
    # of it by now. Such a crash counts once, and makes the calls run alone. Each crash of a call
    # that ran alone counts. Those are looked at last, when their calls have the first crash.
    batches = sorted(left, key=lambda batch: len(batch.calls) == 1)
    return sum(_count_crash(using, batch) for batch in batches)


def _grace(using: str) -> float:
    # Between the journal's commit and its lock a process that lives looks like a dead one.
    grace = conf().CRASH_GRACE
    return outbox_ops(connections[using]).crash_grace if grace is None else grace


def _count_crash(using: str, batch: OutboxBatch) -> int:
    """Count a crash for the batch's calls that nobody has locked. Return how many are dead now."""
    with short_transaction(using):
        journal = OutboxBatch.objects.using(using).filter(pk=batch.pk)
        if not list(lock_rows(journal).values_list("pk")):
            return 0  # its process lives and has locked it, or another sweep has
        calls = OutboxCall.objects.using(using).filter(pk__in=batch.calls)
        waiting = calls.filter(status=OutboxCall.Status.PENDING).exclude(crashed_in=batch.pk)
        free, was_all = lock_unlocked(waiting)
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

    ``ids`` are the batch's calls, where the process knows them. A call that another process has
    locked is left as it is. Return whether there was no such call.
    """
    # A call without crashes was retried by an operator since, which makes it as new.
    counted = OutboxCall.objects.using(using).filter(crashed_in=journal, crashes__gt=0)
    if ids is not None:
        counted = counted.filter(pk__in=ids)
    if not counted.exists():
        return True
    with short_transaction(using):
        free, was_all = lock_unlocked(counted)
        calls = OutboxCall.objects.using(using).filter(pk__in=free)
        killed = calls.filter(status=OutboxCall.Status.DEAD, crashes__gte=conf().MAX_CRASHES)
        killed.update(status=OutboxCall.Status.PENDING, error="")
        calls.update(crashes=F("crashes") - 1, crashed_in=None)
    return was_all

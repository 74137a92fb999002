"""Leases that ended and that nobody marked: the process was lost, or was slower than its lease."""

from django.db.models import F, QuerySet
from django.db.models.functions import Now

from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.outbox.task_options import Options
from aftercommit.worker.announced_tasks import is_announced
from aftercommit.worker.lost_calls import end_lost_calls
from aftercommit.worker.retry_policy import retry_limit
from aftercommit.worker.rows import change_unlocked

LOST = (
    "Its lease ended and nobody marked it: the process that ran it was lost, "
    "or took longer than the lease."
)


def expire_leases(using: str) -> int:
    """Settle the calls whose lease ended: they run again or are uncertain, as their task says.

    Return how many became dead letters. The calls of a task that only other workers have are left
    to these workers, since they know what the task says.
    """
    ended = OutboxCall.objects.using(using).filter(
        status=OutboxCall.Status.RUNNING, available_at__lte=Now()
    )
    dead = 0
    for name in list(ended.order_by().values_list("task", flat=True).distinct()):
        task = find_task(name)
        if task or not is_announced(using, name):
            dead += _expire(ended.filter(task=name), Options.of(task) if task else None)
    return dead


def _expire(rows: QuerySet[OutboxCall], options: Options | None) -> int:
    if options is None or not options.runs_again_if_lost:
        change_unlocked(rows, lambda some: _end(some, OutboxCall.Status.UNCERTAIN))
        return 0
    limit = retry_limit(options)
    if limit is None:
        change_unlocked(rows, _put_back)
        return 0
    spent = rows.filter(attempts__gte=limit)
    dead = change_unlocked(spent, lambda some: _end(some, OutboxCall.Status.DEAD))
    change_unlocked(rows.filter(attempts__lt=limit), _put_back)
    return dead


def _put_back(rows: QuerySet[OutboxCall]) -> int:
    """Have the calls run again, and count an attempt."""
    return rows.update(
        status=OutboxCall.Status.PENDING,
        attempts=F("attempts") + 1,
        available_at=Now(),
        error=LOST,
    )


def _end(rows: QuerySet[OutboxCall], status: OutboxCall.Status) -> int:
    return end_lost_calls(rows, lambda free: free.update(status=status, error=LOST), LOST, status)

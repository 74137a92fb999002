"""The operations on calls: retry them, and discard them."""

from collections.abc import Iterator, Sequence
from functools import cache, partial

from celery import current_app
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from aftercommit.models import OutboxCall
from aftercommit.operations.operation import Operation, accept_status
from aftercommit.outbox.task import find_task
from aftercommit.outbox.wake import wake_task
from aftercommit.signals import calls_discarded, calls_retried
from aftercommit.worker.announced_tasks import is_announced_by_live_worker
from aftercommit.worker.rows import delete_rows

Status = OutboxCall.Status

HELD = (Status.DEAD, Status.UNCERTAIN)
"""The statuses of calls that wait for a person."""


def retry_calls(calls: QuerySet[OutboxCall]) -> int:
    """Make the dead and the uncertain calls due again, as new ones. Return how many there were.

    Each may run another time, and an uncertain call may have its effect a second time. A call that
    somebody settles at this moment is left to them. Sends ``calls_retried`` in the transaction that
    changes the calls. Many calls take several transactions.
    """
    return RETRY.run(calls.db, RETRY.accepted_ids(calls))


def discard_calls(calls: QuerySet[OutboxCall]) -> int:
    """Delete the calls that ``DISCARD`` accepts for good. Return how many there were.

    Sends ``calls_discarded`` in the transaction that deletes them. A call that somebody settles at
    this moment is left to them.
    """
    return DISCARD.run(calls.db, DISCARD.accepted_ids(calls))


def is_unknown(using: str, task: str) -> bool:
    """Return whether neither this code nor a live worker has a task of this name."""
    _import_tasks()
    return find_task(task) is None and not is_announced_by_live_worker(using, task)


@cache
def _import_tasks() -> None:
    # Import what a worker imports. A web process need not have imported each task yet.
    current_app.loader.import_default_modules()


def _held_or_unknown(calls: QuerySet[OutboxCall]) -> QuerySet[OutboxCall]:
    waiting = Q(status=Status.PENDING, task__in=_unknown_tasks(calls))
    return calls.filter(Q(status__in=HELD) | waiting)


def _unknown_tasks(calls: QuerySet[OutboxCall]) -> list[str]:
    waiting = calls.filter(status=Status.PENDING).order_by()
    names = waiting.values_list("task", flat=True).distinct()
    return sorted(name for name in names if is_unknown(calls.db, name))


def _retry(using: str, calls: Sequence[OutboxCall]) -> None:
    OutboxCall.objects.using(using).filter(pk__in=[call.pk for call in calls]).update(
        status=Status.PENDING,
        attempts=0,
        crashes=0,
        lease=None,
        failing_since=None,
        misfit_since=None,
        available_at=Now(),
    )
    calls_retried.send(OutboxCall, calls=calls, using=using)
    for task in sorted({call.task for call in calls}):
        transaction.on_commit(partial(wake_task, using, task), using=using)


def _discard(using: str, calls: Sequence[OutboxCall]) -> None:
    delete_rows(OutboxCall, using, [call.pk for call in calls])
    calls_discarded.send(OutboxCall, calls=calls, using=using)


def _warn_of_retry(calls: QuerySet[OutboxCall]) -> Iterator[str]:
    uncertain = calls.filter(status=Status.UNCERTAIN).count()
    if uncertain:
        yield (
            f"Uncertain: {uncertain:,}. Each may have had its effect outside the database before "
            "its process died. Then it has that effect a second time."
        )
    names = calls.order_by().values_list("task", flat=True).distinct()
    for name in sorted(name for name in names if is_unknown(calls.db, name)):
        yield f"No task {name} in this code. Its calls wait for a worker that has it."


def _warn_of_discard(calls: QuerySet[OutboxCall]) -> Iterator[str]:
    for name in _unknown_tasks(calls):
        count = calls.filter(status=Status.PENDING, task=name).count()
        yield (
            f"Pending: {count:,} of {name}, which neither this code nor a live worker has. If a "
            "deploy is to bring the task back, leave its calls: they run then."
        )


call_operation = partial(
    Operation, model=OutboxCall, nouns=("call", "calls"), group_by=("task", "status")
)

RETRY = call_operation(
    question="Retry {}",
    done="made due again",
    effect="Each is due again, as a new call, and runs as soon as a worker is free.",
    restriction="Only dead and uncertain calls can be retried; the others settle by themselves.",
    accept=accept_status(*HELD),
    change=_retry,
    warn=_warn_of_retry,
)
DISCARD = call_operation(
    question="Discard {}",
    done="discarded",
    effect="Each is deleted for good, and never does what it was to do.",
    restriction="Only dead and uncertain calls can be discarded, and pending ones whose task "
    "neither this code nor a live worker has; the others settle by themselves.",
    accept=_held_or_unknown,
    change=_discard,
    warn=_warn_of_discard,
)

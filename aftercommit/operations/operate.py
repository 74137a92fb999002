"""What an operator does with the outbox: see how it stands, retry what failed, discard it."""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import Any

from celery import current_app
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now

from aftercommit.models import OutboxCall
from aftercommit.operations.health_checks import start_checks, wait_for_checks
from aftercommit.operations.operation import Operation
from aftercommit.outbox.task import find_task
from aftercommit.outbox.wake import wake_task
from aftercommit.signals import calls_discarded, calls_retried
from aftercommit.worker.announced_tasks import is_announced_by_live_worker
from aftercommit.worker.rows import delete_rows
from aftercommit.worker.sweep import due_ages, failing_ages, outbox_aliases

Status = OutboxCall.Status

HELD = (Status.DEAD, Status.UNCERTAIN)
"""The statuses that wait for a person."""


def outbox_status() -> dict[str, Any]:
    """Return how each database's outbox stands.

    That is its calls by task and status, how old the due and the failing ones are, and the figures
    of the apps' health checks.
    """
    return {alias: _database_status(alias) for alias in outbox_aliases()}


def _database_status(using: str) -> dict[str, Any]:
    checks = start_checks(using)
    ages, failing = due_ages(using), failing_ages(using)
    tasks: dict[str, dict[str, Any]] = {}
    counts = OutboxCall.objects.using(using).values_list("task", "status").annotate(Count("pk"))
    for name, status, count in counts.order_by("task"):
        tasks.setdefault(name, {"known": find_task(name) is not None})[status] = count
    for name, row in tasks.items():
        row["oldest_age"], row["failing_age"] = ages.get(name), failing.get(name)
    found = wait_for_checks(using, checks).items()
    return {
        "oldest_age": max(ages.values(), default=None),
        "failing_age": max(failing.values(), default=None),
        "tasks": tasks,
        "checks": {name: dict(findings.figures) for name, findings in found},
    }


def is_unknown(using: str, task: str) -> bool:
    """Return whether nobody has the task of this name, so that its calls wait in vain."""
    _import_tasks()
    return find_task(task) is None and not is_announced_by_live_worker(using, task)


def held(calls: QuerySet[OutboxCall]) -> QuerySet[OutboxCall]:
    """Return those of the calls that are dead or uncertain."""
    return calls.filter(status__in=HELD)


def held_or_unknown(calls: QuerySet[OutboxCall]) -> QuerySet[OutboxCall]:
    """Return those of the calls that are dead, uncertain, or pending for an unknown task."""
    waiting = Q(status=Status.PENDING, task__in=_unknown_tasks(calls))
    return calls.filter(Q(status__in=HELD) | waiting)


def retry_calls(calls: QuerySet[OutboxCall]) -> int:
    """Make those of the calls that are dead or uncertain due again, as new; return how many.

    Each may run another time: of an uncertain one that may be the second time that it has its
    effect. One that somebody settles at this moment is left to them. Sends ``calls_retried`` in the
    same transaction. There are several transactions if there are many calls.
    """
    return RETRY.act(calls.db, operable_ids(RETRY, calls))


def discard_calls(calls: QuerySet[OutboxCall]) -> int:
    """Delete for good those of the calls that ``DISCARD`` accepts; return how many they were.

    As ``retry_calls``, with the signal ``calls_discarded``.
    """
    return DISCARD.act(calls.db, operable_ids(DISCARD, calls))


def operable_ids(operation: Operation, calls: QuerySet[OutboxCall]) -> list[int]:
    """Return the ids of those of the calls that the operation accepts."""
    return list(operation.accept(calls).order_by("pk").values_list("pk", flat=True))


@cache
def _import_tasks() -> None:
    # What a worker imports: a web process need not have imported each task.
    current_app.loader.import_default_modules()


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


RETRY = Operation(
    model=OutboxCall,
    nouns=("call", "calls"),
    question="Retry {}",
    done="made due again",
    effect="Each is due again, as a new call, and runs as soon as a worker is free.",
    only="Only dead and uncertain calls can be retried; the others settle by themselves.",
    group_by=("task", "status"),
    accept=held,
    step=_retry,
    warn=_warn_of_retry,
)
DISCARD = Operation(
    model=OutboxCall,
    nouns=("call", "calls"),
    question="Discard {}",
    done="discarded",
    effect="Each is deleted for good, and never does what it was to do.",
    only="Only dead and uncertain calls can be discarded, and pending ones whose task neither this "
    "code nor a live worker has; the others settle by themselves.",
    group_by=("task", "status"),
    accept=held_or_unknown,
    step=_discard,
    warn=_warn_of_discard,
)

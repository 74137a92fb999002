"""What an operator does with the outbox: see how it stands, retry what failed, discard it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from core.models import OutboxCall
from core.outbox.claim import lock_rows
from core.outbox.settle import delete_rows
from core.outbox.sweep import due_ages, failing_ages, outbox_aliases
from core.outbox.task import find_task
from core.outbox.wake import wake_task
from core.signals import calls_discarded, calls_retried

HELD = (OutboxCall.Status.DEAD, OutboxCall.Status.UNCERTAIN)
"""The statuses that wait for a person."""

CHUNK = 500
"""How many calls one transaction retries or discards."""


def outbox_status() -> dict[str, Any]:
    """Return each database's calls by task and status, and how old the due and failing ones are."""
    return {alias: _database_status(alias) for alias in outbox_aliases()}


def _database_status(using: str) -> dict[str, Any]:
    ages, failing = due_ages(using), failing_ages(using)
    tasks: dict[str, dict[str, Any]] = {}
    counts = OutboxCall.objects.using(using).values_list("task", "status").annotate(Count("pk"))
    for name, status, count in counts.order_by("task"):
        tasks.setdefault(name, {"known": find_task(name) is not None})[status] = count
    for name, row in tasks.items():
        row["oldest_age"], row["failing_age"] = ages.get(name), failing.get(name)
    return {
        "oldest_age": max(ages.values(), default=None),
        "failing_age": max(failing.values(), default=None),
        "tasks": tasks,
    }


def retry_calls(calls: QuerySet[OutboxCall]) -> int:
    """Make those of the calls that are dead or uncertain due again, as new; how many they were.

    Each may run another time: of an uncertain one that may be the second time that it has its
    effect. One that somebody settles at this moment is left to them. Sends ``calls_retried`` in the
    same transaction, of which there are several if there are many calls.
    """
    return retry_ids(calls.db, held_ids(calls))


def discard_calls(calls: QuerySet[OutboxCall]) -> int:
    """Delete those of the calls that are dead or uncertain, for good; how many they were.

    As ``retry_calls``, with the signal ``calls_discarded``.
    """
    return discard_ids(calls.db, held_ids(calls))


def held_ids(calls: QuerySet[OutboxCall]) -> list[int]:
    """The ids of those of the calls that are dead or uncertain."""
    return list(calls.filter(status__in=HELD).order_by("pk").values_list("pk", flat=True))


def retry_ids(using: str, ids: Sequence[int]) -> int:
    """Retry the calls with these ids, as ``retry_calls``."""
    return _operate(using, ids, _retry)


def discard_ids(using: str, ids: Sequence[int]) -> int:
    """Discard the calls with these ids, as ``discard_calls``."""
    return _operate(using, ids, _discard)


Operation = Callable[[str, Sequence[OutboxCall]], None]
"""What is done with calls of database ``using`` that are locked, in their transaction."""


def _operate(using: str, ids: Sequence[int], operation: Operation) -> int:
    chunks = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    return sum(_operate_on(using, chunk, operation) for chunk in chunks)


def _operate_on(using: str, ids: Sequence[int], operation: Operation) -> int:
    rows = OutboxCall.objects.using(using).filter(pk__in=ids, status__in=HELD).order_by("pk")
    with transaction.atomic(using=using):
        calls = list(lock_rows(rows))
        if calls:
            operation(using, calls)
    return len(calls)


def _retry(using: str, calls: Sequence[OutboxCall]) -> None:
    OutboxCall.objects.using(using).filter(pk__in=[call.pk for call in calls]).update(
        status=OutboxCall.Status.PENDING,
        attempts=0,
        crashes=0,
        lease=None,
        failing_since=None,
        available_at=Now(),
    )
    calls_retried.send(OutboxCall, calls=calls, using=using)
    for task in sorted({call.task for call in calls}):
        transaction.on_commit(partial(wake_task, using, task), using=using)


def _discard(using: str, calls: Sequence[OutboxCall]) -> None:
    delete_rows(OutboxCall, using, [call.pk for call in calls])
    calls_discarded.send(OutboxCall, calls=calls, using=using)

"""What an operator does with the outbox: see how it stands, retry what failed, discard it."""

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet
from django.db.models.functions import Now

from core.models import OutboxCall
from core.outbox.sweep import due_ages, outbox_aliases
from core.outbox.task import find_task
from core.outbox.wake import wake_task

HELD = (OutboxCall.Status.DEAD, OutboxCall.Status.UNCERTAIN)
"""The statuses that wait for a person."""


def outbox_status() -> dict[str, Any]:
    """How each database's outbox stands: its calls by task and status, and the oldest due one."""
    return {alias: _database_status(alias) for alias in outbox_aliases()}


def _database_status(using: str) -> dict[str, Any]:
    ages = due_ages(using)
    tasks: dict[str, dict[str, Any]] = {}
    counts = OutboxCall.objects.using(using).values_list("task", "status").annotate(Count("pk"))
    for name, status, count in counts.order_by("task"):
        tasks.setdefault(name, {"known": find_task(name) is not None})[status] = count
    for name, row in tasks.items():
        row["oldest_age"] = ages.get(name)
    return {"oldest_age": max(ages.values(), default=None), "tasks": tasks}


def retry_calls(calls: QuerySet[OutboxCall]) -> int:
    """Make those of the calls that are dead or uncertain due again, as new; how many they were.

    Each may run another time: of an uncertain one that may be the second time that it has its
    effect.
    """
    held = calls.filter(status__in=HELD)
    targets = set(held.values_list("task", flat=True))
    count = held.update(
        status=OutboxCall.Status.PENDING,
        attempts=0,
        crashes=0,
        lease=None,
        available_at=Now(),
    )
    for task in targets:
        transaction.on_commit(partial(wake_task, calls.db, task), using=calls.db)
    return count


def discard_calls(calls: QuerySet[OutboxCall]) -> int:
    """Delete those of the calls that are dead or uncertain, for good; how many they were."""
    return calls.filter(status__in=HELD).delete()[0]

"""The state of each database's outbox, in figures."""

from typing import Any

from django.db.models import Count

from aftercommit.db.aliases import outbox_aliases
from aftercommit.models import OutboxCall
from aftercommit.operations.health_checks import start_checks, wait_for_checks
from aftercommit.outbox.task import find_task
from aftercommit.worker.due import due_ages, failing_ages, failing_calls


def outbox_status() -> dict[str, Any]:
    """Return each database's calls by task and status, with the age of the oldest ones.

    ``failing`` is the number of those calls that wait for another attempt. The ages are those of
    the due calls and of the failing calls, in seconds. The figures of the apps' health checks are
    beside them.
    """
    return {alias: _database_status(alias) for alias in outbox_aliases()}


def _database_status(using: str) -> dict[str, Any]:
    checks = start_checks(using)
    due, failing = due_ages(using), failing_ages(using)
    tasks = _count_calls(using)
    for name, row in tasks.items():
        row["oldest_age"], row["failing_age"] = due.get(name), failing.get(name)
    found = wait_for_checks(using, checks).items()
    return {
        "oldest_age": max(due.values(), default=None),
        "failing_age": max(failing.values(), default=None),
        "tasks": tasks,
        "checks": {name: dict(findings.figures) for name, findings in found},
    }


def _count_calls(using: str) -> dict[str, dict[str, Any]]:
    tasks: dict[str, dict[str, Any]] = {}
    counts = OutboxCall.objects.using(using).values_list("task", "status").annotate(Count("pk"))
    for name, status, count in counts.order_by("task"):
        tasks.setdefault(name, {"known": find_task(name) is not None})[status] = count
    failing = failing_calls(using).values_list("task").annotate(Count("pk"))
    for name, count in failing.order_by():
        tasks.get(name, {})["failing"] = count  # a call can have come in between
    return tasks

"""Delete the results of tasks whose retention is over."""

import time
from datetime import timedelta

from django.db.models.functions import Now

from aftercommit.contrib.tasks.api import task_backends
from aftercommit.contrib.tasks.backend import OutboxBackend
from aftercommit.contrib.tasks.records import records
from aftercommit.worker.rows import change_unlocked

INTERVAL = 60
"""Seconds between two looks for old results in one database."""

_looked_at: dict[str, float] = {}


def delete_old_results(using: str) -> None:
    """Delete the old results in the database, at most once in INTERVAL seconds.

    Runs in each worker. A few rows are deleted at a time, and rows that another worker deletes are
    left to it.
    """
    now = time.monotonic()
    if now - _looked_at.get(using, -INTERVAL) < INTERVAL:
        return
    _looked_at[using] = now
    for backend in task_backends.all():
        if isinstance(backend, OutboxBackend) and backend.outbox_options.database == using:
            delete_results(using, backend.alias, backend.outbox_options.result_retention)


def delete_results(using: str, alias: str, seconds: float | None) -> int:
    """Delete the backend's results that were stored so many seconds ago. Return their number."""
    if seconds is None:
        return 0
    old = records(using).filter(backend=alias, stored_at__lte=Now() - timedelta(seconds=seconds))
    return change_unlocked(old.order_by(), lambda free: free.delete()[0])

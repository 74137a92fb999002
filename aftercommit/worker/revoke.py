"""Revoke calls that nobody has begun, by their ids, as Celery revokes tasks.

``app.control.revoke(id)`` and ``AsyncResult(id).revoke()`` reach the workers. With its next sweep
each worker deletes the calls that have one of the ids.
"""

import logging
from collections.abc import Iterable

from celery.worker import state
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import QuerySet

from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker.failures import report_revoked
from aftercommit.worker.loading import load_calls
from aftercommit.worker.rows import change_unlocked, delete_rows, lock_rows
from aftercommit.worker.runner import Runner

logger = logging.getLogger(__name__)

LARGEST_ID = 2**63 - 1
"""The largest key that a row can have. SQLite raises an error when it is asked for a larger one."""


def revoke_calls(ids: Iterable[str | int], using: str = DEFAULT_DB_ALIAS) -> int:
    """Delete the pending calls with these ids, and return their number.

    Calls that a worker runs at this moment, dead letters, and calls of another database are left
    alone. Raises ValueError for an id that is not a number.
    """
    with transaction.atomic(using=using):
        return _revoke(lock_rows(_pending(ids, using)))


def revoke_as_told(using: str) -> int:
    """Revoke the calls that this worker was told to revoke, and return their number.

    A worker is told once and remembers for hours. It opens a transaction only if there is a call to
    revoke: on SQLite that would wait for whoever writes, and the heartbeat with it.
    """
    ids = [each for each in map(str, list(state.revoked)) if _is_id(each)]
    return change_unlocked(_pending(ids, using), _revoke) if ids else 0


def _is_id(text: str) -> bool:
    """Return whether a text that came through the broker is written as a call's id is."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST_ID))


def _pending(ids: Iterable[str | int], using: str) -> QuerySet[OutboxCall]:
    keys = [key for key in map(int, ids) if abs(key) <= LARGEST_ID]
    pending = OutboxCall.objects.using(using).filter(status=OutboxCall.Status.PENDING)
    return pending.filter(pk__in=keys).order_by("pk")


def _revoke(rows: QuerySet[OutboxCall]) -> int:
    """Delete rows that this transaction has locked, and report each call. Return their number."""
    calls = load_calls(rows.db, rows)
    delete_rows(OutboxCall, rows.db, [call.pk for call in calls])
    for call in calls:
        if task := find_task(call.task):
            report_revoked(Runner(task), call)
        logger.info("%s[%s]: revoked", call.task, call.id)
    return len(calls)

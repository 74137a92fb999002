"""Revoke calls that nobody has begun, by their ids, as Celery revokes tasks.

``app.control.revoke(id)`` and ``AsyncResult(id).revoke()`` reach the workers. With its next sweep
each worker deletes the calls that have one of the ids.
"""

import logging
from collections.abc import Iterable

from celery.worker import state
from django.db import DEFAULT_DB_ALIAS, transaction

from aftercommit.models import OutboxCall
from aftercommit.outbox.task import find_task
from aftercommit.worker.failures import report_revoked
from aftercommit.worker.loading import load_calls
from aftercommit.worker.rows import delete_rows, lock_rows
from aftercommit.worker.runner import Runner

logger = logging.getLogger(__name__)

LARGEST_ID = 2**63 - 1
"""The largest key that a row can have. SQLite raises an error when it is asked for a larger one."""


def revoke_calls(ids: Iterable[str | int], using: str = DEFAULT_DB_ALIAS) -> int:
    """Delete the pending calls with these ids, and return their number.

    Calls that a worker runs at this moment, dead letters, and calls of another database are left
    alone. Raises ValueError for an id that is not a number.
    """
    keys = [key for key in map(int, ids) if abs(key) <= LARGEST_ID]
    pending = OutboxCall.objects.using(using).filter(pk__in=keys, status=OutboxCall.Status.PENDING)
    with transaction.atomic(using=using):
        calls = load_calls(using, lock_rows(pending.order_by("pk")))
        delete_rows(OutboxCall, using, [call.pk for call in calls])
        for call in calls:
            if task := find_task(call.task):
                report_revoked(Runner(task), call)
    for call in calls:
        logger.info("%s[%s]: revoked", call.task, call.id)
    return len(calls)


def revoke_as_told(using: str) -> int:
    """Revoke the calls that this worker was told to revoke, and return their number."""
    ids = [each for each in map(str, list(state.revoked)) if _is_id(each)]
    return revoke_calls(ids, using) if ids else 0


def _is_id(text: str) -> bool:
    """Return whether a text that came through the broker is written as a call's id is."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST_ID))

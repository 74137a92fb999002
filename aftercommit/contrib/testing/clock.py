"""Let time pass for the calls of a test, without waiting.

The clock of a database can't be set. So all times that the outbox has stored are moved into the
past instead. What the code under test computes from its own clock, such as an ``eta``, stays right:
for this code it is still now, and only what was before is longer ago.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from celery.utils import time as celery_time
from django.db import connections
from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from aftercommit.db.vendors import outbox_ops
from aftercommit.models import OutboxBatch, OutboxCall
from aftercommit.outbox.arguments import encode_arguments
from aftercommit.outbox.task import find_task
from aftercommit.worker.loading import load_calls

WAIT = ExpressionWrapper(F("available_at") - Now(), output_field=DurationField())

CALL_TIMES = ("created_at", "available_at", "failing_since", "misfit_since")


def pending_tasks(using: str) -> list[str]:
    """Return the names of the tasks that have pending calls and that can be run here."""
    return [name for name in outbox_ops(connections[using]).pending_tasks() if find_task(name)]


def time_until_next(using: str) -> timedelta | None:
    """Return how long it takes until another call is due. Return None if no call will be."""
    later = OutboxCall.objects.using(using).filter(
        status=OutboxCall.Status.PENDING, task__in=pending_tasks(using), available_at__gt=Now()
    )
    return later.order_by("available_at").annotate(wait=WAIT).values_list("wait", flat=True).first()


def pass_time(using: str, time: timedelta) -> None:
    """Have so much time pass for everything that is in the outbox."""
    _move_expiry(using, time)
    OutboxCall.objects.using(using).update(**_earlier(CALL_TIMES, time))
    OutboxBatch.objects.using(using).update(**_earlier(["started_at"], time))


def _earlier(names: Any, time: timedelta) -> dict[str, Any]:
    return {name: F(name) - time for name in names}


def _move_expiry(using: str, time: timedelta) -> None:
    """Have the calls that expire at a time expire earlier, since that time is in their options."""
    rows = OutboxCall.objects.using(using)
    for call in load_calls(using, rows.filter(payload__contains='"expires"')):
        call.decode()
        expires = call.options.get("expires")
        if isinstance(expires, datetime):
            options = {**call.options, "expires": expires - time}
            payload = encode_arguments(call.task, call.args, call.kwargs, options)
            rows.filter(pk=call.pk).update(payload=payload)


@contextmanager
def longest_pauses() -> Iterator[None]:
    """Have each retry in this block wait for as long as its backoff says.

    Celery takes a pause by chance that can be 0. Then a drain would try a call again, or not, and
    the test would pass by chance.
    """
    with patch.object(celery_time, "random", SimpleNamespace(randrange=lambda stop: stop - 1)):
        yield

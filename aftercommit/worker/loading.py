"""Calls that a worker loads from their rows."""

from typing import Any

from django.db.models import QuerySet

from aftercommit.db.answers import COLUMNS
from aftercommit.models import OutboxCall
from aftercommit.outbox.call import Call


def load_calls(using: str, rows: QuerySet[OutboxCall]) -> list[Call]:
    """Return the rows as calls. Their arguments are not decoded yet."""
    return [load_call(using, *values) for values in rows.values_list(*COLUMNS)]


def load_call(using: str, pk: int, task: str, payload: str, context: str, *rest: Any) -> Call:
    """Return the row with these values of ``COLUMNS`` as a call."""
    call = Call(task, payload, context, using=using)
    call.pk, call.stored = pk, True
    call.attempts, call.crashes, call.created_at = rest
    return call


def rows_of(call: Call) -> QuerySet[OutboxCall]:
    """Return the call's row, if it still is this process's to settle."""
    rows = OutboxCall.objects.using(call.using).filter(pk=call.pk)
    return rows.filter(lease=call.lease) if hasattr(call, "lease") else rows

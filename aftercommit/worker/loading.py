"""Load calls from their rows."""

from django.db.models import QuerySet

from aftercommit.call import Call
from aftercommit.db.answers import COLUMNS
from aftercommit.models import OutboxCall


def load_calls(using: str, rows: QuerySet[OutboxCall]) -> list[Call]:
    """Return the rows as calls. Their arguments are not decoded yet."""
    return [Call(using, *values) for values in rows.values_list(*COLUMNS)]


def rows_of(call: Call) -> QuerySet[OutboxCall]:
    """Return the call's row, or no row if another process has begun the call since."""
    rows = OutboxCall.objects.using(call.using).filter(pk=call.pk)
    return rows.filter(lease=call.lease) if call.lease else rows

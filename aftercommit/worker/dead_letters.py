"""Dead letters: calls that failed for good and wait for a person, with their error."""

from typing import Any

from django.db.models import QuerySet

from aftercommit.models import OutboxCall
from aftercommit.worker.error_text import make_storable


def bury(rows: QuerySet[OutboxCall], error: str, **values: Any) -> int:
    """Make the rows dead letters with this error. Return how many rows there were."""
    return rows.update(
        status=OutboxCall.Status.DEAD,
        error=make_storable(error),
        lease=None,
        failing_since=None,
        **values,
    )

"""All calls of a transaction in the outbox, with one INSERT."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db import Error

from aftercommit.outbox.record import CallRecord

if TYPE_CHECKING:
    from aftercommit.db.operations import OutboxOperations

NOT_STORED = (
    "The error came when the durable calls of a transaction were stored. None is stored, and a "
    "transaction that is open is rolled back. If the outbox's table is missing, run "
    "'manage.py migrate'."
)


def store_calls(
    ops: "OutboxOperations", cursor: Any, calls: Sequence[CallRecord], ending: str = ""
) -> None:
    """Write the calls with one statement, in the transaction of Django's cursor if it is in one.

    ``ops`` are the operations of the cursor's connection. ``ending`` is sent along with an INSERT.
    """
    try:
        ops.insert_calls(cursor, calls, ending)
    except Error as error:
        error.add_note(NOT_STORED)
        raise
    for call in calls:
        call.stored = True

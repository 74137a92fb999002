"""All calls of a transaction in the outbox, with one INSERT."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aftercommit.outbox.record import CallRecord

if TYPE_CHECKING:
    from aftercommit.db.operations import OutboxOperations


def store_calls(
    ops: "OutboxOperations", cursor: Any, calls: Sequence[CallRecord], ending: str = ""
) -> None:
    """Write the calls with one statement, in the transaction of Django's cursor if it is in one.

    ``ops`` are the operations of the cursor's connection. ``ending`` is sent along with an INSERT.
    """
    ops.insert_calls(cursor, calls, ending)
    for call in calls:
        call.stored = True

"""All calls of a transaction in the outbox, with one INSERT."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper

from aftercommit.outbox.call import Call

if TYPE_CHECKING:
    from aftercommit.db.operations import OutboxOperations


def pending_calls(connection: BaseDatabaseWrapper) -> list[Call]:
    """Return the calls that the connection's transaction has made and not stored."""
    return [
        call  # type: ignore[misc]  # mypy doesn't narrow what is assigned in a condition
        for entry in connection.run_on_commit
        if isinstance(call := entry[1], Call) and not call.stored
    ]


def store_calls(
    ops: "OutboxOperations", cursor: Any, calls: Sequence[Call], ending: str = ""
) -> None:
    """Write the calls with one statement, in the transaction of Django's cursor if it is in one.

    ``ops`` are the operations of the cursor's connection. ``ending`` is sent along with an INSERT.
    """
    ops.insert_calls(cursor, calls, ending)
    for call in calls:
        call.stored = True

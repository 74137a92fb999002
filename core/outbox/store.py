"""All calls of a transaction in the outbox, with one INSERT."""

import json
from collections.abc import Sequence

from django.db.backends.base.base import BaseDatabaseWrapper

from core.outbox.call import Call

# The ORM's bulk_create costs twice as much as a cursor, and the request pays for it. One JSON array
# as the only parameter is cheap to write on either side, and has no limit on the number of calls.
INSERT = {
    "postgresql": """
        INSERT INTO core_outboxcall (task, payload, context, available_at)
        SELECT call->>0, call->>1, call->>2, coalesce(
            to_timestamp((call->>4)::float8),
            statement_timestamp() + (call->>3)::float8 * interval '1 second'
        )
        FROM json_array_elements(%s::json) WITH ORDINALITY AS calls (call, position)
        ORDER BY position
    """,
    "sqlite": """
        INSERT INTO core_outboxcall (task, payload, context, available_at)
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
            json_extract(value, '$[2]'), strftime('%%Y-%%m-%%d %%H:%%M:%%f',
                coalesce(json_extract(value, '$[4]'), 'now'),
                CASE WHEN json_extract(value, '$[4]') IS NULL
                    THEN printf('%%+f seconds', json_extract(value, '$[3]'))
                    ELSE 'unixepoch' END)
        FROM json_each(%s)
        ORDER BY key
    """,
}
"""For each vendor, the statement whose parameter is the calls' columns as JSON."""


def pending_calls(connection: BaseDatabaseWrapper) -> list[Call]:
    """The calls that the connection's transaction has made and not stored."""
    return [
        callback
        for _, callback, *_ in connection.run_on_commit
        if type(callback) is Call and not callback.stored
    ]


def store_calls(connection: BaseDatabaseWrapper, calls: Sequence[Call]) -> None:
    """Write ``calls`` with one statement, in the connection's transaction if it is in one."""
    rows = [
        (call.task, call.payload, call.raw_context, call.countdown or 0, _epoch(call))
        for call in calls
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSERT[connection.vendor], [json.dumps(rows)])
    for call in calls:
        call.stored = True


def _epoch(call: Call) -> float | None:
    return None if call.eta is None else call.eta.timestamp()

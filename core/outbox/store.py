"""All calls of a transaction in the outbox, with one INSERT."""

import json
from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from core.outbox.call import Call

# The ORM's bulk_create costs twice as much as a cursor, and the request pays for it. One parameter
# a column (or one altogether) also has no limit on the number of calls.
INSERT = {
    "postgresql": """
        INSERT INTO core_outboxcall (task, payload, context, available_at)
        SELECT task, payload, context, coalesce(
            to_timestamp(eta), statement_timestamp() + make_interval(secs => countdown)
        )
        FROM unnest(%s::text[], %s::text[], %s::text[], %s::float8[], %s::float8[])
            WITH ORDINALITY AS calls (task, payload, context, countdown, eta, position)
        ORDER BY position
    """,
    "sqlite": """
        INSERT INTO core_outboxcall (task, payload, context, available_at)
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
            json_extract(value, '$[2]'), strftime('%%Y-%%m-%%d %%H:%%M:%%f',
                json_extract(value, '$[3]'), json_extract(value, '$[4]'))
        FROM json_each(%s)
        ORDER BY key
    """,
}


def pending_calls(connection: BaseDatabaseWrapper) -> list[Call]:
    """The calls that the connection's transaction has made and not stored."""
    return [
        callback
        for _, callback, *_ in connection.run_on_commit
        if type(callback) is Call and not callback.stored
    ]


def store_calls(connection: BaseDatabaseWrapper, calls: Sequence[Call]) -> None:
    """Write ``calls`` with one statement, in the connection's transaction if it is in one."""
    vendor = connection.vendor
    parameters = _sqlite(calls) if vendor == "sqlite" else _postgresql(calls)
    with connection.cursor() as cursor:
        cursor.execute(INSERT[vendor], parameters)
    for call in calls:
        call.stored = True


def _postgresql(calls: Sequence[Call]) -> list[list[Any]]:
    return [
        [call.task for call in calls],
        [call.payload for call in calls],
        [call.raw_context for call in calls],
        [float(call.countdown or 0) for call in calls],
        [call.eta and call.eta.timestamp() for call in calls],
    ]


def _sqlite(calls: Sequence[Call]) -> list[str]:
    return [json.dumps([(c.task, c.payload, c.raw_context, *_sqlite_time(c)) for c in calls])]


def _sqlite_time(call: Call) -> tuple[str, str]:
    if call.eta is not None:
        return str(call.eta.timestamp()), "unixepoch"
    return "now", f"{call.countdown or 0:+f} seconds"

"""All calls of a transaction in the outbox, with one INSERT."""

import json
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from aftercommit.outbox.call import Call

# The ORM's bulk_create costs twice as much as a cursor, and the request pays for it. PostgreSQL
# plans a few rows of values in half the time that a JSON array takes it, and copies many in less.
INTO = "aftercommit_outboxcall (id, task, payload, context"
FEW = 20

# More characters than this are not to stay in memory. A cursor keeps the parameters of its last
# statement, and the client library of PostgreSQL never frees the room of its longest message but
# sends a COPY in pieces.
LARGE = 256 * 1024
PAYLOAD = attrgetter("payload")

# One JSON array as the only parameter has no limit on the number of calls.
FROM_JSON = {
    "postgresql": """
        SELECT (call->>0)::bigint, call->>1, call->>2, call->>3, coalesce(
            to_timestamp((call->>4)::float8),
            statement_timestamp() + (call->>5)::float8 * interval '1 second'
        )
        FROM json_array_elements(%s::json) WITH ORDINALITY AS calls (call, position)
        ORDER BY position
    """,
    "sqlite": """
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'),
            json_extract(value, '$[2]'), json_extract(value, '$[3]'),
            strftime('%%Y-%%m-%%d %%H:%%M:%%f',
                coalesce(json_extract(value, '$[4]'), 'now'),
                CASE WHEN json_extract(value, '$[4]') IS NULL
                    THEN printf('%%+f seconds', json_extract(value, '$[5]'))
                    ELSE 'unixepoch' END)
        FROM json_each(%s)
        ORDER BY key
    """,
}

# MySQL's JSON_TABLE costs twice as much.
SOON = "(%s, %s, %s, %s, DEFAULT)"
LATER = {
    "postgresql": """(%s, %s, %s, %s, coalesce(
        to_timestamp(%s::float8), statement_timestamp() + %s * interval '1 second'
    ))""",
    "mysql": """(%s, %s, %s, %s, coalesce(
        TIMESTAMP'1970-01-01 00:00:00' + INTERVAL round(%s * 1000000) MICROSECOND,
        now(6) + INTERVAL round(%s * 1000000) MICROSECOND
    ))""",
}


def pending_calls(connection: BaseDatabaseWrapper) -> list[Call]:
    """Return the calls that the connection's transaction has made and not stored."""
    return [
        call  # type: ignore[misc]  # mypy doesn't narrow what is assigned in a condition
        for entry in connection.run_on_commit
        if isinstance(call := entry[1], Call) and not call.stored
    ]


def store_calls(cursor: Any, calls: Sequence[Call], ending: str = "") -> None:
    """Write ``calls`` with one statement, in the transaction of Django's cursor if it is in one.

    ``ending`` is sent along with an INSERT. Only a connection that takes several statements in one
    message can be given one.
    """
    many = len(calls) > FEW
    large = sum(map(len, map(PAYLOAD, calls))) > LARGE
    copied = (many or large) and getattr(cursor.db, "can_copy", False)
    if copied and all(call.is_due for call in calls):
        _copy(cursor, calls)
    else:
        _insert(cursor, calls, ending, many, large)
    for call in calls:
        call.stored = True


def _insert(cursor: Any, calls: Sequence[Call], ending: str, many: bool, large: bool) -> None:
    vendor = cursor.db.vendor
    in_json = vendor in (FROM_JSON if many else {"sqlite"})
    rows, parameters = (_from_json if in_json else _values)(vendor, calls)
    statement = f"INSERT INTO {INTO}, available_at) {rows}{ending}"
    cursor.execute(statement, parameters)
    if large and hasattr(cursor.db, "forget_parameters"):
        cursor.db.forget_parameters(cursor, statement)


def _copy(cursor: Any, calls: Sequence[Call]) -> None:
    # Django's cursor passes COPY through, but leaves its errors the driver's.
    with cursor.db.wrap_database_errors, cursor.copy(f"COPY {INTO}) FROM STDIN") as copy:
        for call in calls:
            copy.write_row(_texts(call))


def _from_json(vendor: str, calls: Sequence[Call]) -> tuple[str, list[Any]]:
    return FROM_JSON[vendor], [json.dumps([_texts(call) + _time(call) for call in calls])]


def _values(vendor: str, calls: Sequence[Call]) -> tuple[str, list[Any]]:
    rows: list[str] = []
    values: list[Any] = []
    for call in calls:
        rows.append(SOON if call.is_due else LATER[vendor])
        values += call.pk, call.task, call.payload, call.raw_context
        if not call.is_due:
            values += _time(call)
    return f"VALUES {', '.join(rows)}", values


def _texts(call: Call) -> tuple[Any, ...]:
    return call.pk, call.task, call.payload, call.raw_context


def _time(call: Call) -> tuple[Any, ...]:
    return call.eta and call.eta.timestamp(), call.countdown or 0

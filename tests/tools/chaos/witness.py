"""The database's own record of what committed: triggers that write in the same transaction.

Independent of Django and of its signals, and exact also for a request whose answer was lost: what
rolls back, a savepoint too, takes its record along.
"""

import json
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg

from tests.tools.chaos.changes import COLUMNS, CREATE, DELETE, UPDATE, table_of

FOLLOW, CALL = "follow", "call"
WATCHED = {
    **{model: (table_of(model), columns) for model, columns in COLUMNS.items()},
    FOLLOW: ("notifications_follow", ("id", "user_id", "author_id", "category_id")),
    CALL: ("aftercommit_outboxcall", ("id", "task", "payload")),
}
EVENTS = {"INSERT": CREATE, "UPDATE": UPDATE, "DELETE": DELETE}

POSTGRES = """
CREATE TABLE chaos_effect (id bigserial PRIMARY KEY, name text NOT NULL);
CREATE TABLE chaos_witness (
    id bigserial PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    model text NOT NULL, action text NOT NULL, old text, new text
);
CREATE FUNCTION chaos_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_witness (model, action, old, new) VALUES (
        TG_ARGV[0], TG_ARGV[1],
        CASE WHEN TG_OP = 'INSERT' THEN NULL ELSE row_to_json(OLD)::text END,
        CASE WHEN TG_OP = 'DELETE' THEN NULL ELSE row_to_json(NEW)::text END
    );
    RETURN NULL;
END $$;
"""
POSTGRES_TRIGGER = """
CREATE TRIGGER chaos_{action} AFTER {event} ON {table}
    FOR EACH ROW EXECUTE FUNCTION chaos_record('{model}', '{action}');
"""
SQLITE = """
CREATE TABLE chaos_effect (id integer PRIMARY KEY AUTOINCREMENT, name text NOT NULL);
CREATE TABLE chaos_witness (
    id integer PRIMARY KEY AUTOINCREMENT,
    at text NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    model text NOT NULL, action text NOT NULL, old text, new text
);
"""
SQLITE_TRIGGER = """
CREATE TRIGGER chaos_{table}_{action} AFTER {event} ON {table} BEGIN
    INSERT INTO chaos_witness (model, action, old, new)
    VALUES ('{model}', '{action}', {old}, {new});
END;
"""
ROWS = "SELECT id, at, model, action, old, new FROM chaos_witness ORDER BY id"


class Record(NamedTuple):
    """One row that was written and committed, as it was and as it is."""

    id: int
    at: Any
    model: str
    action: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None


def install(url: str) -> None:
    """Have the database take down every change of a watched table from now on."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.executescript(SQLITE + "".join(_triggers(SQLITE_TRIGGER)))
        connection.close()
    else:
        with psycopg.connect(url) as server:
            server.execute((POSTGRES + "".join(_triggers(POSTGRES_TRIGGER))).encode())


def record(row: tuple[Any, ...]) -> Record:
    """A row of ``ROWS``."""
    pk, at, model, action, old, new = row
    return Record(pk, at, model, action, _read(old), _read(new))


def _triggers(template: str) -> Iterator[str]:
    for model, (table, columns) in WATCHED.items():
        for event, action in EVENTS.items():
            if model == CALL and action != CREATE:
                continue
            # Only of what is audited: the counters move without the audit log.
            of = f"UPDATE OF {', '.join(columns)}" if action == UPDATE else event
            yield template.format(
                table=table,
                model=model,
                action=action,
                event=of,
                old=_json("OLD", columns) if action != CREATE else "NULL",
                new=_json("NEW", columns) if action != DELETE else "NULL",
            )


def _json(row: str, columns: tuple[str, ...]) -> str:
    pairs = [f"'{name}', {row}.{name}" for name in columns]
    return f"json_object({', '.join(pairs)})"


def _read(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text, parse_float=Decimal)

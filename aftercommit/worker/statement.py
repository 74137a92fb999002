"""Settling by a task's statement: effects that are SQL happen where the calls are.

A batch costs one round trip, and no call leaves the database. There is no journal: what a process
that dies has sent, the server carries out or doesn't, and none of it can kill a process.
"""

from dataclasses import dataclass
from typing import Any

from django.db import connections

SETTINGS = """
    SET LOCAL synchronous_commit = off;
    SET LOCAL statement_timeout = {milliseconds};
"""
"""What goes with the statement, in the same message and the same transaction."""

# The calls are locked, deleted and had their effects in one statement, which commits or doesn't.
# By ctid, and in an array: a join by id costs half as much again. A row that somebody changed in
# the meantime has another ctid; it isn't found, so it isn't settled, and stays for the next batch.
# The limit is as in CLAIM.
SETTLE = """
    WITH due AS (
        SELECT ctid, available_at, id FROM aftercommit_outboxcall
        WHERE task = %s AND status = 'pending' AND available_at <= statement_timestamp()
            AND (available_at, id) > (%s::timestamptz, %s)
        ORDER BY available_at, id LIMIT (SELECT %s) FOR UPDATE SKIP LOCKED
    ), settled AS (
        DELETE FROM aftercommit_outboxcall WHERE ctid = ANY(ARRAY(SELECT ctid FROM due))
        RETURNING id, payload, context, created_at, available_at
    ), calls AS (
        SELECT id, created_at, payload::jsonb -> 0 AS args, payload::jsonb -> 1 AS kwargs,
            context::jsonb ->> 0 AS actor_id, context::jsonb ->> 1 AS actor,
            context::jsonb ->> 2 AS request_id, context::jsonb ->> 3 AS address
        FROM settled ORDER BY available_at, id
    ), effects AS (
        {statement}
    )
    SELECT (SELECT count(*) FROM settled), (SELECT count(*) FROM due), available_at, id
    FROM (SELECT) AS one LEFT JOIN (
        SELECT available_at, id FROM due ORDER BY available_at DESC, id DESC LIMIT 1
    ) AS last ON true
"""

Position = tuple[Any, int]
"""Where a call is in their order: when it is due, and its id."""

START: Position = ("-infinity", 0)

PATIENCE = 30
"""Seconds that a statement may take. Then the task's function runs, whose journal ends a call that
never does."""


@dataclass(frozen=True)
class Settled:
    """How many calls a statement settled, whether there may be more that are due, and after which
    to look for them."""

    calls: int
    more: bool
    last: Position


def takes_statements(using: str) -> bool:
    """Whether the database can settle so: PostgreSQL can, outside of anybody's transaction."""
    connection: Any = connections[using]
    if not getattr(connection, "several_statements", False):
        return False
    return bool(connection.get_autocommit())  # or the settings above would last longer


def settle_by_statement(
    using: str, task: str, statement: str, size: int, after: Position = START
) -> Settled:
    """Have up to ``size`` of the task's oldest due calls settled; raises DatabaseError if none is.

    None is then: a statement has all its effects or none. ``after`` is for the next statement of a
    drain: it need not walk over what those before it have left of their calls in the index, until
    that is vacuumed. What commits late behind it has sent a wake-up for another drain.
    """
    settings = SETTINGS.format(milliseconds=PATIENCE * 1000)
    settle = SETTLE.format(statement=statement.replace("%", "%%"))
    with connections[using].cursor() as cursor:
        cursor.execute(settings + settle, [task, *after, size])
        while cursor.nextset():  # those of the settings
            pass
        settled, due, *last = cursor.fetchone()
    return Settled(settled, due == size, last=(last[0], last[1]))

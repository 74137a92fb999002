"""Do what the outbox asks on MySQL and MariaDB."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from aftercommit.db.operations import OutboxOperations
from aftercommit.outbox.record import CallRecord

if TYPE_CHECKING:
    from aftercommit.models import OutboxBatch, OutboxCall

# A DELETE waits for the lock of each row that it reads, and for an IN it reads the whole of a small
# table. Other drains have locked some of these rows, and one of them may be waiting for this drain.
DELETE = """
    DELETE {table}
    FROM JSON_TABLE(%s, '$[*]' COLUMNS (id bigint PATH '$')) AS ids
    STRAIGHT_JOIN {table} FORCE INDEX (PRIMARY) ON {table}.id = ids.id
"""


LONGEST = 2**20
"""The number of characters of arguments and contexts in one INSERT. A server closes the connection
at a message of more than max_allowed_packet: 16 MB by default on MariaDB, 4 MB on some servers."""

ROW_CHARACTERS = 200
"""The number of characters that the rest of a row takes, at most."""


class MySQLOperations(OutboxOperations):
    """The outbox's operations on MySQL and MariaDB. Any number of calls are rows of values.

    A JSON_TABLE of the calls costs twice as much.
    """

    later_row = """(%s, %s, %s, %s, coalesce(
        TIMESTAMP'1970-01-01 00:00:00' + INTERVAL round(%s * 1000000) MICROSECOND,
        now(6) + INTERVAL round(%s * 1000000) MICROSECOND
    ))"""

    # The server probes its index for this one. It would read the whole backlog for the standard.
    pending_tasks_sql = (
        "SELECT DISTINCT task, status FROM aftercommit_outboxcall WHERE status = 'pending'"
    )

    table_setup = (
        "ALTER TABLE aftercommit_outboxcall DROP INDEX outbox_pending, "
        "DROP INDEX outbox_other, ADD INDEX outbox_pending (status, task, available_at, id)"
    )
    table_setup_undone = (
        "ALTER TABLE aftercommit_outboxcall DROP INDEX outbox_pending, "
        "ADD INDEX outbox_pending (task, available_at, id), "
        "ADD INDEX outbox_other (status, available_at)"
    )

    _limited: Any = None
    """The driver's connection that has its limit."""

    def insert_calls(self, cursor: Any, calls: Sequence[CallRecord], ending: str = "") -> None:
        """Write the calls with one statement, or with several if one would be too long."""
        for some in split(calls):
            super().insert_calls(cursor, some, ending)

    def delete_rows(self, model: "type[OutboxCall | OutboxBatch]", ids: Sequence[int]) -> None:
        """Delete the rows with these ids, and read no other row."""
        with self.connection.cursor() as cursor:
            cursor.execute(DELETE.format(table=model._meta.db_table), [json.dumps(ids)])

    def limit_idle_session(self, longest: Callable[[], float]) -> None:
        """Have the server end this connection if it is idle for so long.

        MySQL can't end a transaction by itself, as PostgreSQL and MariaDB can. Asks the server once
        for each connection.
        """
        self.connection.ensure_connection()
        if self._limited is self.connection.connection:
            return
        with self.connection.cursor() as cursor:
            cursor.execute("SET SESSION wait_timeout = %s", [max(1, round(longest()))])
        self._limited = self.connection.connection


def split(calls: Sequence[CallRecord]) -> Iterator[Sequence[CallRecord]]:
    """Yield the calls in parts of LONGEST characters. A longer call is a part of its own."""
    start = characters = 0
    for index, call in enumerate(calls):
        own = len(call.payload) + len(call.raw_context) + ROW_CHARACTERS
        if characters and characters + own > LONGEST:
            yield calls[start:index]
            start, characters = index, 0
        characters += own
    yield calls[start:]

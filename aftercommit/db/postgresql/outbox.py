"""Do what the outbox asks on PostgreSQL, mostly with one statement where others need several."""

import json
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import Model

from aftercommit.db.answers import Claimed, Exchanged, Position, Row, Settled
from aftercommit.db.operations import OutboxOperations
from aftercommit.db.postgresql import statements
from aftercommit.db.postgresql.pooler import is_pooled, not_kept
from aftercommit.outbox.record import CallRecord

if TYPE_CHECKING:
    from aftercommit.models import OutboxBatch, OutboxCall


class PostgreSQLOperations(OutboxOperations):
    """The outbox's operations on PostgreSQL, whatever its driver is."""

    # PostgreSQL plans a few rows of values in half the time that a JSON array takes.
    json_from = 21
    json_rows = statements.JSON_ROWS
    later_row = statements.LATER_ROW
    table_setup = statements.TABLE_SETUP
    table_setup_undone = statements.TABLE_SETUP_UNDONE

    def lost_in_pooler(self) -> list[tuple[str, str]]:
        """Return the settings that mean a session, if a pooler is in front. Costs a query."""
        lost = list(not_kept(self.connection.settings_dict))
        return lost if lost and is_pooled(self.connection) else []

    @property
    def can_copy(self) -> bool:
        """Return whether the connection's cursors have ``copy()``."""
        return bool(getattr(self.connection, "can_copy", False))

    def _copy_calls(self, cursor: Any, calls: Sequence[CallRecord]) -> bool:
        """Write many or large calls by COPY, which costs less and is sent in pieces."""
        if not (self.can_copy and hasattr(cursor, "copy") and all(call.is_due for call in calls)):
            return False
        rows = ((call.pk, call.task, call.payload, call.raw_context) for call in calls)
        self._copy(cursor, statements.COPY, rows)
        return True

    def _copy(self, cursor: Any, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        # Django's cursor passes COPY through, but leaves its errors the driver's.
        with self.connection.wrap_database_errors, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def insert_rows(
        self, model: type[Model], names: Sequence[str], rows: Collection[Sequence[Any]]
    ) -> None:
        """Insert rows of any model by COPY, where the connection has it."""
        if not self.can_copy:
            super().insert_rows(model, names, rows)
            return
        fields: list[Any] = [model._meta.get_field(name) for name in names]
        quote, connection = self.connection.ops.quote_name, self.connection
        columns = ", ".join(quote(field.column) for field in fields)
        prepare = [field.get_db_prep_save for field in fields]
        values = (
            [to(value, connection) for to, value in zip(prepare, row, strict=True)] for row in rows
        )
        with connection.cursor() as cursor:
            statement = f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN"
            self._copy(cursor, statement, values)

    def claim(self, task: str, size: int, journal: int, worker: str) -> Claimed | None:
        """Journal the oldest due calls with one statement."""
        with self.connection.cursor() as cursor:
            cursor.execute(statements.CLAIM, [task, size, journal, task, worker])
            row = cursor.fetchone()
        return row and Claimed(json.loads(row[0]), row[1])

    def begin_batch(
        self, task: str, ids: Sequence[int], journal: int, idle: float | None
    ) -> list[Row] | None:
        """Delete the journal, lock its calls and limit the idle time with one statement."""
        limit = None if idle is None else as_milliseconds(idle)
        with self.connection.cursor() as cursor:
            cursor.execute(statements.LOCK, [journal, limit, task, list(ids)])
            rows = cursor.fetchall()
        if rows[0][0]:
            return [row for _, *row in rows if row[0] is not None]
        if idle is not None:
            self.limit_idle(idle)  # the statement sets the limit as it deletes the journal
        return None

    def delete_rows(self, model: "type[OutboxCall | OutboxBatch]", ids: Sequence[int]) -> None:
        """Delete the rows with these ids, which are one parameter."""
        with self.connection.cursor() as cursor:
            cursor.execute(statements.DELETE.format(table=model._meta.db_table), [list(ids)])

    def exchange_lease(
        self, task: str, lease: UUID, seconds: float, done: tuple[int, UUID] | None
    ) -> Exchanged:
        """Settle the call ``done`` and lease the next with one statement."""
        pk, ended = done or (None, None)
        parameters = {"done": pk, "ended": ended, "task": task, "lease": lease, "seconds": seconds}
        with self.connection.cursor() as cursor:
            cursor.execute(statements.EXCHANGE, parameters)
            settled, due, *row = cursor.fetchone()
        return Exchanged(bool(settled) or done is None, tuple(row) if due else None, due > 1)

    def can_settle_by_statement(self) -> bool:
        """Return whether the settings can go with the statement, outside of anybody's transaction.

        In a transaction of somebody else's the settings would hold on after the statement.
        """
        if not self.connection.get_autocommit():
            return False
        with self.connection.cursor() as cursor:
            several = getattr(self.connection, "several_in", ())
            return isinstance(getattr(cursor, "cursor", None), several)

    def settle_by_statement(
        self, task: str, statement: str, size: int, after: Position | None, seconds: float
    ) -> Settled:
        """Lock the calls, have their effects and delete them with one statement."""
        settings = statements.SETTINGS.format(milliseconds=round(seconds * 1000))
        settle = statements.SETTLE.format(statement=statement.replace("%", "%%"))
        with self.connection.cursor() as cursor:
            cursor.execute(settings + settle, [task, *(after or statements.START), size])
            while cursor.nextset():  # the results of the settings
                pass
            settled, due, *last = cursor.fetchone()
        return Settled(settled, due == size, last=(last[0], last[1]))

    def limit_idle(self, seconds: float) -> None:
        """Have the server end this transaction if it is idle for so long."""
        with self.connection.cursor() as cursor:
            cursor.execute(statements.LIMIT_IDLE, [as_milliseconds(seconds)])


def as_milliseconds(seconds: float) -> str:
    """Return the value of PostgreSQL's setting. It is at least 1, since 0 would be no limit."""
    return str(max(1, round(min(seconds * 1000, 2**31 - 1))))

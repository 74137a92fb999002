"""The INSERT of a transaction's calls, which the request pays for."""

import json
from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any, ClassVar

from django.db import NotSupportedError
from django.db.models import Model

from aftercommit.outbox.record import CallRecord

INSERT = "INSERT INTO aftercommit_outboxcall (id, task, payload, context, available_at) "

DUE_ROW = "(%s, %s, %s, %s, DEFAULT)"
PAYLOAD = attrgetter("payload")

LARGE = 256 * 1024
"""The number of characters of arguments that are too many to stay in memory after the statement.

A cursor keeps the parameters of its last statement. The client library of PostgreSQL never frees
the room of its longest message, but it sends a COPY in pieces.
"""


class InsertOperations:
    """Write new rows. A subclass says how its database reads them best."""

    json_from: ClassVar[float] = float("inf")
    """From how many calls on the INSERT has one JSON array as its only parameter.

    That has no limit on the number of calls.
    """

    json_rows: ClassVar[str]
    """The SELECT that reads the rows of such an array, in their order."""

    later_row: ClassVar[str | None] = None
    """The row of a call that isn't due yet, as part of VALUES.

    Its last parameters are the time in seconds since 1970, or NULL, and the seconds from now.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def insert_calls(self, cursor: Any, calls: Sequence[CallRecord], ending: str = "") -> None:
        """Write the calls with one statement. ``ending`` is sent along with an INSERT.

        Only a connection that takes several statements in one message can be given an ending.
        """
        many = len(calls) >= self.json_from
        large = sum(map(len, map(PAYLOAD, calls))) > LARGE
        if (many or large) and self._copy_calls(cursor, calls):
            return
        # The ORM's bulk_create costs twice as much as a cursor.
        rows, parameters = self._as_json(calls) if many else self._as_values(calls)
        statement = f"{INSERT}{rows}{ending}"
        cursor.execute(statement, parameters)
        if large and hasattr(self.connection, "forget_parameters"):
            self.connection.forget_parameters(cursor, statement)

    def _copy_calls(self, cursor: Any, calls: Sequence[CallRecord]) -> bool:
        """Write the calls without an INSERT, where that is better. Return whether it was done."""
        return False

    def _as_values(self, calls: Sequence[CallRecord]) -> tuple[str, list[Any]]:
        rows: list[str] = []
        values: list[Any] = []
        for call in calls:
            values += call.pk, call.task, call.payload, call.raw_context
            if call.is_due:
                rows.append(DUE_ROW)
            else:
                rows.append(self.later_row or self._refuse_later())
                values += _times(call)
        return f"VALUES {', '.join(rows)}", values

    def _refuse_later(self) -> str:
        raise NotSupportedError(
            f"Database {self.connection.alias!r} can't store a call with a countdown or an eta: "
            f"its vendor is {self.connection.vendor!r}. Expected PostgreSQL, MySQL, MariaDB or "
            "SQLite."
        )

    def _as_json(self, calls: Sequence[CallRecord]) -> tuple[str, list[Any]]:
        rows = [
            (call.pk, call.task, call.payload, call.raw_context, *_times(call)) for call in calls
        ]
        return self.json_rows, [json.dumps(rows)]

    def insert_rows(
        self, model: type[Model], names: Sequence[str], rows: Collection[Sequence[Any]]
    ) -> None:
        """Insert rows of any model, each the values of the fields of these names."""
        objects = [model(**dict(zip(names, row, strict=True))) for row in rows]
        model._base_manager.using(self.connection.alias).bulk_create(objects)


def _times(call: CallRecord) -> tuple[float | None, float]:
    """Return the call's eta in seconds since 1970, and its countdown."""
    return call.eta.timestamp() if call.eta else None, call.countdown or 0

"""A cursor that begins a transaction together with its first statement."""

from typing import TYPE_CHECKING, Any, Self

from django.db.backends.postgresql.base import Cursor as DjangoCursor
from psycopg.pq import PipelineStatus, TransactionStatus

if TYPE_CHECKING:
    from psycopg import ClientCursor

    _Cursor = ClientCursor[Any]
else:
    _Cursor = DjangoCursor

BEGIN = "BEGIN; "
BEGIN_SENT = BEGIN.encode()


class Cursor(_Cursor):
    """Django's, but BEGIN goes in the message of the statement that psycopg would send it before.

    So a transaction takes a round trip less than with Django's own backend. That is more than its
    calls cost, whose INSERT goes with COMMIT.

    A first statement that can't be parsed begins no transaction. Whoever catches its error goes on
    with one that the next statement begins.
    """

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        """Execute the query as psycopg does."""
        connection: Any = self.connection
        if not (isinstance(query, str) and is_to_begin(connection)):
            super().execute(query, params, **options)
            return self
        # psycopg is to send no BEGIN. Were it to do so all the same, PostgreSQL would only warn.
        connection._autocommit = True
        try:
            super().execute(f"{BEGIN}{query}", params, **options)
        finally:
            connection._autocommit = False
            if sent := self._query:  # Django logs it from here, as it was asked for
                sent.query = sent.query.removeprefix(BEGIN_SENT)
        self.nextset()
        return self


def is_django_cursor(factory: Any) -> bool:
    """Return whether the class is Django's cursor, or one that somebody else derived from it."""
    return isinstance(factory, type) and issubclass(factory, DjangoCursor)


def with_begin(factory: type) -> type:
    """Return the class of cursors with ours beneath it, and above Django's.

    So somebody else's cursor sees the statement as it was asked for, without the BEGIN.
    """
    if factory is DjangoCursor:
        return Cursor
    if issubclass(factory, Cursor):
        return factory
    return type(factory.__name__, (factory, Cursor), {"__module__": factory.__module__})


def is_to_begin(connection: Any) -> bool:
    """Return whether the next statement begins a transaction that has no options."""
    return (
        not connection.autocommit
        and connection.pgconn.transaction_status == TransactionStatus.IDLE
        and connection.pgconn.pipeline_status == PipelineStatus.OFF
        and connection.isolation_level is None
        and connection.read_only is None
        and connection.deferrable is None
    )

"""How statements are shown."""

from typing import Any

from django.db.backends.postgresql import operations

from aftercommit.db.postgresql.cursor import BEGIN


class DatabaseOperations(operations.DatabaseOperations):
    """Django's, for our cursor."""

    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> Any:
        """The statement as it was asked for, without the BEGIN that went along."""
        query = super().last_executed_query(cursor, sql, params)
        return query and query.removeprefix(BEGIN)

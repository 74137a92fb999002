"""The commit hook on SQLite, above any backend whose base is Django's."""

from typing import Any

from aftercommit.db.hook import ImplicitCommitMixin


class SQLiteMixin(ImplicitCommitMixin):
    """A SQLite connection that stores its calls before COMMIT."""

    @property
    def begins_as_reader(self) -> bool:  # type: ignore[override]  # a constant elsewhere
        """True unless OPTIONS have transactions begin as writers, which wait for one another."""
        mode = self.settings_dict["OPTIONS"].get("transaction_mode") or "DEFERRED"
        return str(mode).upper() == "DEFERRED"

    def _savepoint(self, sid: str) -> None:
        """Begin a savepoint inside a transaction, also where autocommit is off.

        The driver begins a transaction with the first change. A savepoint before it would be a
        transaction of its own, and its end would commit work whose calls aren't stored yet.
        """
        if not self.connection.in_transaction:
            self._start_transaction_under_autocommit()  # type: ignore[attr-defined]
        super()._savepoint(sid)  # type: ignore[misc]  # the stubs don't have it

    def forget_parameters(self, cursor: Any, statement: str) -> None:
        """Let go of the parameters also where the driver caches its prepared statements.

        A statement there keeps its parameters until it is executed again: here with no calls.
        """
        super().forget_parameters(cursor, statement)
        getattr(cursor, "cursor", cursor).execute(statement, ["[]"])

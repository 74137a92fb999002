"""The commit hook: a transaction's calls are written just before its COMMIT."""

from typing import Any

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from core.db.callbacks import sure_callbacks
from core.outbox.store import pending_calls, store_calls
from core.outbox.wake import wake_tasks


class OutboxMixin(BaseDatabaseWrapper):
    """A database backend whose ``commit()`` stores the calls of its transaction first.

    The calls are on Django's own on_commit list, from which those of a savepoint that rolled back
    have been dropped. If they can't be stored, the transaction doesn't commit.
    """

    has_outbox = True

    several_statements = False
    """Whether one message to the server may hold several statements, and their parameters."""

    can_copy = False
    """Whether its cursors have ``copy()``, PostgreSQL's COPY."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._callbacks_before: dict[str, int] = {}
        self._kept: tuple[Any, Any] = (None, None)

    def savepoint(self) -> str | None:
        """Begin a savepoint, and note which callbacks the transaction has by now."""
        savepoint = super().savepoint()
        if savepoint is not None:
            self._callbacks_before[savepoint] = len(self.run_on_commit)
        return savepoint

    def savepoint_rollback(self, sid: str) -> None:
        """Roll back to a savepoint, and drop the callbacks that were registered since.

        Django does so for the savepoints of ``atomic()``; for those of ``transaction.savepoint()``
        it would call them, though what they are for is gone.
        """
        super().savepoint_rollback(sid)
        if sid in self._callbacks_before:
            del self.run_on_commit[self._callbacks_before[sid] :]

    def rollback(self) -> None:
        """Roll back; the transaction's savepoints are gone."""
        self._callbacks_before.clear()
        super().rollback()

    def commit(self) -> None:
        """Store the transaction's calls, commit, and wake their tasks."""
        self._callbacks_before.clear()
        calls = pending_calls(self) if self.connection is not None else []
        if calls:
            try:
                # With COMMIT a transaction with calls takes no round trip more than one without.
                ending = "; COMMIT" if self.several_statements else ""
                store_calls(self._cursor_of_calls(), calls, ending)
            except DatabaseError:
                raise  # Django rolls back
            except BaseException:
                # Django expects nothing else of a commit and would leave the transaction open.
                self.rollback()
                raise
        callbacks = sure_callbacks(self)
        try:
            super().commit()
        except BaseException:
            # The traceback keeps this frame, and what is still referred to counts as committed.
            callbacks.clear()
            raise
        for callback in callbacks:
            callback()
        if calls:
            wake_tasks(calls)

    def _cursor_of_calls(self) -> Any:
        """One cursor a connection: to make it costs a seventh of what three calls do.

        Where queries are logged it is a new one, as for any other query; and where threads share
        the connection, which may commit at once.
        """
        if self.queries_logged or self.allow_thread_sharing:
            return self.cursor()
        if self._kept[0] is not self.connection:
            self._kept = (self.connection, self.cursor())
        return self._kept[1]

"""The commit hook: a transaction's calls are written just before its COMMIT.

The hook overrides the methods below Django's guards: ``_commit()``, not ``commit()``. Django has
checked the thread and the atomic block before any of them runs, so that a refused commit or
rollback sends nothing and forgets nothing. Django's stubs don't have the methods below.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from aftercommit.db.callbacks import SureCallback
from aftercommit.db.options import take_join_begin
from aftercommit.db.vendors import make_outbox_ops
from aftercommit.outbox.pending import PendingCall, pending_calls
from aftercommit.outbox.store import store_calls
from aftercommit.outbox.wake import wake_tasks


class OutboxMixin(BaseDatabaseWrapper):
    """A database backend whose ``commit()`` stores the calls of its transaction first.

    The calls are on Django's own on_commit list until COMMIT. Those of a savepoint that rolled back
    have been dropped from it. If the calls can't be stored, the transaction rolls back.
    """

    has_outbox = True

    several_statements = False
    """Whether one message to the server may hold several statements, and their parameters."""

    can_copy = False
    """Whether its cursors have ``copy()``, PostgreSQL's COPY."""

    can_join_begin = False
    """Whether BEGIN can go in the message of a transaction's first statement."""

    begins_as_reader = False
    """True if a transaction that reads first can be refused when it turns to writing."""

    default_parameters: Mapping[str, Any] = {}
    """The parameters of a connection that the library sets where OPTIONS don't name them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._savepoints: list[tuple[str, int]] = []
        self._kept: tuple[Any, Any] = (None, None)
        self.outbox_ops = make_outbox_ops(self)

    def get_connection_params(self) -> dict[str, Any]:
        """Return Django's parameters; ``join_begin`` of OPTIONS is for the hook alone."""
        params: dict[str, Any] = super().get_connection_params()
        self.joins_begin = take_join_begin(params, self.alias, self.can_join_begin)
        return params

    def commit(self) -> None:
        """Store the transaction's calls, commit, and wake their tasks."""
        super().commit()
        self._savepoints.clear()
        if self.run_on_commit and (stored := self._settle_callbacks()):
            wake_tasks(stored)

    def forget_parameters(self, cursor: Any, statement: str) -> None:
        """Let go of the parameters of a large statement that ``cursor`` has executed.

        The kept cursor would hold them until the next commit.
        """
        self._kept = (None, None)

    def _commit(self) -> None:
        if self.run_on_commit and self.connection is not None:
            self._store(pending_calls(self))
        super()._commit()  # type: ignore[misc]

    def _rollback(self) -> None:
        super()._rollback()  # type: ignore[misc]
        self._savepoints.clear()

    def _savepoint(self, sid: str) -> None:
        super()._savepoint(sid)  # type: ignore[misc]
        self._savepoints.append((sid, len(self.run_on_commit)))

    def _savepoint_commit(self, sid: str) -> None:
        super()._savepoint_commit(sid)  # type: ignore[misc]
        self._forget_savepoints(sid)

    def _savepoint_rollback(self, sid: str) -> None:
        """Roll back to a savepoint, and drop the callbacks that were registered since.

        Django drops those that were registered in an ``atomic()`` block of the savepoint. It would
        call those after a ``transaction.savepoint()``, though the work that they are for is gone.
        """
        super()._savepoint_rollback(sid)  # type: ignore[misc]
        count = self._forget_savepoints(sid)
        if count is not None:
            del self.run_on_commit[count:]
            self._savepoints.append((sid, count))  # it can be rolled back to again

    def _forget_savepoints(self, sid: str) -> int | None:
        """Forget a savepoint and those begun after it, which end with it.

        Returns how many callbacks the transaction had when the savepoint began.
        """
        for index in range(len(self._savepoints) - 1, -1, -1):
            name, count = self._savepoints[index]
            if name == sid:
                del self._savepoints[index:]
                return count
        return None

    def _store(self, calls: Sequence[PendingCall]) -> None:
        if not calls:
            return
        # With COMMIT a transaction with calls takes no round trip more than one without.
        ending = "; COMMIT" if self.several_statements else ""
        # Django has left the block before it asks for the commit. Whoever watches statements must
        # see that a transaction is open: one who reconnected here would lose it.
        self.in_atomic_block = True
        try:
            try:
                store_calls(self.outbox_ops, self._cursor_of_calls(), calls, ending)
            finally:
                self.in_atomic_block = False
        except BaseException:
            # Django rolls back after a DatabaseError alone.
            self._abandon()
            raise

    def _abandon(self) -> None:
        """Roll back. If that fails, drop the connection, as Django does."""
        try:
            self.rollback()
        except Error:
            self.close()
        if self.closed_in_transaction:
            self.connection = None  # the next statement connects

    def _settle_callbacks(self) -> list[PendingCall]:
        """Take the stored calls and the sure callbacks off Django's list, and call the latter.

        Django takes each callback off the list's front, which for 200,000 took four seconds.
        Returns the calls.
        """
        stored: list[PendingCall] = []
        others: list[Any] = []
        for entry in self.run_on_commit:
            callback: Any = entry[1]
            if isinstance(callback, PendingCall) and callback.stored:
                stored.append(callback)
            elif isinstance(callback, SureCallback):
                callback()
            else:
                others.append(entry)
        self.run_on_commit = others
        return stored

    def _cursor_of_calls(self) -> Any:
        """Return the cursor that writes calls; one is kept for each connection.

        To create one costs 14% of storing three calls. Where queries are logged it is a new one, as
        for any other query. It is a new one too where threads share the connection, since two of
        them may commit at once.
        """
        if self.queries_logged or self.allow_thread_sharing:
            return self.cursor()
        if self._kept[0] is not self.connection:
            self._kept = (self.connection, self.cursor())
        return self._kept[1]


class ImplicitCommitMixin(OutboxMixin):
    """A backend whose database commits what is open when autocommit is turned on."""

    def _set_autocommit(self, autocommit: bool) -> None:
        """Turn autocommit on or off. Calls that are not stored yet commit with their work."""
        if autocommit and self.run_on_commit and pending_calls(self):
            self.commit()
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # each backend has its own

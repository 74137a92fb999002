"""The commit hook: a transaction's calls are written just before its COMMIT.

The hook writes in ``_commit()``, below Django's guards in ``commit()``. Everything else waits until
Django's method has returned. So a commit or a rollback that Django refuses sends nothing and
forgets nothing.

The hook is mixed in above a backend, Django's or somebody else's. A method of that backend works
with the hook also if the method doesn't call ``super()``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from aftercommit.db.callbacks import SureCallback
from aftercommit.db.options import take_join_begin
from aftercommit.db.overrides import COMMIT_METHODS, CURSOR_METHODS, is_overridden
from aftercommit.db.rollbacks import RollbackMixin
from aftercommit.db.vendors import make_outbox_ops
from aftercommit.outbox.pending import PendingCall, pending_calls
from aftercommit.outbox.store import store_calls
from aftercommit.outbox.wake import wake_tasks


class OutboxMixin(RollbackMixin):
    """A database backend whose ``commit()`` stores the calls of its transaction first.

    The calls are on Django's own on_commit list until COMMIT. Those of a savepoint that rolled back
    have been dropped from it. If the calls can't be stored, the transaction rolls back.
    """

    has_outbox = True

    several_in: ClassVar[tuple[type, ...]] = ()
    """The driver's cursors whose message may hold several statements, and their parameters."""

    can_copy = False
    """Whether its cursors have ``copy()``, PostgreSQL's COPY."""

    begins_as_reader = False
    """True if a transaction that reads first can be refused when it turns to writing."""

    default_parameters: Mapping[str, Any] = {}
    """The parameters of a connection that the library sets where OPTIONS don't name them."""

    commits_as_django: ClassVar[bool] = True
    """False if somebody else's backend has a commit of its own."""

    cursors_as_django: ClassVar[bool] = True
    """False if somebody else's backend makes its cursors in its own way."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.commits_as_django = not is_overridden(cls, COMMIT_METHODS)
        cls.cursors_as_django = not is_overridden(cls, CURSOR_METHODS)
        if is_overridden(cls, ["on_commit"]):
            cls.on_commit = leave_out_calls(cls.on_commit)  # type: ignore[method-assign]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._kept: tuple[Any, Any] = (None, None)
        self.outbox_ops = make_outbox_ops(self)
        super().__init__(*args, **kwargs)

    def can_join_begin(self, params: Mapping[str, Any]) -> bool:
        """Return whether BEGIN can go in the message of a transaction's first statement."""
        return False

    def get_connection_params(self) -> dict[str, Any]:
        """Return the backend's parameters. ``join_begin`` of OPTIONS is for the hook alone."""
        params: dict[str, Any] = super().get_connection_params()
        self.joins_begin = take_join_begin(params, self.alias, self.can_join_begin(params))
        return params

    def commit(self) -> None:
        """Store the transaction's calls, commit, and wake their tasks."""
        if not self.commits_as_django:
            self._store_early()
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
        super()._commit()  # type: ignore[misc]  # the stubs don't have it

    def _store_early(self) -> None:
        """Store the calls before somebody else's ``commit()``, which may not call ``_commit()``."""
        self.validate_thread_sharing()
        self.validate_no_atomic_block()
        if self.run_on_commit and self.connection is not None:
            self._store(pending_calls(self))

    def _store(self, calls: Sequence[PendingCall]) -> None:
        if not calls:
            return
        # Django has left the block before it asks for the commit. Whoever watches statements must
        # see that a transaction is open: one who reconnected here would lose it.
        self.in_atomic_block = True
        try:
            try:
                cursor = self._cursor_of_calls()
                # With COMMIT a transaction with calls takes no round trip more than one without.
                several = isinstance(getattr(cursor, "cursor", None), self.several_in)
                ending = "; COMMIT" if several and self.commits_as_django else ""
                store_calls(self.outbox_ops, cursor, calls, ending)
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
        them may commit at once, and where somebody else's backend does something for each cursor,
        as setting a schema.
        """
        if self.queries_logged or self.allow_thread_sharing or not self.cursors_as_django:
            return self.cursor()
        if self._kept[0] is not self.connection:
            self._kept = (self.connection, self.cursor())
        return self._kept[1]


def leave_out_calls(theirs: Callable[..., None]) -> Callable[..., None]:
    """Return somebody else's ``on_commit()``, with Django's for what is the outbox's.

    A call that somebody else wraps would not be found when it is to be stored.
    """

    def on_commit(self: BaseDatabaseWrapper, func: Callable[[], Any], robust: bool = False) -> None:
        ours = isinstance(func, PendingCall | SureCallback)
        (BaseDatabaseWrapper.on_commit if ours else theirs)(self, func, robust)

    return on_commit


class ImplicitCommitMixin(OutboxMixin):
    """A backend whose database commits what is open when autocommit is turned on."""

    def _set_autocommit(self, autocommit: bool) -> None:
        """Turn autocommit on or off. Calls that are not stored yet commit with their work."""
        if autocommit and self.run_on_commit and pending_calls(self):
            self.commit()
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # each backend has its own

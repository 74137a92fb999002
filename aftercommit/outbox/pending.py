"""Calls that wait for the commit of their transaction, on Django's on_commit list."""

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from aftercommit.db.vendors import outbox_ops
from aftercommit.outbox.misuse_warnings import warn_of_missing_hook
from aftercommit.outbox.record import CallRecord
from aftercommit.outbox.store import store_calls
from aftercommit.outbox.wake import wake_tasks


class PendingCall(CallRecord):
    """A call as an on_commit callback.

    The database backend's ``commit()`` stores all calls of a transaction at once, and takes them
    off the list. A call that is called all the same (outside a transaction, by a test that runs
    the callbacks) stores itself.
    """

    __slots__ = ()

    def __call__(self) -> None:
        """Store the call, unless that is done, and have its task woken."""
        if not self.stored:
            connection = connections[self.using]
            with connection.cursor() as cursor:
                store_calls(outbox_ops(connection), cursor, [self])
            if not getattr(connection, "has_outbox", False):
                warn_of_missing_hook(self.task, connection)
            wake_tasks([self])


def pending_calls(connection: BaseDatabaseWrapper) -> list[PendingCall]:
    """Return the calls that the connection's transaction has made and not stored."""
    return [
        call
        for entry in connection.run_on_commit
        if isinstance(call := entry[1], PendingCall) and not call.stored
    ]

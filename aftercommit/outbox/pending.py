"""A call that waits for the commit of its transaction, on Django's on_commit list."""

from django.db import connections

from aftercommit.db.vendors import outbox_ops
from aftercommit.outbox.call import Call
from aftercommit.outbox.store import store_calls
from aftercommit.outbox.wake import wake_tasks


class PendingCall(Call):
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
            wake_tasks([self])

"""The commit hook: a transaction's calls are written just before its COMMIT."""

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper

from core.db.callbacks import sure_callbacks
from core.outbox.store import pending_calls, store_calls
from core.outbox.wake import wake_tasks


class OutboxMixin(BaseDatabaseWrapper):
    """A database backend whose ``commit()`` stores the calls of its transaction first.

    The calls are on Django's own on_commit list, from which Django has already dropped those of a
    savepoint that rolled back. If they can't be stored, the transaction doesn't commit.
    """

    has_outbox = True

    def commit(self) -> None:
        """Store the transaction's calls, commit, and wake their tasks."""
        calls = pending_calls(self) if self.connection is not None else []
        if calls:
            try:
                store_calls(self, calls)
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
